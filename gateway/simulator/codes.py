"""One-time codes: what each stands for, how long it lives, and why one is refused.

It decides nothing about numbers or texts: each platform says those in its own way.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from gateway.clock import Clock
from gateway.simulator.bounded import Bounded

CodeKind = Literal["login", "anonymous", "phone"]

CODE_LIFE_S = MappingProxyType({"wechat": 300, "douyin": 180, "baidu": 600, "kuaishou": 600})
"""Seconds (platforms.md section 0). Douyin's pages say 3 or 5 minutes: the shorter is taken."""

PHONE_CODE_LIFE_S = 300
"""WeChat's and Douyin's phone codes (platforms.md 1.5, 2.4)."""

MOCK_CODE = "the code is a mock one"
"""What the devtools send without an app id (ecosystem.md 4, row 21). It may be used again."""

MOCK_USER = "mock-user"


class Refusal(StrEnum):
    """Why a code opens nothing."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    OTHER_APP = "other app"
    OTHER_KIND = "other kind"


@dataclass(frozen=True, slots=True)
class Minted:
    """What a code stands for. `user` is the device for an anonymous code."""

    platform: str
    app_id: str
    user: str
    kind: CodeKind
    expires_at: float
    has_unionid: bool = False
    phone_number: str = ""
    is_used: bool = False


class Codes:
    """The codes handed out, the newest `keep` of them."""

    def __init__(self, clock: Clock, keep: int) -> None:
        self._clock = clock
        self._minted: Bounded[str, Minted] = Bounded(keep)

    def __contains__(self, code: str) -> bool:
        return code == MOCK_CODE or code in self._minted

    def add(self, code: str, minted: Minted) -> None:
        """Hand out a code."""
        self._minted[code] = minted

    def look(
        self, code: str, platform: str, app_id: str, kind: CodeKind = "login"
    ) -> Minted | Refusal:
        """Say what a code stands for, without using it up."""
        if code == MOCK_CODE and kind != "phone":
            return Minted(platform, app_id, MOCK_USER, kind, self._clock())
        minted = self._minted.get(code)
        if minted is None or minted.platform != platform:
            return Refusal.UNKNOWN
        if minted.kind != kind:
            return Refusal.OTHER_KIND
        if minted.app_id != app_id:
            return Refusal.OTHER_APP
        if minted.is_used:
            return Refusal.USED
        return Refusal.EXPIRED if self._clock() >= minted.expires_at else minted

    def redeem(
        self, code: str, platform: str, app_id: str, kind: CodeKind = "login"
    ) -> Minted | Refusal:
        """Use a code up. A refused one stays as it was."""
        minted = self.look(code, platform, app_id, kind)
        if isinstance(minted, Minted) and code in self._minted:
            self._minted[code] = replace(minted, is_used=True)
        return minted
