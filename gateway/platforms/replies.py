"""Takes codes in and ids out: the checks that all platforms share. Pure.

It decides which codes may be sent and which values of an answer may be kept: an openid is
required to be clean (attacks.md H21), everything else may be missing. It must not know where
a platform puts a value or what its numbers mean.
"""

from collections.abc import Mapping

from gateway.errors import GatewayError
from gateway.platforms.base import LoginCodes, check_openid

MAX_CODE_BYTES = 2048  # real codes have 32 to about 200 characters
MAX_SESSION_KEY_BYTES = 256  # real ones have 24 or 32 characters


def require_code(codes: LoginCodes) -> str:
    """Return the code of a platform that knows no guests.

    Raises: GatewayError (bad_request).
    """
    if not is_usable_code(codes.code):
        raise GatewayError("bad_request", "`code` is missing or is no code")
    return codes.code or ""


def is_usable_code(code: str | None) -> bool:
    """Say whether this can be sent: 1 to 2048 bytes of UTF-8 without control characters.

    Otherwise anything goes: Baidu's codes may hold `@` (platforms.md 3.1).
    """
    if not code or len(code) > MAX_CODE_BYTES:
        return False
    if any(character < " " or character == "\x7f" for character in code):
        return False
    # A lone surrogate, which JSON's \\ud800 makes, has no encoding; it comes out as one `?`.
    encoded = code.encode("utf-8", "replace")
    return len(encoded) <= MAX_CODE_BYTES and encoded.decode() == code


def optional_id(value: object, name: str) -> str | None:
    """Return an id that may be missing, or None; one that is not usable is a missing one.

    An openid is enough to log in (design section 4), and the code is used up by now.
    """
    if value is None or value == "":
        return None
    try:
        return check_openid(value, name)
    except GatewayError:
        return None


def session_key(value: object) -> str | None:
    """Return the session_key, or None when it is missing or not usable.

    Without one the user can log in all the same, and only decrypting fails.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SESSION_KEY_BYTES:
        return None
    return value if all("!" <= character <= "~" for character in value) else None


def nested(body: Mapping[str, object], name: str = "data") -> Mapping[str, object]:
    """Return the object under a name; empty when it is absent, null or something else."""
    inner = body.get(name)
    return inner if isinstance(inner, dict) else {}
