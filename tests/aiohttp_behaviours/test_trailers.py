"""aiohttp 3.14.5 takes a request's last trailer for a field of the next request."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.support.gateway import RunningGateway
from tests.support.raw import connect

POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILED = POST + b"0\r\nX-First: a\r\nX-Last: evil\r\n\r\n"
GET = b"GET /public/next HTTP/1.1\r\nHost: gw\r\n\r\n"


async def test_aiohttp_gives_it_to_the_next_request() -> None:
    """Behind a proxy that shares connections that may be another user's."""
    seen: list[bytes] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        seen.append(b"".join(name for name, _ in request.raw_headers))
        return web.Response(text="ok")

    server, port = web.Server(handle), unused_port()
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    client = await connect(port)
    await client.send(TRAILED + GET)
    assert [(await client.answer()).status for _ in range(2)] == [200, 200]
    await client.close()
    listening.close()
    await server.shutdown(1.0)
    assert seen == [b"HostTransfer-Encoding", b"X-LastHost"]


async def test_the_gateway_gives_it_to_nobody(running: RunningGateway) -> None:
    """Its parser never sees trailers; the connection goes on."""
    client = await connect(running.port)
    for _ in range(2):
        await client.send(TRAILED + GET)
        assert [(await client.answer()).status for _ in range(2)] == [200, 200]
    await client.close()
    assert len(running.upstream.requests) == 4
    assert not any(request.value("X-Last") for request in running.upstream.requests)
