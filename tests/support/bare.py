"""aiohttp's low-level server as it comes, to show what it does by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare server and where it listens."""

    server: web.Server
    port: int


@asynccontextmanager
async def bare_server(
    handler: Handler,
    *,
    handler_cancellation: bool = False,
    keepalive_timeout: float = 3630.0,
    lingering_time: float = 10.0,
    auto_decompress: bool = True,
) -> AsyncIterator[Bare]:
    """Serve a handler with aiohttp alone; what is left out is aiohttp's own default."""
    server = web.Server(
        handler,
        handler_cancellation=handler_cancellation,
        keepalive_timeout=keepalive_timeout,
        lingering_time=lingering_time,
        auto_decompress=auto_decompress,
    )
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield Bare(server, listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        for transport in list(server._connections.values()):
            transport.abort()
        await asyncio.sleep(0)
        await server.shutdown(0.1)
