"""Pooled connections to one target: bounded, short-lived when idle, checked before re-use."""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection


@dataclass(frozen=True, slots=True)
class TargetAddress:
    """Where a target listens: host and port, or the path of a unix socket; `tls` wraps it.

    `authority` is what `Host` says with `host_header: upstream`.
    """

    host: str = ""
    port: int = 0
    unix_path: str | None = None
    authority: str = "localhost"
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of one pool: connections, and seconds (connecting; staying idle)."""

    connections: int = 512
    connect_s: float = 2.0
    keepalive_s: float = 4.0


class Pool:
    """Connections to one target; `acquire` one, `release` it when its exchange has ended.

    Who holds or opens a connection holds a place; a place given up goes to whoever waits longest.
    """

    def __init__(self, address: TargetAddress, limits: PoolLimits) -> None:
        self.address = address
        self._limits = limits
        self._idle: deque[UpstreamConnection] = deque()
        self._in_use: set[UpstreamConnection] = set()
        self._places = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def in_use(self) -> int:
        """Places taken: connections in use, being opened, or promised to a waiter."""
        return self._places

    @property
    def idle(self) -> int:
        """Connections kept for a next request; some may have been closed by the service."""
        return len(self._idle)

    async def acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """Take an idle connection or open one; `fresh` takes no idle one.

        Raises: GatewayError overloaded (none free within the connect time), upstream_unavailable.
        """
        await self._take_place()
        try:
            connection = (None if fresh else self._take_idle()) or await self._open()
        except BaseException:
            self._leave_place()
            raise
        self._in_use.add(connection)
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Give a connection back; one that is not in step is closed."""
        self._in_use.discard(connection)
        if connection.is_usable:
            connection.finish()
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
            self._schedule_sweep()
        else:
            connection.abort()
        self._leave_place()

    def close(self) -> None:
        """Close everything, in use or not."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in (*self._idle, *self._in_use):
            connection.abort()
        self._idle.clear()

    # -- places ---------------------------------------------------------------------------------

    async def _take_place(self) -> None:
        if self._places < self._limits.connections:
            self._places += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await waiter
        except BaseException as error:
            self._stop_waiting(waiter)
            if isinstance(error, TimeoutError):
                problem = GatewayError("overloaded", "all connections to the service are busy")
                raise problem from None
            raise

    def _stop_waiting(self, waiter: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was promised in this very moment goes on to the next."""
        if waiter.done() and not waiter.cancelled():
            self._leave_place()
        elif waiter in self._waiters:
            self._waiters.remove(waiter)

    def _leave_place(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place is theirs now
                return
        self._places -= 1

    # -- connections ----------------------------------------------------------------------------

    def _take_idle(self) -> UpstreamConnection | None:
        """Take the youngest idle connection that is still good."""
        oldest_s = asyncio.get_running_loop().time() - self._limits.keepalive_s
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and connection.idle_since_s >= oldest_s:
                return connection
            connection.abort()
        return None

    async def _open(self) -> UpstreamConnection:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await self._connect()
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            raise GatewayError(
                "upstream_unavailable", "no connection to the service could be made"
            ) from error

    async def _connect(self) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        address = self.address

        def build() -> UpstreamConnection:
            return UpstreamConnection(loop)

        if address.unix_path is not None:
            _, connection = await loop.create_unix_connection(build, address.unix_path)
        else:
            _, connection = await loop.create_connection(
                build,
                address.host,
                address.port,
                ssl=address.tls,
                server_hostname=(address.server_name or address.host) if address.tls else None,
            )
        return connection

    def _schedule_sweep(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._limits.keepalive_s, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle too long; the service would soon do the same."""
        self._sweeper = None
        oldest_s = asyncio.get_running_loop().time() - self._limits.keepalive_s
        while self._idle and self._idle[0].idle_since_s <= oldest_s:
            self._idle.popleft().abort()
        if self._idle:
            self._schedule_sweep()
