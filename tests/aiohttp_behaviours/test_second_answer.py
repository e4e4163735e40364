"""Behaviour 1: after raw bytes, a failure makes aiohttp append a second answer."""

from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import connect
from tests.support.wire import Service, read_answer_head, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
PART = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


async def test_aiohttp_appends_a_second_answer() -> None:
    """It counts only what went through its own writer."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(PART)
        raise ValueError

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET)
        received, _ = await read_rest(client)
        assert received.count(b"HTTP/1.1 ") == 2
        assert b"500" in received.removeprefix(PART)
        await client.close()


async def test_aiohttp_appends_nothing_to_what_is_counted() -> None:
    """`output_size` is what it looks at."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.writer.output_size += len(PART)
        request.transport.write(PART)
        raise ValueError

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET)
        assert (await read_rest(client))[0] == PART
        await client.close()


async def test_the_gateway_appends_nothing(running: RunningGateway) -> None:
    """A service that breaks off within its answer: a reset, no second status line."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(PART)
    await read_answer_head(client)
    peer.abort()
    received, is_reset = await read_rest(client)
    assert is_reset
    assert b"HTTP/" not in received
    await client.close()


async def test_a_service_has_one_answer_too(running: RunningGateway) -> None:
    """Two answers in one packet to one request: the client reads the first only."""
    running.upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na" * 2
    client = await connect(running.port)
    for _ in range(2):
        await client.send(GET)
        assert (await client.answer()).body == b"a"
    assert running.upstream.connections == 2
    await client.close()
