"""The link to one server: its signs of life and its marker. What all links do: test_redis_link."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.sessions.redis.marker import LostDataError
from gateway.sessions.redis.records import RubbishError
from gateway.sessions.redis.single import SingleLink
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import Told, until
from tests.support.redis_server import RedisServer


@pytest.fixture
async def link(own_redis: RedisServer) -> AsyncIterator[SingleLink]:
    """A link to a server."""
    link = SingleLink(parse_redis_url(own_redis.url))
    yield link
    await link.close()


async def test_the_marker_stays(link: SingleLink, own_redis: RedisServer) -> None:
    """It is made by the first stretch, without a time to live, and found by the next."""
    values = []
    for _ in range(2):
        told = Told()
        stretch = asyncio.create_task(link.follow(told))
        await until(lambda: told.ages_s)  # noqa: B023 - waited for in the same turn
        values.append(own_redis.command("GET", "gw:{A}:marker"))
        stretch.cancel()
        await asyncio.wait([stretch])
    assert values[0] == values[1] != b"$-1\r\n"
    assert own_redis.command("TTL", "gw:{A}:marker") == b":-1\r\n"


async def test_another_marker(link: SingleLink, own_redis: RedisServer) -> None:
    """A server that has another one's data is noticed as one without."""
    told = Told()
    stretch = asyncio.create_task(link.follow(told))
    await until(lambda: told.ages_s)
    own_redis.command("SET", "gw:{A}:marker", "another")
    with pytest.raises(LostDataError):
        await stretch


async def test_an_odd_sign_of_life() -> None:
    """What answers PING with something else is no Redis."""

    handlers: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        while request := await reader.read(65536):
            writer.write(b"+OK\r\n" * (request.count(b"SETINFO") or 1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = SingleLink(parse_redis_url(f"redis://127.0.0.1:{port}"))
    with pytest.raises(RubbishError):
        await link.ping()
    await link.close()
    server.close()
    await asyncio.wait([task for task in handlers if task is not None])
