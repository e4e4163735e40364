"""Behaviour 6: bodies are inflated, only heads have a deadline, and bad bytes are repeated."""

import asyncio
import gzip

from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import connect
from tests.support.wire import read_rest

BOMB = gzip.compress(bytes(5_000_000))
HEAD = (
    b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Encoding: gzip\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BOMB)
)


async def count(request: web.BaseRequest) -> web.StreamResponse:
    """Answer with the size of the body as the handler sees it."""
    size = 0
    while data := await request.content.readany():
        size += len(data)
    return web.Response(text=str(size))


async def test_aiohttp_inflates_bodies_unless_told() -> None:
    """The headers still speak of the small one."""
    for auto_decompress, size in ((True, 5_000_000), (False, len(BOMB))):
        async with bare_server(count, auto_decompress=auto_decompress) as bare:
            client = await connect(bare.port)
            await client.send(HEAD + BOMB)
            assert (await client.answer()).body == str(size).encode()
            await client.close()


async def test_the_gateway_passes_bodies_as_they_are(running: RunningGateway) -> None:
    """No byte is inflated on the way, good or bad (T19)."""
    for body in (BOMB, b"\x1f\x8b" + bytes(len(BOMB) - 2)):
        client = await connect(running.port)
        await client.send(HEAD + body)
        assert (await client.answer()).status == 200
        seen = running.upstream.requests[-1]
        assert (seen.body, seen.value("Content-Encoding")) == (body, "gzip")
        await client.close()


async def test_aiohttp_has_one_deadline_for_heads_and_none_for_bodies() -> None:
    """`keepalive_timeout` is all there is; body bytes may take for ever."""
    async with bare_server(count, keepalive_timeout=0.1) as bare:
        head, body = await connect(bare.port), await connect(bare.port)
        await head.send(b"POST / HTTP/1.1\r\nHost:")
        await body.send(b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\nha")
        assert await head.is_closed()
        reading = asyncio.create_task(body.reader.read(1))
        done, _ = await asyncio.wait({reading}, timeout=0.2)
        assert not done
        await body.send(b"lf")
        assert await reading == b"H"
        for client in (head, body):
            await client.close()


async def test_aiohttp_repeats_a_bad_header_and_tells_its_name() -> None:
    """A token with one bad byte stands in the 400's body; the `Server` field tells versions."""
    async with bare_server(count) as bare:
        client = await connect(bare.port)
        await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer s3cret\x00\r\n\r\n")
        received, _ = await read_rest(client)
        assert received.startswith(b"HTTP/1.0 400")
        assert b"s3cret" in received
        assert b"aiohttp/" in received
        await client.close()


async def test_the_gateway_repeats_and_tells_nothing(running: RunningGateway) -> None:
    """tests/test_protocol.py has the table."""
    client = await connect(running.port)
    await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer s3cret\x00\r\n\r\n")
    received, _ = await read_rest(client)
    assert received.startswith(b"HTTP/1.1 400")
    assert b"s3cret" not in received
    assert b"aiohttp" not in received
    await client.close()
