"""Which signing and encryption keys may be used, and in which environment.

Pure. A key that somebody else may know signs anybody in: examples, and keys made for development.
"""

from collections.abc import Iterator
from typing import Final

from gateway.settings.findings import Finding, Loc, RefusedError
from gateway.settings.vault import parse_encryption_key, reveal
from gateway.settings.walk import Raw, entries, value_at

DEVELOPMENT_PREFIX: Final = "development-"
"""Begins every signing key made for development."""
DEVELOPMENT_MARK: Final = b"develop-"
"""Begins every encryption key made for development; 24 random bytes follow."""

_EXAMPLE_WORDS = ("example", "change", "secret")
_SIGNING = ("session", "signing_keys")
_ENCRYPTION = ("session", "encryption_keys")


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


def _missing(raw: Raw, loc: Loc, allowed: str) -> Iterator[Finding]:
    value = value_at(raw, loc)
    if value is None or value == []:
        yield Finding(loc, f"{allowed} (gateway keygen makes one)")


def _check_signing_key(loc: Loc, value: object) -> Iterator[Finding]:
    try:
        key = reveal(value).lower()
    except RefusedError:
        return
    if key.startswith(DEVELOPMENT_PREFIX):
        yield Finding(loc, "a key made for production", "a key made for development")
    elif len(set(key)) == 1 or any(word in key for word in _EXAMPLE_WORDS):
        allowed = "a random key (gateway keygen makes one)"
        yield Finding(loc, allowed, "a key that looks like an example")


def _check_encryption_key(loc: Loc, value: object) -> Iterator[Finding]:
    try:
        key = parse_encryption_key(value).get_secret_value()
    except RefusedError:
        return
    if key.startswith(DEVELOPMENT_MARK):
        yield Finding(loc, "a key made for production", "a key made for development")
    elif len(set(key)) == 1:
        allowed = "a random key (gateway keygen makes one)"
        yield Finding(loc, allowed, "a key that looks like an example")
