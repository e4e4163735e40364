"""Opens the public listener, and closes it so that nothing under way is lost.

aiohttp's own shutdown discards input at once, so uploads and tunnels would stall; we drain first:
stop accepting, end idle connections, say `Connection: close`, await the rest (design 9, point 2).
There is one listening socket, without SO_REUSEPORT: closing one of several would drop what waits
in its queue (point 8).
"""

import asyncio
import errno
from pathlib import Path

from gateway.entry import Entry
from gateway.protocol import GatewayServer

BACKLOG = 4096
"""Connections the kernel holds for us; it takes the lesser of this and net.core.somaxconn."""


class Listener:
    """The public listener of one process."""

    def __init__(self, server: GatewayServer, entry: Entry, shutdown_s: float) -> None:
        self._server = server
        self._entry = entry
        self._shutdown_s = shutdown_s
        self._socket: asyncio.Server | None = None

    async def open_tcp(self, host: str, port: int) -> None:
        """Listen on a host and port (0: the system chooses). Raises: OSError."""
        self._socket = await asyncio.get_running_loop().create_server(
            self._server, host, port, backlog=BACKLOG, reuse_port=False
        )

    async def open_unix(self, path: Path) -> None:
        """Listen on a unix socket; one left behind by a killed process is replaced.

        Raises: OSError, also when somebody serves there.
        """
        await _refuse_if_served(path)
        self._socket = await asyncio.get_running_loop().create_unix_server(
            self._server, path, backlog=BACKLOG
        )

    @property
    def port(self) -> int:
        """The real port, also where 0 was asked for."""
        assert self._socket is not None  # noqa: S101 - asked only after `open`
        return int(self._socket.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop accepting, let requests under way finish for `shutdown_s`, then end the rest."""
        if self._socket is not None:
            self._socket.close()
        self._entry.is_draining = True
        await self._server.drain(self._shutdown_s)


async def _refuse_if_served(path: Path) -> None:
    """Binding takes a unix socket's path away from whoever serves there; a port would be taken."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return
    writer.close()
    raise OSError(errno.EADDRINUSE, "address already in use", str(path))
