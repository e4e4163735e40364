"""Starting and stopping an application."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from gateway.simulator.echo import build_echo
from gateway.simulator.server import Running, start

if TYPE_CHECKING:
    import aiohttp


async def test_port_zero_tells_the_real_port(session: aiohttp.ClientSession) -> None:
    """The system chooses, the handle tells, and after the end nobody listens."""
    running = await start(build_echo(), "127.0.0.1", 0)
    assert running.port > 0
    async with session.get(running.url) as answer:
        assert answer.status == 200
    await running.close()
    with pytest.raises(OSError, match=r".+"):
        await asyncio.open_connection("127.0.0.1", running.port)


async def test_a_taken_port_is_an_os_error() -> None:
    """Whoever starts a second one hears of it."""
    running = await start(build_echo(), "127.0.0.1", 0)
    with pytest.raises(OSError, match=r"address already in use"):
        await start(build_echo(), "127.0.0.1", running.port)
    await running.close()


async def test_closing_ends_what_is_under_way(session: aiohttp.ClientSession) -> None:
    """A slow answer does not hold up the end."""
    begun = asyncio.Event()

    async def linger(_request: web.Request) -> web.Response:
        begun.set()
        await asyncio.sleep(3600)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", linger)
    running = await start(app, "127.0.0.1", 0)
    asking = asyncio.create_task(session.get(running.url).__aenter__())
    await begun.wait()
    async with asyncio.timeout(10):
        await running.close()
    assert isinstance(await asyncio.gather(asking, return_exceptions=True), list)


def test_url_brackets_an_ipv6_host() -> None:
    """RFC 3986 3.2.2: an IPv6 address stands in brackets."""
    assert Running("::1", 80, web.AppRunner(web.Application())).url == "http://[::1]:80"
