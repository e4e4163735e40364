"""Serves the public listener's sockets, and closes so that nothing under way is lost.

aiohttp's own shutdown discards input at once, so uploads and tunnels would stall; we drain first:
stop accepting, end idle connections, say `Connection: close`, await the rest (design 9, point 2).
What has been queued by then is taken too: the queue of a socket that nobody keeps ends with it.
"""

import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from gateway.entry import Entry
from gateway.proxy.live import LiveSessions
from gateway.server import GatewayServer
from gateway.sockets import BACKLOG


class Listener:
    """The public listener of one process."""

    def __init__(
        self, server: GatewayServer, entry: Entry, live: LiveSessions, shutdown_s: float
    ) -> None:
        self._server = server
        self._entry = entry
        self._live = live
        self._shutdown_s = shutdown_s
        self.port = 0
        """The real port, also where 0 was asked for; 0 for a unix socket."""
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Server] = []

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Serve what comes in on these listening sockets; their owner keeps them.

        Raises: OSError.
        """
        for each in sockets:
            self._sockets.append(each.dup())
            self._accepting.append(await self._accept(each.dup()))
            self._sockets[-1].setblocking(False)
            if each.family != socket.AF_UNIX:
                self.port = self.port or int(each.getsockname()[1])

    async def _accept(self, listening: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if listening.family != socket.AF_UNIX:
            return await loop.create_server(self._server, sock=listening, backlog=BACKLOG)
        # From 3.13 on a loop would delete the file, which is the other workers' too.
        keeps_file: dict[str, Any] = (
            {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
        )
        return await loop.create_unix_server(
            self._server, sock=listening, backlog=BACKLOG, **keeps_file
        )

    async def close(self, within_s: float | None = None) -> None:
        """Stop accepting, let requests under way finish for `shutdown_s`, then end the rest.

        `within_s` gives them another time instead.
        """
        for server in self._accepting:
            server.close()
        self._entry.is_draining = True
        self._server.hand_over()
        self._live.drain()
        while self._sockets:
            with closing(self._sockets.pop()) as listening:
                await self._take_queued(listening)
        await self._server.drain(self._shutdown_s if within_s is None else within_s)

    async def _take_queued(self, listening: socket.socket) -> None:
        """Serve the clients that were connected, but not yet accepted."""
        loop = asyncio.get_running_loop()
        for _ in range(BACKLOG):
            try:
                accepted, _ = listening.accept()
            except OSError:  # the queue is empty, or there are no more files to be had
                return
            accepted.setblocking(False)
            await loop.connect_accepted_socket(self._server, accepted)
