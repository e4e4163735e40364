"""What ids, codes and keys look like on each platform (platforms.md sections 0 to 4).

Ids are digests of who they name, so that the same user has the same id after a restart. Codes and
keys are random. It must not know what is done with them.
"""

import base64
import hashlib
import secrets
import uuid

FEDERATED_HOST = "@openhost.example"
"""A code with an `@` belongs to a federated host app of Baidu (platforms.md 3.1)."""


def openid(platform: str, app_id: str, user: str) -> str:
    """Name a user within one app, in that platform's shape."""
    digest = _digest("openid", platform, app_id, user)
    match platform:
        case "wechat":
            return "o" + _url_safe(digest)[:27]
        case "douyin":
            return _letters(digest)[:36]
        case "baidu":
            return _letters(digest)[:26]
        case _:
            return "f" + digest.hex()[:32]


def anonymous_openid(app_id: str, device: str) -> str:
    """Name a device within one app; only Douyin does (platforms.md 2.1)."""
    return _letters(_digest("anonymous", "douyin", app_id, device))[:36]


def unionid(platform: str, user: str) -> str:
    """Name a user across all apps of one developer; the simulator knows one developer."""
    digest = _digest("unionid", platform, user)
    match platform:
        case "wechat":
            return "o" + _url_safe(digest)[:27]
        case "douyin":
            return str(uuid.UUID(bytes=digest[:16], version=4))
        case "baidu":
            return _letters(digest)[:23]
        case _:
            return digest.hex()[:32]


def new_session_key(platform: str) -> str:
    """Make a session_key: base64 of 16 bytes; Baidu's looks like hex and is base64 of 24."""
    if platform == "baidu":
        return secrets.token_hex(16)
    return base64.b64encode(secrets.token_bytes(16)).decode()


def new_code(platform: str, *, federated: bool = False) -> str:
    """Make a login code; `federated` gives Baidu's kind with an `@`."""
    if platform == "kuaishou":
        return secrets.token_hex(28)
    return _letters(secrets.token_bytes(64))[:32] + (FEDERATED_HOST if federated else "")


def _digest(*parts: str) -> bytes:
    return hashlib.sha512("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


def _url_safe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode()


def _letters(digest: bytes) -> str:
    return _url_safe(digest).replace("-", "A").replace("_", "b")
