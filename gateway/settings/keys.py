"""Which keys and admin tokens may be used, and in which environment.

Pure. A key that somebody else may know signs anybody in: examples, keys that can be guessed, and
keys made for development. App secrets are the platforms' own: a wrong one opens nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.settings.findings import Finding, Loc, RefusedError
from gateway.settings.guessable import looks_made_up
from gateway.settings.vault import (
    ADMIN_TOKEN_CHARACTERS,
    ENCRYPTION_KEY_BYTES,
    SIGNING_KEY_CHARACTERS,
    parse_encryption_key,
    reveal,
)
from gateway.settings.walk import Raw, entries, parts, value_at

DEVELOPMENT_PREFIX: Final = "development-"
"""Begins every signing key made for development."""
DEVELOPMENT_MARK: Final = b"develop-"
"""Begins every encryption key made for development; 24 random bytes follow."""

_SIGNING = ("session", "signing_keys")
_ENCRYPTION = ("session", "encryption_keys")
_RANDOM = "a random key (gateway keygen makes one)"
_FOUND = "a key that looks like an example or a pattern"


def check_production_keys(raw: Raw) -> Iterator[Finding]:
    """Find keys that are missing, or that more people than the operator may know."""
    if raw.get("environment", "production") != "production":
        return
    yield from _missing(raw, _SIGNING, "at least one key of 32 characters or more")
    yield from _missing(raw, _ENCRYPTION, "at least one key of 32 bytes in base64")
    for loc, key in entries(raw, *_SIGNING):
        yield from _check_signing_key(loc, key)
    for loc, key in entries(raw, *_ENCRYPTION):
        yield from _check_encryption_key(loc, key)
    keys = [key for place in (_SIGNING, _ENCRYPTION) for _, key in entries(raw, *place)]
    for loc, token in parts(raw, "admin", "tokens"):
        yield from _check_admin_token((*loc, "token"), token.get("token"), keys)


def _missing(raw: Raw, loc: Loc, allowed: str) -> Iterator[Finding]:
    value = value_at(raw, loc)
    if value is None or value == []:
        yield Finding(loc, f"{allowed} (gateway keygen makes one)")


def _check_signing_key(loc: Loc, value: object) -> Iterator[Finding]:
    key = _text(value, SIGNING_KEY_CHARACTERS)
    if key.lower().startswith(DEVELOPMENT_PREFIX):
        yield Finding(loc, "a key made for production", "a key made for development")
    elif key and _is_guessable(key):
        yield Finding(loc, _RANDOM, _FOUND)


def _check_encryption_key(loc: Loc, value: object) -> Iterator[Finding]:
    try:
        key = parse_encryption_key(value).get_secret_value()
    except RefusedError:
        return
    digits = _text(value, ENCRYPTION_KEY_BYTES).rstrip("=")
    if key.startswith(DEVELOPMENT_MARK):
        yield Finding(loc, "a key made for production", "a key made for development")
    elif looks_made_up(key) or (digits and _is_guessable(digits)):
        yield Finding(loc, _RANDOM, _FOUND)


def _check_admin_token(loc: Loc, value: object, keys: Sequence[object]) -> Iterator[Finding]:
    token = _text(value, ADMIN_TOKEN_CHARACTERS)
    allowed = "a random token (gateway keygen signing makes one)"
    if token and any(token == _text(key, 1) for key in keys):
        yield Finding(loc, f"{allowed}, for nothing else", "one of the session's keys")
    elif token and _is_guessable(token):
        yield Finding(loc, allowed, "a token that looks like an example or a pattern")


def _text(value: object, characters: int) -> str:
    """A secret's text; "" where it is none or too short: the models tell that."""
    try:
        text = reveal(value)
    except RefusedError:
        return ""
    return text if len(text) >= characters else ""


def _is_guessable(text: str) -> bool:
    return looks_made_up(text.encode(errors="replace"))
