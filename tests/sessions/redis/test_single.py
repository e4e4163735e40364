"""The link to one server: its signs of life and its marker. What all links do: test_redis_link."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.sessions.redis.marker import TAGS, LostDataError, marker_name
from gateway.sessions.redis.records import RubbishError
from gateway.sessions.redis.single import DeposedError, SingleLink
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import Told, until
from tests.support.redis_server import RedisServer, find_redis_server, free_port


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


class MovingName:
    """An address that leads to `port`; what was connected before stays connected."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._pumps: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.port)
        for pair in ((reader, ours), (theirs, writer)):
            self._pumps.add(asyncio.create_task(_pump(*pair)))

    async def close(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while text := await source.read(65536):
            target.write(text)
            await target.drain()
    finally:
        target.close()


@pytest.fixture
async def name(own_redis: RedisServer) -> AsyncIterator[tuple[MovingName, SingleLink]]:
    """A name that leads to the server, and a link to that name."""
    moving = MovingName(own_redis.port)
    server = await asyncio.start_server(moving.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = SingleLink(parse_redis_url(f"redis://127.0.0.1:{port}"))
    yield moving, link
    await link.close()
    await moving.close()
    server.close()


@pytest.fixture
def successor(tmp_path: Path) -> Iterator[RedisServer]:
    """The server that takes over."""
    server = RedisServer(find_redis_server() or "", tmp_path / "successor")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_name_that_leads_elsewhere(
    name: tuple[MovingName, SingleLink],
    own_redis: RedisServer,
    successor: RedisServer,
    confirm: bool,
) -> None:
    """A write that the deposed server refuses is made where the name leads now."""
    moving, link = name
    command = ("SET", "gw:{A}:name", "x")
    await asyncio.gather(*(link.send("gw:{A}:name", command, confirm=confirm) for _ in range(5)))
    moving.port = successor.port
    own_redis.command("REPLICAOF", "127.0.0.1", str(successor.port))
    assert await link.send("gw:{A}:name", command, confirm=confirm) == [b"OK"]
    assert successor.command("GET", "gw:{A}:name") == b"$1\r\nx\r\n"


async def test_a_deposed_server_is_not_followed(
    name: tuple[MovingName, SingleLink], own_redis: RedisServer, successor: RedisServer
) -> None:
    """Though its connections live on: the next stretch is with its successor."""
    moving, link = name
    told = Told()
    stretch = asyncio.create_task(link.follow(told))
    await until(lambda: told.ages_s)
    await until(lambda: "cmdstat_role" in own_redis.ask("INFO", "commandstats"))
    marker = marker_name(TAGS[0])  # the successor has all data, so only its role is another
    successor.command("SET", marker, own_redis.ask("GET", marker).strip())
    moving.port = successor.port
    # Of a server that nobody reaches: it keeps its data, and its marker.
    own_redis.command("REPLICAOF", "127.0.0.1", str(free_port()))
    with pytest.raises(DeposedError):
        await asyncio.wait_for(stretch, 5)
    told = Told()
    stretch = asyncio.create_task(link.follow(told))
    await until(lambda: told.ages_s)
    assert b"gw:news" in successor.command("PUBSUB", "CHANNELS")
    stretch.cancel()
    await asyncio.wait([stretch])
