"""The pool: how many connections there are, and how a server that was away is tried again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from gateway.sessions.redis.connection import connector_of, trip
from gateway.sessions.redis.pool import CONNECTIONS, AwayError, Pool
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import until
from tests.support.redis_server import RedisServer


class Made:
    """Counts the connections that are made to a server."""

    def __init__(self, server: RedisServer) -> None:
        connect = connector_of(parse_redis_url(server.url))
        self.count = 0
        self._make: Callable[[], AbstractConnection] = partial(connect, "127.0.0.1", server.port)

    def __call__(self) -> AbstractConnection:
        self.count += 1
        return self._make()


@pytest.fixture
def made(own_redis: RedisServer) -> Made:
    """What makes connections to the server."""
    return Made(own_redis)


@pytest.fixture
async def pool(made: Made) -> AsyncIterator[Pool]:
    """A pool of them."""
    pool = Pool(made)
    yield pool
    await pool.close()


async def ping(connection: AbstractConnection) -> object:
    return (await trip(connection, [("PING",)]))[0]


async def test_a_connection_is_used_again(pool: Pool, made: Made) -> None:
    """One after the other share one connection."""
    for _ in range(5):
        assert await pool.run(ping) == b"PONG"
    assert made.count == 1


async def test_there_are_so_many(pool: Pool, made: Made, own_redis: RedisServer) -> None:
    """However many talk at once, there are no more connections; the others wait."""
    own_redis.command("CLIENT", "PAUSE", "300", "ALL")
    answers = await asyncio.gather(*(pool.run(ping) for _ in range(CONNECTIONS * 4)))
    assert answers == [b"PONG"] * CONNECTIONS * 4
    assert made.count == CONNECTIONS


async def test_a_dead_connection_costs_nothing(
    pool: Pool, made: Made, own_redis: RedisServer
) -> None:
    """Connections that died while nobody used them are made anew, unseen."""
    await asyncio.gather(*(pool.run(ping) for _ in range(5)))
    own_redis.command("CLIENT", "KILL", "TYPE", "normal")
    assert await pool.run(ping) == b"PONG"


async def test_one_tries_for_all(pool: Pool, made: Made, own_redis: RedisServer) -> None:
    """While a server is away one connection at a time is tried, and its return is no stampede."""
    own_redis.stop()
    with pytest.raises(RedisConnectionError):
        await pool.run(ping)
    made.count = 0
    outcomes = await asyncio.gather(*(pool.run(ping) for _ in range(40)), return_exceptions=True)
    assert {type(one) for one in outcomes} == {AwayError}
    assert made.count == 1
    own_redis.start()
    assert await asyncio.gather(*(pool.run(ping) for _ in range(40))) == [b"PONG"] * 40
    await pool.run(ping)


async def test_a_call_cut_off_closes_its_connection(
    pool: Pool, made: Made, own_redis: RedisServer
) -> None:
    """The reply to a call that was given up is not taken for the next one's."""
    await pool.run(ping)
    own_redis.freeze()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await pool.run(ping)
    own_redis.thaw()
    assert await pool.run(ping) == b"PONG"
    assert made.count == 2


async def test_a_hanging_server_loses_all(pool: Pool, made: Made, own_redis: RedisServer) -> None:
    """After a long silence no idle connection is trusted."""
    own_redis.command("CLIENT", "PAUSE", "100", "ALL")
    await asyncio.gather(*(pool.run(ping) for _ in range(5)))
    assert made.count == 5
    own_redis.freeze()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await pool.run(ping)
    own_redis.thaw()
    made.count = 0
    await pool.run(ping)
    assert made.count == 1


async def test_what_is_refused_by_the_greeting(made: Made) -> None:
    """A new connection is greeted first, and one that is refused is not used."""

    async def refuse(_connection: AbstractConnection) -> None:
        raise ReadOnlyError("a replica")

    pool = Pool(made, refuse)
    with pytest.raises(ReadOnlyError):
        await pool.run(ping)
    with pytest.raises(AwayError) as caught:
        await pool.run(ping)
    assert isinstance(caught.value.__cause__, ReadOnlyError)
    await pool.close()


async def test_closed_while_in_use(pool: Pool, own_redis: RedisServer) -> None:
    """What is in use is closed when it comes back."""
    await pool.run(ping)
    own_redis.command("CLIENT", "PAUSE", "200", "ALL")
    talk = asyncio.create_task(pool.run(ping))
    await asyncio.sleep(0.1)  # the server holds the reply back for longer
    await pool.close()
    assert await talk == b"PONG"
    await until(lambda: own_redis.ask("CLIENT", "LIST", "TYPE", "normal").count("id=") == 1)


async def test_a_pause_ends_with_the_pool(pool: Pool, own_redis: RedisServer) -> None:
    """Closing does not wait for a server that is away."""
    own_redis.stop()
    with pytest.raises(RedisError):
        await pool.run(ping)
    waits = asyncio.create_task(pool.run(ping))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(AwayError):
        await waits
