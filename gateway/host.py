"""Decides what a `Host` may be and which host it names. Pure; RFC 9110 7.2, RFC 3986 3.2.2."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

_NAME = re.compile(rb"([A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}))(?::([0-9]{1,5}))?")
_LITERAL = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
MAX_HOST_BYTES = 262
"""255 for a name (RFC 1035 2.3.4) and a port."""


@lru_cache(maxsize=1024)
def read_host(value: bytes) -> str | None:
    """Return the name a route can match: lower case, no port, brackets or last dot; None if bad."""
    if len(value) > MAX_HOST_BYTES:
        return None
    if match := _LITERAL.fullmatch(value):
        name = _literal(match[1])
    elif match := _NAME.fullmatch(value):
        name = match[1].decode("ascii").lower().removesuffix(".")
    else:
        return None
    is_port_good = match[2] is None or 0 < int(match[2]) <= 65535
    return name if name and is_port_good and ".." not in name else None


def _literal(text: bytes) -> str | None:
    try:
        return str(IPv6Address(text.decode("ascii")))
    except AddressValueError:
        return None
