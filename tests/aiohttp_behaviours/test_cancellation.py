"""Behaviour 4: handlers outlive their client unless told otherwise; a FIN closes the transport."""

import asyncio

import pytest
from aiohttp import web

from tests.support.bare import bare_server
from tests.support.gateway import RunningGateway
from tests.support.raw import connect
from tests.support.wire import Service

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"


@pytest.mark.parametrize("handler_cancellation", [False, True])
@pytest.mark.parametrize("end", ["close", "half-close"])
async def test_aiohttp_cancels_only_when_told(handler_cancellation: bool, end: str) -> None:
    """Whether the client closes or half-closes, it is gone; the handler may not know."""
    started, cancelled, release = asyncio.Event(), asyncio.Event(), asyncio.Event()
    transports: list[asyncio.Transport] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        transports.append(request.transport)
        started.set()
        try:
            await release.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return web.Response()

    async with bare_server(handle, handler_cancellation=handler_cancellation) as bare:
        client = await connect(bare.port)
        await client.send(GET)
        await started.wait()
        client.writer.close() if end == "close" else client.writer.write_eof()
        assert await client.is_closed()
        waiting = asyncio.create_task(cancelled.wait())
        await asyncio.wait({waiting}, timeout=0.1)
        assert cancelled.is_set() == handler_cancellation
        assert transports[0].is_closing()
        release.set()
        waiting.cancel()
        await asyncio.wait({waiting})
        await client.close()


async def test_the_gateway_ends_the_request_upstream(running: RunningGateway) -> None:
    """The service sees its connection end as soon as the client's has."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    client.writer.write_eof()
    assert await peer.rest() == b""
    await client.close()
