"""Decides whose address a request has and which forwarded headers to believe. Pure.

Forwarded headers count only from trusted peers, read from the right (attacks.md F1 to F6).
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from gateway.headers import Field, values
from gateway.host import read_host

Network = IPv4Network | IPv6Network
MAX_PEERS = 4096
"""Addresses whose place is remembered; a load balancer sends all requests from few."""
MAX_ADDRESS_CHARACTERS = 64
MAX_CHAIN = 32
"""Hops read from a forwarded list; a longer one is nobody's honest chain."""


class Client(NamedTuple):
    """Where a request comes from.

    `chain` is what `X-Forwarded-For` will say: the client, then the hops we believe. `host` is
    what a trusted peer says the client asked for, if it says so.
    """

    address: str
    is_trusted_peer: bool
    chain: tuple[str, ...]
    scheme: str
    host: str | None = None
    request_id: str | None = None


def forwarded_lines(client: Client, host_field: str) -> str:
    """Tell a service who asked for what, as header lines; `host_field` is what the client wrote.

    On a unix socket nobody has an address, and none is claimed.
    """
    hops = ", ".join(filter(None, client.chain))
    asked = f"X-Forwarded-Proto: {client.scheme}\r\n"
    asked += f"X-Forwarded-Host: {client.host or host_field}\r\n"
    if hops:
        asked = f"X-Forwarded-For: {hops}\r\n{asked}"
    return f"{asked}X-Real-IP: {client.address}\r\n" if client.address else asked


class Trust:
    """Whom we believe: peers inside `trusted`, and in which header they name the client."""

    def __init__(self, trusted: Sequence[Network], client_ip_header: str) -> None:
        self._trusted = tuple(trusted)
        self._is_trusted = lru_cache(maxsize=MAX_PEERS)(self._look_up)
        self._header = client_ip_header.lower().encode()

    def client(self, peer: str, scheme: str, fields: Sequence[Field]) -> Client:
        """Read the client of a request; `peer` is the socket's address ("" for a unix socket)."""
        if not self._trusted or not self.is_trusted(peer):
            return Client(peer, False, (peer,), scheme)
        chain = self._chain(peer, fields)
        return Client(
            address=chain[0],
            is_trusted_peer=True,
            chain=chain,
            scheme=_one_of(fields, b"x-forwarded-proto", ("http", "https")) or scheme,
            host=_host(fields),
            request_id=_request_id(fields),
        )

    def is_trusted(self, address: str) -> bool:
        """Tell whether a peer's word counts."""
        # The length is looked at first: what clients send must not fill memory.
        return len(address) <= MAX_ADDRESS_CHARACTERS and self._is_trusted(address)

    def _look_up(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def _chain(self, peer: str, fields: Sequence[Field]) -> tuple[str, ...]:
        """Walk from the right, stop at the first we do not trust; rubbish ends the walk."""
        named = values(fields, self._header)
        if self._header != b"x-forwarded-for":
            address = _parse(named[0].decode("latin-1")) if len(named) == 1 else None
            return (str(address), peer) if address is not None else (peer,)
        hops = b",".join(named).decode("latin-1").split(",")[-MAX_CHAIN:] if named else []
        chain = [peer]
        for hop in reversed(hops):
            address = _parse(hop.strip(" \t"))
            if address is None:
                break
            chain.insert(0, str(address))
            if not self.is_trusted(chain[0]):
                break
        return tuple(chain)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read one plain address; zone ids, ports and odd numerals are nobody's (F6)."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _one_of(fields: Sequence[Field], name: bytes, allowed: tuple[str, ...]) -> str | None:
    found = values(fields, name)
    text = found[0].decode("latin-1").lower() if len(found) == 1 else ""
    return text if text in allowed else None


def _host(fields: Sequence[Field]) -> str | None:
    found = values(fields, b"x-forwarded-host")
    if len(found) != 1 or read_host(found[0]) is None:
        return None
    return found[0].decode("ascii")


def _request_id(fields: Sequence[Field]) -> str | None:
    found = values(fields, b"x-request-id")
    text = found[0].decode("latin-1") if len(found) == 1 else ""
    is_usable = 8 <= len(text) <= 64 and all(
        c.isascii() and (c.isalnum() or c in "-_") for c in text
    )
    return text if is_usable else None
