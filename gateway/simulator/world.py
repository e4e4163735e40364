"""What all simulated platforms share: the apps, the codes, the users and the tokens.

The login itself is here, for it is the same everywhere; how it is asked and answered is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gateway.clock import Clock
from gateway.simulator.codes import Codes, Minted, Refusal
from gateway.simulator.shapes import unionid
from gateway.simulator.tokens import Tokens
from gateway.simulator.users import Users

PLATFORMS = ("wechat", "douyin", "baidu", "kuaishou")

AppKind = Literal["mini-program", "mini-game"]


@dataclass(frozen=True, slots=True)
class SimulatedApp:
    """One app the platforms know. `app_id` is the App Key for Baidu.

    `is_bound`: the app is bound to an open-platform account, so logins carry a unionid where that
    is the condition (WeChat, Kuaishou games). `phone_public_key`: Douyin's, PEM, registered there.
    """

    platform: str
    app_id: str
    secret: str = field(repr=False)
    kind: AppKind = "mini-program"
    is_bound: bool = False
    phone_public_key: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login as the platform sees it; `unionid` only if this app may know it."""

    user: str
    openid: str
    session_key: str = field(repr=False)
    unionid: str | None = None


class Apps:
    """Which apps exist. With None, every app id does, with any secret and of either kind."""

    def __init__(self, apps: Sequence[SimulatedApp] | None) -> None:
        self._apps = None if apps is None else {(app.platform, app.app_id): app for app in apps}

    def find(self, platform: str, app_id: str) -> SimulatedApp | None:
        """Find an app that was named at the start."""
        return None if self._apps is None else self._apps.get((platform, app_id))

    def has(self, platform: str, app_id: str, kind: AppKind | None = None) -> bool:
        """Say whether an app exists; a platform's paths for one kind do not know the other."""
        if self._apps is None:
            return True
        app = self._apps.get((platform, app_id))
        return app is not None and kind in (None, app.kind)

    def is_secret(self, platform: str, app_id: str, secret: str) -> bool:
        """Say whether this is the app's secret."""
        app = self.find(platform, app_id)
        return self._apps is None or (app is not None and app.secret == secret)


class World:
    """Everything the platforms remember. `keep` bounds each of its tables."""

    def __init__(self, apps: Sequence[SimulatedApp] | None, clock: Clock, keep: int) -> None:
        self.clock = clock
        self.apps = Apps(apps)
        self.codes = Codes(clock, keep)
        self.users = Users(keep)
        self.tokens = Tokens(clock, keep)

    def login(self, platform: str, app_id: str, code: str) -> LoggedIn | Refusal:
        """Use up a login code for this app and give the user a new session_key."""
        minted = self.codes.redeem(code, platform, app_id)
        if isinstance(minted, Refusal):
            return minted
        person = self.users.login(platform, app_id, minted.user)
        has_unionid = self._has_unionid(platform, app_id, minted)
        union = unionid(platform, minted.user) if has_unionid else None
        return LoggedIn(minted.user, person.openid, person.session_keys[0], union)

    def _has_unionid(self, platform: str, app_id: str, minted: Minted) -> bool:
        if platform == "douyin":
            return True  # platforms.md 2.1 names no condition
        app = self.apps.find(platform, app_id)
        return minted.has_unionid or (app is not None and app.is_bound)
