"""Behaviour 7: `set_parser` hands the raw bytes over after an upgrade."""

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import connect
from tests.support.wire import Service, read_answer_head, read_exactly

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


async def test_the_gateway_s_tunnel_gets_every_byte(running: RunningGateway) -> None:
    """Those behind the handshake, and those that look like a request; the rest: test_tunnel.py."""
    service, client = Service(running.upstream), await connect(running.port)
    fields = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    await client.send(HANDSHAKE[:-2] + fields + b"early")
    peer = await service.accept()
    await peer.head()
    await peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert (await read_answer_head(client)).status == 101
    await client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await peer.exactly(23) == b"earlyGET / HTTP/1.1\r\n\r\n"
    await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    assert await read_exactly(client, 19) == b"HTTP/1.1 200 OK\r\n\r\n"
    await client.close()
