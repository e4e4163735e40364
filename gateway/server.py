"""The public listener's server: its connections counted, bounded, and drained at the end.

It decides nothing about requests and reads no byte; `protocol` does.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.flights import FastPath, Refuse
from gateway.limits import ProtocolLimits
from gateway.networks import network_of
from gateway.protocol import GatewayProtocol

FRESH_S = 0.1
"""While draining, how long a connection that is just accepted may take to ask: its request is on
its way, and closing now would lose it."""
SWEEP_S = 0.05
"""While draining, how often connections that have become idle are looked for."""
END_S = 2.0
"""How long handlers may take to notice that their connection was cut."""


class GatewayServer(web.Server):
    """A low-level server whose connections are `GatewayProtocol`s, counted and bounded."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Any],
        refuse: Refuse,
        limits: ProtocolLimits,
        is_exempt: Callable[[str], bool],
        fast_path: FastPath | None = None,
    ) -> None:
        # A handler must not outlive its client (design section 9, point 4).
        super().__init__(handler, handler_cancellation=True)
        self.limits = limits
        self.refuse = refuse
        # Without keep-alive each connection ends with its answer: aiohttp's task sees to that.
        self.fast_path = fast_path if limits.keepalive_s > 0 else None
        self._is_exempt = is_exempt
        self._open = 0
        self._per_ip: Counter[str] = Counter()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __call__(self) -> RequestHandler:
        return GatewayProtocol(self, self, self._loop)

    def admit(self, address: str) -> bool:
        """Count a new connection; False when it is one too many (it is closed unanswered)."""
        self._open += 1
        network = network_of(address)
        self._per_ip[network] += 1
        is_crowd = self._per_ip[network] > self.limits.connections_per_ip
        return self._open <= self.limits.connections and not (
            is_crowd and address and not self._is_exempt(address)
        )

    def leave(self, address: str) -> None:
        """Count a connection that has ended."""
        self._open -= 1
        network = network_of(address)
        self._per_ip[network] -= 1
        if not self._per_ip[network]:
            del self._per_ip[network]

    @property
    def open_connections(self) -> int:
        """Client connections, busy or not."""
        return self._open

    @property
    def busy_connections(self) -> int:
        """Connections with a request under way, or handed over to a tunnel."""
        return sum(not cast("GatewayProtocol", each).is_idle for each in self.connections)

    # -- draining -------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Give every request a task: from now on each answer says that its connection ends."""
        for connection in self.connections:
            cast("GatewayProtocol", connection).hand_over()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Keep track of a connection."""
        super().connection_made(handler, transport)
        self._is_empty.clear()

    def connection_lost(
        self,
        handler: RequestHandler,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> None:
        """Forget a connection, once its request handler has ended too."""
        task = handler._task_handler
        if task is None:
            self._forget(handler)
        else:
            task.add_done_callback(lambda _: self._forget(handler))

    def _forget(self, handler: RequestHandler) -> None:
        self._connections.pop(handler, None)
        if not self._connections:
            self._is_empty.set()

    async def drain(self, timeout_s: float) -> None:
        """Close what is idle, wait for the rest, then cut what is still open after `timeout_s`."""
        fresh_s = self._loop.time() + FRESH_S
        ends_s = self._loop.time() + timeout_s
        while not self._is_empty.is_set() and (left_s := ends_s - self._loop.time()) > 0:
            self._close_idle(spares_fresh=self._loop.time() < fresh_s)
            await self._wait_until_empty(min(SWEEP_S, left_s))
        for transport in list(self._connections.values()):
            transport.abort()
        await self._wait_until_empty(END_S)

    def _close_idle(self, *, spares_fresh: bool) -> None:
        for connection in self.connections:
            if not isinstance(connection, GatewayProtocol) or not connection.is_idle:
                continue
            if not (spares_fresh and connection.is_fresh):
                connection.force_close()

    async def _wait_until_empty(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_empty.wait()
