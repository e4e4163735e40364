"""The byte tunnel behind a WebSocket handshake (RFC 6455 4): both ways, with back-pressure.

It follows no frames and knows no session.
"""

import asyncio
import base64
import hashlib
from typing import cast

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketReader

from gateway.admission import Admitted
from gateway.answers import drain, write
from gateway.errors import GatewayError
from gateway.headers import Field, connection_tokens, values
from gateway.proxy.connection import AnswerHead, UpstreamConnection
from gateway.proxy.inbox import Inbox

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def check_handshake(request: Admitted, answer: AnswerHead) -> None:
    """Check the upstream's 101 against what was asked (RFC 6455 4.1).

    Raises: GatewayError upstream_error, when nothing, or something else, was asked.
    """
    if not request.is_websocket or not _accepts(request.fields, answer.fields):
        raise GatewayError("upstream_error", "the service switched to what was not asked")


def _accepts(asked: tuple[Field, ...], given: list[Field]) -> bool:
    keys = values(asked, b"sec-websocket-key")
    accepts = values(given, b"sec-websocket-accept")
    upgrades = [value.lower() for value in values(given, b"upgrade")]
    if len(keys) != 1 or len(accepts) != 1 or upgrades != [b"websocket"]:
        return False
    if b"upgrade" not in connection_tokens(given):
        return False
    digest = hashlib.sha1(keys[0] + _GUID).digest()  # noqa: S324 - RFC 6455 says SHA-1
    chosen = values(given, b"sec-websocket-protocol")
    offered = {
        name.strip()
        for value in values(asked, b"sec-websocket-protocol")
        for name in value.split(b",")
    }
    is_protocol_good = not chosen or (len(chosen) == 1 and chosen[0] in offered)
    return accepts[0] == base64.b64encode(digest) and is_protocol_good


class _FromClient:
    """Takes the raw bytes aiohttp hands over after an upgrade (its parser's interface)."""

    def __init__(self, protocol: BaseProtocol) -> None:
        # Through the protocol: aiohttp itself stops and resumes reading around an upgrade.
        self._inbox = Inbox(protocol.pause_reading, protocol.resume_reading)
        self._has_ended = False
        self._news = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._inbox.put(data)
        self._news.set()
        return False, b""

    def feed_eof(self) -> None:
        self._has_ended = True
        self._news.set()

    async def read(self) -> bytes:
        """Wait for bytes; empty at the end."""
        await self._news.wait()
        if not self._has_ended:
            self._news.clear()
        return self._inbox.take()


async def tunnel(request: web.BaseRequest, connection: UpstreamConnection, idle_s: float) -> int:
    """Pass bytes both ways until one side ends or both are silent; return bytes to the client.

    `idle_s` is the longest silence of both directions together.
    """
    source = _FromClient(request.protocol)
    # aiohttp types its parser by name; feed_data and feed_eof are all it calls.
    request.protocol.set_parser(cast("WebSocketReader", source))
    pace = _Pace(idle_s)
    ways = {
        asyncio.create_task(_up(source, connection, pace, idle_s)),
        asyncio.create_task(_down(request, connection, pace, idle_s)),
        asyncio.create_task(pace.watch()),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        for way in ways:
            if not way.cancelled():
                way.exception()
    return pace.down_bytes


class _Pace:
    """When something last passed, and how much went to the client."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self.down_bytes = 0

    def mark(self) -> None:
        self._last_s = self._loop.time()

    async def watch(self) -> None:
        """Return when nothing has passed for `idle_s`."""
        left_s = self._idle_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self._last_s + self._idle_s - self._loop.time()


async def _up(
    source: _FromClient, connection: UpstreamConnection, pace: _Pace, idle_s: float
) -> None:
    while data := await source.read():
        pace.mark()
        connection.write(data)
        await connection.drain(idle_s)


async def _down(
    request: web.BaseRequest, connection: UpstreamConnection, pace: _Pace, idle_s: float
) -> None:
    while True:
        await connection.wait()
        data = connection.take_or_fail()
        if data is None:
            return
        pace.mark()
        pace.down_bytes += len(data)
        write(request, data)
        await drain(request, idle_s)
