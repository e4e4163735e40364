"""Asking several servers: when there are answers enough, and what silence costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from gateway.sessions.redis.connection import connector_of
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.survey import SilentError, ask
from gateway.settings.redis_url import parse_redis_url
from tests.support.redis_server import RedisServer, find_redis_server

PING = ("PING",)


@pytest.fixture
def servers(tmp_path: Path, own_redis: RedisServer) -> Iterator[list[RedisServer]]:
    """Three servers."""
    binary = find_redis_server() or ""
    made = [own_redis, *(RedisServer(binary, tmp_path / str(number)) for number in range(2))]
    for one in made[1:]:
        one.start()
    yield made
    for one in made[1:]:
        one.stop()


@pytest.fixture
async def nodes(servers: list[RedisServer]) -> AsyncIterator[list[Node]]:
    """The three of them."""
    connect = connector_of(parse_redis_url("redis://127.0.0.1"))
    nodes = [Node(connect, "127.0.0.1", one.port) for one in servers]
    yield nodes
    await asyncio.gather(*(node.close() for node in nodes))


async def test_most_are_enough(servers: list[RedisServer], nodes: list[Node]) -> None:
    """One that hangs holds nobody up, unless everybody is wanted; then for half a second."""
    servers[0].freeze()
    begun_at = time.monotonic()
    answers = await ask(nodes, PING)
    assert time.monotonic() - begun_at < 0.4
    assert [replies for _, replies in answers.given] == [[b"PONG"]] * 2
    assert answers.are_most
    answers = await ask(nodes, PING, everybody=True)
    assert 0.4 < time.monotonic() - begun_at < 1
    assert len(answers.given) == 2
    servers[0].thaw()


async def test_everybody(nodes: list[Node]) -> None:
    """All answers, where all answer."""
    answers = await ask(nodes, PING, everybody=True)
    assert {node for node, _ in answers.given} == set(nodes)


async def test_few(servers: list[RedisServer], nodes: list[Node]) -> None:
    """One of three is an answer, but not most."""
    for one in servers[:2]:
        one.stop()
    answers = await ask(nodes, PING)
    assert [node for node, _ in answers.given] == nodes[2:]
    assert not answers.are_most


async def test_nobody(servers: list[RedisServer], nodes: list[Node]) -> None:
    """Silence is told as such, with a cause where there is one."""
    with pytest.raises(SilentError) as caught:
        await ask(nodes, ("NOSUCH",))
    assert isinstance(caught.value.__cause__, ResponseError)
    for one in servers:
        one.freeze()
    with pytest.raises(SilentError):
        await ask(nodes, PING)
    for one in servers:
        one.thaw()
