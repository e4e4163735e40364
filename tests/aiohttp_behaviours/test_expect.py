"""Behaviour 5: the low-level server never answers `Expect`, and reads on behind the handler."""

import asyncio

import pytest
from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import connect
from tests.support.wire import read_answer_head

HEAD = b"POST /login HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"


async def test_aiohttp_never_says_100() -> None:
    """A client that waits for it would wait for ever."""
    started = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        return web.Response(body=await request.read())

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(HEAD)
        await started.wait()
        reading = asyncio.create_task(client.reader.readexactly(12))
        done, _ = await asyncio.wait({reading}, timeout=0.1)
        assert not done
        await client.send(b"hi")
        assert await reading == b"HTTP/1.1 200"
        await client.close()


async def test_aiohttp_and_a_pump_left_running_read_the_same_body(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiohttp reads the rest of a body when the handler has returned: two readers, an error."""
    pumps: list[asyncio.Task[bytes]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        pumps.append(asyncio.create_task(request.content.readany()))
        await asyncio.sleep(0)
        return web.Response()

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(HEAD)
        assert (await client.answer()).status == 200
        assert await client.is_closed()
        assert "Unhandled exception" in caplog.text
        assert "another coroutine is already waiting" in caplog.text
        pumps[0].cancel()  # nobody tells it: it would wait for ever
        await asyncio.wait(pumps)
        await client.close()


async def test_an_own_endpoint_says_100_once(running: RunningGateway) -> None:
    """`/login` asks for the body it needs."""
    client = await connect(running.port)
    await client.send(HEAD.replace(b"Host", b"Content-Type: application/json\r\nHost"))
    assert (await read_answer_head(client)).line == "HTTP/1.1 100 Continue"
    await client.send(b"{}")
    answer = await client.answer()
    assert answer.status == 400  # no code in it
    assert answer.value("Connection") is None
    await client.send(b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n")
    assert (await client.answer()).body == b"hello\n"
    await client.close()


async def test_an_answer_of_ours_that_needs_no_body_closes(running: RunningGateway) -> None:
    """No 100, a final answer, and the end: the body may still come, or never (RFC 9110 10.1.1)."""
    client = await connect(running.port)
    await client.send(HEAD.replace(b"/login", b"/hello.txt"))
    answer = await client.answer()
    assert (answer.body, answer.value("Connection")) == (b"hello\n", "close")
    assert await client.is_closed()
    await client.close()
