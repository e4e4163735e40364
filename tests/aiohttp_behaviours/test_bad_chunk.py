"""Behaviour 3: a bad chunk after the handler started never reaches the body stream."""

import asyncio

import pytest
from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway, problem
from tests.support.raw import connect
from tests.support.wire import Service

HEAD = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_aiohttp_leaves_the_handler_waiting() -> None:
    """The error is queued behind the request that waits for its body: neither goes on."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        try:
            await request.read()
        finally:
            ended.set()
        return web.Response()

    async with bare_server(handle, handler_cancellation=True) as bare:
        client = await connect(bare.port)
        await client.send(HEAD + b"2\r\nhi\r\n")
        await started.wait()
        await client.send(b"zz\r\n")
        reading = asyncio.create_task(client.reader.read(1))
        waiting = asyncio.create_task(ended.wait())
        done, _ = await asyncio.wait({reading, waiting}, timeout=0.2)
        assert not done
        await client.close()
        await asyncio.wait({reading, waiting})


async def test_the_gateway_tells_the_body_s_reader(running: RunningGateway) -> None:
    """400 at once, while the service waits for the rest."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(HEAD + b"2\r\nhi\r\n")
    peer = await service.accept()
    await peer.head()
    await client.send(b"zz\r\n")
    assert problem(await client.answer())["code"] == "bad_request"
    assert b"0\r\n\r\n" not in await peer.rest()
    await client.close()


@pytest.mark.parametrize("path", [b"/public/x", b"/login"])
async def test_a_reader_woken_by_a_chunk_s_end_is_told(
    running: RunningGateway, path: bytes
) -> None:
    """aiohttp wakes it without data where a chunk ends, and the error comes in the same turn.

    What is behind the chunk's end is taken for an extension by its grammar, but not by the parser.
    """
    client = await connect(running.port)
    head = HEAD.replace(b"/public/x", path)
    await client.send(head + b"5\r\nhello")
    await running.get("/public/behind")  # by now it is read, and waited on
    await client.send(b'\r\n3;"q"\r\nabc')
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    await client.close()


async def test_the_gateway_s_own_endpoints_are_told_too(running: RunningGateway) -> None:
    """A login whose body breaks is a 400, not a wait."""
    client = await connect(running.port)
    await client.send(HEAD.replace(b"/public/x", b"/login") + b"2\r\n{}\r\n")
    await client.send(b"zz\r\n")
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    await client.close()
