"""Whose an address is: what one client has for himself, wherever clients are counted. Pure.

It decides what counts as one client; not what is counted, nor how much is too much.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_PREFIX = 64
"""What one customer has for himself (RFC 6177), in bits."""


def network_of(address: str) -> str:
    """Name whose an address is: an IPv4 address by itself, an IPv6 one by its /64; "" is nobody's.

    An IPv4 address written as IPv6 is the same client, seen through a socket for both.
    """
    if not address:
        return ""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unreadable"  # one for all of them, whatever they write
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False).network_address)
