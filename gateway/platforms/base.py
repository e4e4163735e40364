"""What every platform takes and gives. It knows no request, no session and no settings file."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class PlatformApp:
    """One app at one platform, as its code needs it. `app_id` is Baidu's App Key there.

    `api_base` replaces the platform's scheme and host (no trailing slash). `proxy` is an outbound
    http proxy's URL. `kind` is mini-program or mini-game; `api` chooses Baidu's old or v2 call.
    """

    name: str
    platform: str
    app_id: str
    secret: str = field(repr=False)
    next_secret: str | None = field(default=None, repr=False)
    kind: Literal["mini-program", "mini-game"] = "mini-program"
    api: Literal["old", "v2"] = "old"
    api_base: str | None = None
    proxy: str | None = field(default=None, repr=False)  # its URL may hold a password
    timeout_s: float = 5.0
    keeps_unionid: bool = True


GUEST_PLATFORMS = frozenset({"douyin"})
"""Those that an `anonymous_code` is sent to."""


@dataclass(frozen=True, slots=True)
class LoginCodes:
    """What the client got from its platform; Douyin may send both, the others only `code`."""

    code: str | None = field(default=None, repr=False)
    anonymous_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """Who the platform says this is. Without `openid` it is a guest (`anonymous_openid` only)."""

    openid: str | None
    unionid: str | None = None
    anonymous_openid: str | None = None
    session_key: str | None = field(default=None, repr=False)


class Exchange(Protocol):
    """Turns codes into an identity: one call out, never repeated once bytes may have been sent."""

    async def __call__(self, app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:
        """Raises: GatewayError (code_invalid, user_blocked, rate_limited, platform_*)."""
        ...


MAX_OPENID_BYTES = 128
NOT_IDS = frozenset({"0", "null", "none", "undefined"})  # nothing, made into text (attacks.md S15)


def check_openid(value: object, name: str = "openid") -> str:
    """Return an id that is safe in a header, or refuse the login (attacks.md H21).

    Refused: not text, empty, over 128 bytes, controls, commas, spaces, anything outside ASCII,
    and a nothing made into text, which many users would share.
    """
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= MAX_OPENID_BYTES
        or not all("!" <= character <= "~" and character != "," for character in value)
        or value.startswith("anonymous:")
        or value.lower() in NOT_IDS
    ):
        raise GatewayError("platform_error", f"the platform's {name} is not usable")
    return value
