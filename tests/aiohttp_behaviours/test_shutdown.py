"""Behaviour 2: aiohttp's own shutdown discards input at once, so uploads stall."""

import asyncio

from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import OK, connect
from tests.support.wire import Service, read_rest

HEAD = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 10\r\n\r\n"


async def test_aiohttp_drops_the_rest_of_an_upload() -> None:
    """Bytes that come after shutdown began never reach the handler that waits for them."""
    started = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        return web.Response(body=await request.read())

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(HEAD + b"hello")
        await started.wait()
        shutting = asyncio.create_task(bare.server.shutdown(0.1))
        await asyncio.sleep(0)
        await client.send(b"world")
        assert (await read_rest(client))[0] == b""
        await shutting
        await client.close()


async def test_aiohttp_takes_no_time_for_all_the_time() -> None:
    """A time-out of 0 means none: a handler that never ends would hold up the process."""
    started, release = asyncio.Event(), asyncio.Event()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await release.wait()
        return web.Response()

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
        await started.wait()
        shutting = asyncio.create_task(bare.server.shutdown(0))
        done, _ = await asyncio.wait({shutting}, timeout=0.1)
        assert not done
        release.set()
        await shutting
        await client.close()


async def test_the_gateway_finishes_an_upload(running: RunningGateway) -> None:
    """It drains first; tests/test_listener.py has the rest."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(HEAD + b"hello")
    peer = await service.accept()
    await peer.head()
    closing = asyncio.create_task(running.gateway.listener.close())
    await asyncio.sleep(0)
    await client.send(b"world")
    assert await peer.exactly(10) == b"helloworld"
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await closing
    await client.close()
