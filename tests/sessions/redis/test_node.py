"""One server: whether a replica has confirmed, as the server says it has any."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from gateway.sessions.redis.connection import connector_of
from gateway.sessions.redis.link import UnmetError
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.pool import AwayError
from gateway.sessions.redis.records import RubbishError
from gateway.settings.redis_url import parse_redis_url
from tests.support.redis_sentinels import wait_for
from tests.support.redis_server import RedisServer, find_redis_server

SET = ("SET", "gw:{A}:name", "x")


def node_of(port: int, *, must_be_primary: bool = False) -> Node:
    connect = connector_of(parse_redis_url(f"redis://127.0.0.1:{port}"))
    return Node(connect, "127.0.0.1", port, must_be_primary=must_be_primary)


@pytest.fixture
def replica(own_redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A replica of `own_redis`."""
    follows = ("--replicaof", "127.0.0.1", str(own_redis.port))
    server = RedisServer(find_redis_server() or "", tmp_path / "replica", *follows)
    own_redis.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    server.start()
    wait_for(lambda: "state=online" in own_redis.ask("INFO", "replication"))
    yield server
    server.stop()


@pytest.fixture
async def node(own_redis: RedisServer) -> AsyncIterator[Node]:
    """The server."""
    node = node_of(own_redis.port)
    yield node
    await node.close()


async def test_without_replicas_nothing_is_waited_for(node: Node) -> None:
    """A server that stands alone cannot be confirmed, and need not be."""
    assert await node.send(SET, confirm=True) == [b"OK"]
    assert node.is_alone


async def test_a_replica_confirms(node: Node, replica: RedisServer) -> None:
    """The write is on the replica when the call returns."""
    assert await node.send(SET, confirm=True) == [b"OK"]
    assert not node.is_alone
    assert replica.command("GET", SET[1]) == b"$1\r\nx\r\n"


async def test_a_replica_that_hangs(node: Node, replica: RedisServer) -> None:
    """Its silence is told, with the replies, in half a second."""
    replica.freeze()
    async with asyncio.timeout(1):
        with pytest.raises(UnmetError) as caught:
            await node.send(SET, confirm=True)
    assert caught.value.replies == [b"OK"]
    replica.thaw()


async def test_a_replica_that_leaves(node: Node, replica: RedisServer) -> None:
    """For a second it is waited for in vain; then the server stands alone."""
    await node.send(SET, confirm=True)
    replica.stop()
    with pytest.raises(UnmetError):
        await node.send(SET, confirm=True)
    await asyncio.sleep(1)  # so long is believed what the server said
    assert await node.send(SET, confirm=True) == [b"OK"]
    assert node.is_alone


async def test_an_error_comes_before_what_is_unmet(node: Node, replica: RedisServer) -> None:
    """A command that was refused is told as such."""
    replica.freeze()
    with pytest.raises(ResponseError):
        await node.send(SET, ("LPUSH", SET[1], "x"), confirm=True)
    replica.thaw()


async def test_no_replica_is_taken_for_a_primary(replica: RedisServer) -> None:
    """Where it must be a primary, a replica is refused before it is asked anything."""
    node = node_of(replica.port, must_be_primary=True)
    with pytest.raises(ReadOnlyError):
        await node.send(("GET", SET[1]))
    with pytest.raises(AwayError):
        await node.send(("GET", SET[1]))
    await node.close()


async def test_a_replica_cannot_confirm(replica: RedisServer) -> None:
    """Asked whether it has replicas it says what it is."""
    node = node_of(replica.port)
    with pytest.raises(ReadOnlyError):
        await node.send(SET, confirm=True)
    await node.close()


@pytest.mark.parametrize(
    ("role", "fault"),
    [
        (b"-ERR unknown command 'ROLE'\r\n", None),
        (b"-NOPERM this user has no permissions to run the 'role' command\r\n", RedisError),
        (b"+master\r\n", RubbishError),
        (b"*1\r\n$8\r\nsentinel\r\n", RubbishError),
    ],
)
async def test_odd_roles(
    role: bytes, fault: type[Exception] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that does not know ROLE is taken for one without replicas, and told of once."""

    handlers: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        while request := await reader.read(65536):
            writer.write(b"+OK\r\n" * request.count(b"SETINFO"))
            writer.write(role * request.count(b"ROLE"))
            writer.write(b"+OK\r\n" * request.count(b"SET\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    node = node_of(server.sockets[0].getsockname()[1])
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        if fault is None:
            assert await node.send(SET, confirm=True) == [b"OK"]
        else:
            with pytest.raises(fault):
                await node.send(SET, confirm=True)
    assert caplog.text.count("does not say by ROLE") == (1 if fault is None else 0)
    await node.close()
    server.close()
    await asyncio.wait([task for task in handlers if task is not None])
