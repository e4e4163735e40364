"""Secrets as values: what they must look like, and that they never print.

Pure. The loader has already read `{file: path}` and `{env: NAME}`; here a secret is text.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import SecretBytes, SecretStr

from gateway.settings.findings import RefusedError, quote
from gateway.settings.redis_url import REDIS_ALLOWED, parse_redis_url
from gateway.settings.scalars import Parsed, Placed, Reads

SIGNING_KEY_CHARACTERS = 32  # design section 3
ENCRYPTION_KEY_BYTES = 32  # AES-256
ADMIN_TOKEN_CHARACTERS = 16  # short enough to type, too long to guess over a network
_STORE_ALLOWED = f"sqlite:path, {REDIS_ALLOWED}"
_SQLITE_ALLOWED = (
    "sqlite:path with the path of a file, such as sqlite:data/gateway.db or"
    " sqlite:/var/lib/gateway/gateway.db"
)

StoreScheme = Literal[
    "sqlite",
    "redis",
    "rediss",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
]
_SCHEMES: dict[str, StoreScheme] = {scheme: scheme for scheme in get_args(StoreScheme)}


@dataclass(frozen=True, slots=True)
class Store:
    """Where sessions are kept. `path` is SQLite's file, absolute; `url` may hold a password."""

    scheme: StoreScheme
    url: str = field(repr=False)
    path: Path | None = None

    def __str__(self) -> str:
        return f"sqlite:{self.path}" if self.path else f"{self.scheme}://***"


def reveal(value: object, allowed: str = "a secret: text, {file: path} or {env: NAME}") -> str:
    """Take a secret's text, for checking it. Raises: RefusedError."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise RefusedError(f"{allowed} (in quotes where it looks like a number)")
    if not value:
        raise RefusedError(allowed, "an empty text")
    return str(value)


def parse_secret(value: object) -> SecretStr:
    """Take any secret that is not empty. Raises: RefusedError."""
    return SecretStr(reveal(value))


def _at_least(characters: int) -> Parsed:
    def parse(value: object) -> SecretStr:
        secret = reveal(value)
        if len(secret) < characters:
            raise RefusedError(f"a secret of at least {characters} characters")
        return SecretStr(secret)

    return Parsed(parse, SECRET_SCHEMA, Reads.SECRET)


def parse_encryption_key(value: object) -> SecretBytes:
    """Decode 32 bytes in base64 (RFC 4648), standard or URL-safe, padded or not.

    Raises: RefusedError.
    """
    if isinstance(value, SecretBytes):
        return value
    allowed = "a key of 32 bytes in base64 (gateway keygen makes one)"
    digits = reveal(value).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(allowed) from None
    if len(key) != ENCRYPTION_KEY_BYTES:
        raise RefusedError(allowed, f"a key of {len(key)} bytes")
    return SecretBytes(key)


def parse_store(value: object, base: Path) -> Store:
    """Read the address of the session store. Raises: RefusedError."""
    url = reveal(value, _STORE_ALLOWED)
    name, _, rest = url.partition(":")
    scheme = _SCHEMES.get(name)
    if scheme is None:
        # Shown only where it is surely a scheme: the whole may be a secret in the wrong place.
        is_scheme = rest.startswith("//") and re.fullmatch(r"[a-z][a-z0-9+]{0,15}", name)
        raise RefusedError(_STORE_ALLOWED, f"the scheme {name}://" if is_scheme else None)
    if scheme == "sqlite":
        return _sqlite(rest, base)
    parse_redis_url(url)
    return Store(scheme, url)


def _sqlite(path: str, base: Path) -> Store:
    if not path or path.startswith(("//", ":")) or "\0" in path or "?" in path:
        # A path is no secret; what stands behind a question mark may be (some take ?key=…).
        shown, mark, _ = f"sqlite:{path}".partition("?")
        raise RefusedError(_SQLITE_ALLOWED, quote(shown + mark + ("…" if mark else "")))
    absolute = base / path
    return Store("sqlite", f"sqlite:{absolute}", absolute)


SECRET_SCHEMA: dict[str, object] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"file": {"type": "string", "minLength": 1}},
            "required": ["file"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"env": {"type": "string", "minLength": 1}},
            "required": ["env"],
            "additionalProperties": False,
        },
    ]
}

Secret = Annotated[SecretStr, Parsed(parse_secret, SECRET_SCHEMA, Reads.SECRET)]
SigningKey = Annotated[SecretStr, _at_least(SIGNING_KEY_CHARACTERS)]
AdminToken = Annotated[SecretStr, _at_least(ADMIN_TOKEN_CHARACTERS)]
EncryptionKey = Annotated[SecretBytes, Parsed(parse_encryption_key, SECRET_SCHEMA, Reads.SECRET)]
StoreAddress = Annotated[Store, Placed(parse_store, SECRET_SCHEMA, Reads.SECRET)]
