"""Pooled connections to one target: bounded, short-lived when idle, checked before re-use.

It decides who gets which connection; where the target is and how it is reached is `dial`'s.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.holdups import Holdups
from gateway.proxy.queue import Queue

SPARES = 8
"""Connections opened ahead of need at once."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of one pool: connections, and seconds (connecting; staying idle)."""

    connections: int = 512
    connect_s: float = 2.0
    keepalive_s: float = 4.0


class Pool:
    """Connections to one target; take one, `release` it when its exchange has ended.

    Who holds or opens a connection holds a place; a place given up goes to whoever waits, the
    clients' networks in turn.
    Idle connections hold none, but with the places they never exceed the bound.

    It grows with what is asked for at once: who found none at hand, but one a moment later, has a
    spare one opened. Else a pool a little too small would send many the slow way for ever.
    `attempts` counts exchanges, `connect_failures` connections that could not be made.
    `has_failed` is its upstream's: the last thing heard of this target was a failure. In `holdups`
    exchanges note that they wait for their clients.
    """

    def __init__(
        self,
        address: TargetAddress,
        limits: PoolLimits,
        dialer: Dialer,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self.limits = limits
        self.has_failed = False
        self.holdups = Holdups(ticks)
        self.attempts = 0
        self.connect_failures = 0
        self._dialer = dialer
        self._ticks = ticks
        self._bound = limits.connections
        self._keepalive_s = limits.keepalive_s
        self._idle: deque[UpstreamConnection] = deque()
        self._in_use: set[UpstreamConnection] = set()
        self._places = 0
        self._queue = Queue(self.holdups, self._clients, self._leave_place)
        self._waiters = self._queue.waiters
        self._sweeper: asyncio.TimerHandle | None = None
        self._missed = 0
        self._spares: set[asyncio.Task[None]] = set()

    @property
    def in_use(self) -> int:
        """Places taken: connections in use, being opened, or promised to a waiter."""
        return self._places

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiters)

    @property
    def in_flight(self) -> int:
        """Requests under way at this target, and those that wait."""
        return self._places + len(self._waiters)

    @property
    def is_full(self) -> bool:
        """Whether the next request would have to wait."""
        return self._places >= self._bound

    @property
    def idle(self) -> int:
        """Connections kept for a next request; some may have been closed by the service."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """Connections that stand, in use or idle."""
        return len(self._in_use) + len(self._idle)

    def take(self, asker: str = "") -> UpstreamConnection | None:
        """Take the youngest idle connection that is good; None: `acquire` one.

        `asker` is the client's address.

        Every request comes here first. Nobody overtakes: while some wait, no place is free.
        """
        if self._places >= self._bound:
            return None
        connection = self._take_idle()
        if connection is None:
            self._missed += 1
            return None
        self._places += 1
        self.attempts += 1
        connection.client = asker
        self._in_use.add(connection)
        return connection

    async def acquire(
        self, *, fresh: bool = False, connect_s: float | None = None, asker: str = ""
    ) -> UpstreamConnection:
        """Take an idle connection or open one; `fresh` takes no idle one.

        `connect_s` replaces the limit's, for the wait and for the connect, each. `asker` is the
        client's address: whoever waits for a place goes before addresses that hold many up.
        Raises: GatewayError overloaded (none free within the connect time), upstream_unavailable.
        """
        within_s = self.limits.connect_s if connect_s is None else connect_s
        await self._take_place(within_s, asker)
        try:
            connection = (None if fresh else self._take_late()) or await self._open(within_s)
        except BaseException:
            self._leave_place()
            raise
        self.attempts += 1
        connection.client = asker
        self._in_use.add(connection)
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Give a connection back; one that is not in step is closed."""
        self._in_use.discard(connection)
        if connection.end():
            self._put_aside(connection)
        else:
            connection.abort()
        if self._waiters:
            self._leave_place()
        else:
            self._places -= 1

    def _put_aside(self, connection: UpstreamConnection) -> None:
        connection.idle_since_s = self._ticks()
        self._idle.append(connection)
        if self._sweeper is None:
            self._schedule_sweep()

    def drop_idle(self) -> None:
        """Close what is idle: of a target that has died, it only looks alive."""
        while self._idle:
            self._idle.pop().abort()

    def close(self) -> None:
        """Close everything, in use or not."""
        self._queue.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in self._in_use:
            connection.abort()
        for spare in self._spares:
            spare.cancel()
        self.drop_idle()

    # -- places ---------------------------------------------------------------------------------

    async def _take_place(self, within_s: float, asker: str) -> None:
        if self._places < self._bound:
            self._places += 1
            return
        try:
            async with asyncio.timeout(within_s):
                await self._queue.wait(asker)
        except TimeoutError:
            problem = GatewayError("overloaded", "all connections to the service are busy")
            raise problem from None

    def _clients(self) -> Iterator[str]:
        """Tell the address of whose request each connection in use is."""
        return (connection.client for connection in self._in_use)

    def _leave_place(self) -> None:
        if not self._queue.pass_on():
            self._places -= 1

    # -- connections ----------------------------------------------------------------------------

    def _take_idle(self) -> UpstreamConnection | None:
        oldest_s = self._ticks() - self._keepalive_s
        while self._idle:
            connection = self._idle.pop()
            # It was in step when it came here. A reset closes it at once, and is told later.
            is_good = not (connection.is_broken or connection.is_closing)
            if is_good and connection.idle_since_s >= oldest_s:
                return connection
            connection.abort()
        return None

    def _take_late(self) -> UpstreamConnection | None:
        """Take an idle connection after `take` has found none, or where nobody asked it."""
        connection = self._take_idle()
        if self._missed:
            self._missed -= 1
            if connection is not None:
                self._add_spare()
        return connection

    def _add_spare(self) -> None:
        known = self._places + len(self._idle) + len(self._spares)
        if len(self._spares) < SPARES and known < self._bound and self._keepalive_s > 0:
            spare = asyncio.create_task(self._open_spare(), name="spare connection")
            self._spares.add(spare)
            spare.add_done_callback(self._spares.discard)

    async def _open_spare(self) -> None:
        try:
            connection = await self._open(self.limits.connect_s)
        except GatewayError:
            return  # whoever needs one will learn the same
        self._put_aside(connection)

    async def _open(self, within_s: float) -> UpstreamConnection:
        while self._idle and self._places + len(self._idle) > self._bound:
            self._idle.popleft().abort()
        try:
            async with asyncio.timeout(within_s):
                return await self._dialer.dial(self.address)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.connect_failures += 1
            raise GatewayError(
                "upstream_unavailable", "no connection to the service could be made"
            ) from error

    def _schedule_sweep(self) -> None:
        idle_s = self._ticks() - self._idle[0].idle_since_s
        wait_s = max(self._keepalive_s - idle_s, 0.0)
        self._sweeper = asyncio.get_running_loop().call_later(wait_s, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle too long; the service would soon do the same."""
        self._sweeper = None
        oldest_s = self._ticks() - self._keepalive_s
        while self._idle and self._idle[0].idle_since_s <= oldest_s:
            self._idle.popleft().abort()
        if self._idle:
            self._schedule_sweep()
