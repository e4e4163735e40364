"""Decides what a `Host` may be and which host it names. Pure; RFC 9110 7.2, RFC 3986 3.2.2."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

_NAME = re.compile(rb"([A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}))(?::([0-9]{1,5}))?")
_LITERAL = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
MAX_HOST_BYTES = 262
"""255 for a name (RFC 1035 2.3.4) and a port."""


def read_host(value: bytes) -> str | None:
    """Return the name a route can match: lower case, no port, brackets or last dot; None if bad."""
    # The length is looked at first: what clients send must not fill the cache with long keys.
    return None if len(value) > MAX_HOST_BYTES else _read(value)


@lru_cache(maxsize=1024)
def _read(value: bytes) -> str | None:
    match = _NAME.fullmatch(value) or _LITERAL.fullmatch(value)
    if match is None or not (match[2] is None or 0 < int(match[2]) <= 65535):
        return None
    return _address(match[1]) if value.startswith(b"[") else _name(match[1])


def _name(text: bytes) -> str | None:
    """Lower-case a name; one dot at its end says only that it is whole (RFC 1034 3.1)."""
    return None if b".." in text else text.decode("ascii").lower().removesuffix(".")


def _address(text: bytes) -> str | None:
    try:
        return str(IPv6Address(text.decode("ascii")))
    except AddressValueError:
        return None
