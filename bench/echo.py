"""A small WebSocket echo service, a program of its own: `python -m bench.echo PORT`.

Other requests are answered by 200, so that whoever starts it can see that it is up.
"""

import asyncio
import sys
from typing import cast

import uvloop

from bench.frames import accept_of, echo_frames, header

_HEAD_END = b"\r\n\r\n"
_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)


class Echo(asyncio.Protocol):
    """One connection: a handshake, then every message comes back."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not its subclass

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._rest += data
        if not self._is_open and _HEAD_END in self._rest:
            head, _, self._rest = self._rest.partition(_HEAD_END)
            key = header(head, b"sec-websocket-key")
            self._is_open = bool(key)
            self._transport.write(_SWITCH % accept_of(key) if key else _PLAIN)
        if self._is_open and self._rest:
            out, self._rest = echo_frames(self._rest)
            self._transport.write(out)


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
