"""Behaviour 7: `set_parser` hands the raw bytes over after an upgrade."""

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from tests.support.bare import bare_server
from tests.support.raw import connect

HANDSHAKE = (
    b"GET /public/ws HTTP/1.1\r\nHost: gw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
)


class Recorder:
    """What aiohttp calls a parser: it takes bytes and the end."""

    def __init__(self) -> None:
        self.received = b""
        self.ended = asyncio.Event()
        self.news = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.received += data
        self.news.set()
        return False, b""

    def feed_eof(self) -> None:
        self.ended.set()


async def test_aiohttp_hands_over_what_it_kept_and_what_comes() -> None:
    """Bytes behind the handshake first, then each read, then the end. The tunnel stands on it."""
    recorder, started, release = Recorder(), asyncio.Event(), asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await release.wait()
        request.protocol.set_parser(cast("WebSocketReader", recorder))
        await recorder.ended.wait()
        return web.Response()

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(HANDSHAKE + b"early")
        await started.wait()
        assert recorder.received == b""
        release.set()
        await recorder.news.wait()
        assert recorder.received == b"early"
        recorder.news.clear()
        await client.send(b"GET / HTTP/1.1\r\n\r\n\x00\xff")
        await recorder.news.wait()
        assert recorder.received == b"earlyGET / HTTP/1.1\r\n\r\n\x00\xff"
        client.writer.write_eof()
        await recorder.ended.wait()
        await client.close()
