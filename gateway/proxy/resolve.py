"""Turns targets' names into addresses, and keeps them for a bounded time.

It decides how old an answer may be; it knows no target and no connection. The system's resolver
tells no TTL, so an answer counts as fresh for `FRESH_S`; then one look-up for all who ask takes its
place. Where that fails or hangs, the old answer serves on, for `STALE_S` at most: names come back,
and the machines behind them mostly never went. The names come from the settings: they are few.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""A name to its addresses, as text, in the resolver's order. Raises: OSError, UnicodeError."""

FRESH_S = 15.0
"""Between nginx's usual TTLs and Go's none: a moved service is found within this time."""
STALE_S = 300.0
PATIENCE_S = 0.5
"""How long a request waits for a new answer while an old one would do."""
AGAIN_S = 1.0
"""A look-up that failed is not repeated sooner."""
MAX_NAMES = 1024
MAX_ADDRESSES = 32
"""More than a connect could try within its time."""


@dataclass(slots=True)
class _Name:
    """What is known of one name; moments are the ticks' seconds."""

    addresses: tuple[str, ...] = ()
    found_s: float = 0.0
    asked_s: float = 0.0
    turn: int = 0
    failure: OSError | None = None
    pending: asyncio.Task[None] | None = None


class Resolver:
    """Looks names up, each at most once at a time; literals are never looked up."""

    def __init__(
        self, look_up: LookUp | None = None, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up or ask_system
        self._ticks = ticks
        self._names: dict[str, _Name] = {}

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, another first each time. Raises: OSError."""
        if _is_literal(host):
            return (host,)
        name = self._name(host)
        if not name.addresses or self._ticks() - name.found_s >= FRESH_S:
            await self._refresh(host, name)
        if not name.addresses:
            raise name.failure or OSError(f"the name {host} has no address")
        # All connections of a fresh answer would else go to its first address.
        turn = name.turn % len(name.addresses)
        name.turn += 1
        return name.addresses[turn:] + name.addresses[:turn]

    def close(self) -> None:
        """End the look-ups under way."""
        for name in self._names.values():
            if name.pending is not None:
                name.pending.cancel()
        self._names.clear()

    def _name(self, host: str) -> _Name:
        """Find or begin what is known of a name; the one that came first makes room."""
        name = self._names.get(host)
        if name is None:
            if len(self._names) >= MAX_NAMES:
                self._forget(next(iter(self._names)))
            name = self._names[host] = _Name()
        return name

    def _forget(self, host: str) -> None:
        pending = self._names.pop(host).pending
        if pending is not None:
            pending.cancel()

    async def _refresh(self, host: str, name: _Name) -> None:
        """Wait for a new answer; not long where an old one would do."""
        now_s = self._ticks()
        if now_s - name.found_s >= STALE_S:
            name.addresses = ()
        if name.pending is None:
            if name.failure is not None and now_s - name.asked_s < AGAIN_S:
                return
            name.asked_s = now_s
            name.pending = asyncio.create_task(self._ask(host, name))
        patience_s = max(0.0, name.asked_s + PATIENCE_S - now_s) if name.addresses else None
        # One waiter that is cancelled or out of patience does not end the look-up of the others.
        await asyncio.wait((name.pending,), timeout=patience_s)

    async def _ask(self, host: str, name: _Name) -> None:
        try:
            found = await self._look_up(host)
        except (OSError, UnicodeError) as error:
            name.failure = OSError(f"the name {host} was not found: {error}")
        else:
            self._take(name, tuple(dict.fromkeys(found))[:MAX_ADDRESSES])
        finally:
            name.asked_s = self._ticks()
            name.pending = None

    def _take(self, name: _Name, addresses: tuple[str, ...]) -> None:
        if addresses:
            name.addresses, name.found_s, name.failure = addresses, self._ticks(), None
        else:
            name.failure = OSError("the name has no address")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def ask_system(host: str) -> list[str]:
    """Ask the system's resolver, in a thread: /etc/hosts, DNS, whatever it is set to."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
