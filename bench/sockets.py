"""A thousand WebSockets, each with one message under way: messages a second.

It must not know what is behind the port.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

from bench.frames import client_frame
from bench.process import cpu_s

SOCKETS = 1000
PAYLOAD = b"m" * 64
SECONDS = 4.0
_AT_ONCE = 50
_HEAD_END = b"\r\n\r\n"
_FRAME = client_frame(PAYLOAD, secrets.token_bytes(4))
_ECHO_BYTES = 2 + len(PAYLOAD)


@dataclass(frozen=True, slots=True)
class SocketsResult:
    """What came back, and the CPU time that `pids` used for it."""

    sockets: int
    messages: int
    duration_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.messages / self.duration_s

    @property
    def cpu_us(self) -> float:
        """CPU time of one message there and back, in microseconds."""
        return self.cpu_s / max(self.messages, 1) * 1e6


class Client(asyncio.Protocol):
    """One socket: shakes hands, then sends the next message when the last has come back."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._left = _ECHO_BYTES
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not its subclass
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.opened.done():
            self._count(len(data))
            return
        self._got += data
        if _HEAD_END in self._got:
            if self._got.startswith(b"HTTP/1.1 101"):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(ValueError(f"no socket: {self._got[:40]!r}"))

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left <= 0:
            self.messages += 1
            self._left += _ECHO_BYTES
            self.send()

    def send(self) -> None:
        """Send one message."""
        assert self._transport is not None
        self._transport.write(_FRAME)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionError("closed before the handshake"))

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


def measure_sockets(port: int, path: str, token: str, pids: Sequence[int]) -> SocketsResult:
    """Open the sockets and echo. Raises: ValueError, OSError where one cannot be opened."""
    return uvloop.run(_measure(port, handshake(path, token), pids))


def handshake(path: str, token: str) -> bytes:
    """Return a client's opening request, which bears a token."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


async def _measure(port: int, request: bytes, pids: Sequence[int]) -> SocketsResult:
    clients: list[Client] = []
    try:
        for _ in range(SOCKETS // _AT_ONCE):
            opened = (_open(port, request) for _ in range(_AT_ONCE))
            clients.extend(await asyncio.gather(*opened))
        for client in clients:
            client.send()
        used, began = cpu_s(pids), time.perf_counter()
        sent = sum(client.messages for client in clients)
        await asyncio.sleep(SECONDS)
        took = time.perf_counter() - began
        messages = sum(client.messages for client in clients) - sent
        return SocketsResult(len(clients), messages, took, cpu_s(pids) - used)
    finally:
        for client in clients:
            client.close()


async def _open(port: int, request: bytes) -> Client:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client(request), "127.0.0.1", port)
    await client.opened
    return client
