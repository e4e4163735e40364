"""Opens and closes the admin listener. What it serves is `api`'s; who may connect is the address's.

Its connections are the public listener's, with the same deadlines: aiohttp's own answer to what it
cannot parse repeats the request, token and all, in the answer and in the log.
"""

import asyncio
from pathlib import Path

from aiohttp import web

from gateway.admin.api import AdminApi
from gateway.limits import ProtocolLimits
from gateway.server import GatewayServer

SHUTDOWN_S = 1.0
LIMITS = ProtocolLimits(
    headers_s=10.0, keepalive_s=75.0, connections=1000, connections_per_ip=1000, write_idle_s=30.0
)
"""Probes and operators are few; behind a proxy or in a container they share one address."""


class AdminListener:
    """The admin API on its own address."""

    def __init__(self, api: AdminApi, limits: ProtocolLimits = LIMITS) -> None:
        self._api = api
        self._limits = limits
        self._runner = web.AppRunner(api.build())
        self._server: GatewayServer | None = None
        self._socket: asyncio.Server | None = None

    async def open(self, host: str | None, port: int | None, unix_path: Path | None = None) -> None:
        """Listen on host and port, or on a unix socket. Raises: OSError."""
        await self._runner.setup()
        self._server = server = self._build_server()
        loop = asyncio.get_running_loop()
        if unix_path is not None:
            self._socket = await loop.create_unix_server(server, unix_path)
        else:
            self._socket = await loop.create_server(server, host, port or 0)

    def _build_server(self) -> GatewayServer:
        """Build a server of our connections that serves what the runner's own would."""
        own = self._runner.server
        assert own is not None  # noqa: S101 - the runner is set up
        server = GatewayServer(
            self._api.guard(own.request_handler), self._api.refuse, self._limits, lambda _: False
        )
        server.request_factory = own.request_factory
        # Half a revocation helps nobody: it ends also where the operator has gone away.
        server.handler_cancellation = False
        return server

    @property
    def port(self) -> int:
        """The real port, also where 0 was asked for."""
        assert self._socket is not None  # noqa: S101 - asked only after `open`
        return int(self._socket.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening; calls under way have `SHUTDOWN_S` to end."""
        if self._socket is not None:
            self._socket.close()
        if self._server is not None:
            await self._server.drain(SHUTDOWN_S)
        await self._runner.cleanup()
