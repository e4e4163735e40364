"""The settings of one app at one platform.

Pure. Which keys a platform needs stands in `rules`: it is told for all apps at once.
"""

from typing import Annotated, Literal

from gateway.settings.addresses import ApiBase, ProxyAddress
from gateway.settings.part import Part
from gateway.settings.scalars import Switch, matching
from gateway.settings.units import Duration
from gateway.settings.vault import Secret

Platform = Literal["wechat", "douyin", "baidu", "kuaishou"]
PLATFORMS: tuple[Platform, ...] = ("wechat", "douyin", "baidu", "kuaishou")
Kind = Literal["mini-program", "mini-game"]

_APP_ID = matching(
    "[A-Za-z0-9_-]{1,64}", "an id of at most 64 letters, digits, _ and - (digits alone in quotes)"
)


class AppSettings(Part):
    """One app; its name is its key."""

    platform: Platform
    app_id: Annotated[str, _APP_ID] | None = None
    """The platform's app id (all but Baidu)."""
    app_key: Annotated[str, _APP_ID] | None = None
    """Baidu's App Key, which is its app id for logins."""
    secret: Secret
    """The app secret."""
    next_secret: Secret | None = None
    """The new secret while it is being changed at the platform."""
    kind: Kind = "mini-program"
    api: Literal["old", "v2"] = "old"
    """Baidu's login interface."""
    api_base: ApiBase | None = None
    """Replaces the platform's scheme and host; http only in development."""
    proxy: ProxyAddress | None = None
    """An outbound http proxy."""
    timeout: Duration | None = None
    """Of calls to the platform, in place of login.timeout."""
    unionid: Switch = True
    """Whether the union id is kept and told to services."""
    phone_private_key: Secret | None = None
    """The private key with which a phone number is opened, where the platform wants one."""

    @property
    def app_identifier(self) -> str:
        """The platform's app id; for Baidu it is the App Key."""
        return (self.app_key if self.platform == "baidu" else self.app_id) or ""
