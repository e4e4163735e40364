"""Counts in Redis: shared by all, ended by Redis, and 503 where it is away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.clock import now
from gateway.endpoints.limits import LoginLimits, LoginRates
from gateway.endpoints.redis_counters import RedisCounters
from gateway.errors import GatewayError
from gateway.sessions.redis.links import open_link
from gateway.settings.units import Rate
from tests.support.redis_server import RedisServer, running_redis

WINDOW_S = 60
NAME = "gw:limit:a"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


@pytest.fixture
async def counters(server: RedisServer) -> AsyncIterator[RedisCounters]:
    """Counters in it."""
    link = open_link(server.url)
    yield RedisCounters(link, now)
    await link.close()


async def test_a_window(counters: RedisCounters, server: RedisServer) -> None:
    """It counts, tells its end, and Redis forgets it then."""
    assert await counters.get("a") == 0
    assert [await counters.incr("a", WINDOW_S), await counters.incr("a", WINDOW_S, 2)] == [1, 3]
    assert await counters.get("a") == 3
    assert 50 < await counters.get_expiry("a") - now() <= WINDOW_S
    server.command("PEXPIRE", NAME, "1")
    while await counters.get("a"):
        pass
    assert await counters.incr("a", WINDOW_S) == 1


async def test_others_see_the_same(counters: RedisCounters, server: RedisServer) -> None:
    """Processes and machines share a count; of many at once each gets a number of its own."""
    other = RedisCounters(link := open_link(server.url), now)
    counts = await asyncio.gather(
        *(each.incr("a", WINDOW_S) for each in (counters, other) for _ in range(20))
    )
    assert sorted(counts) == list(range(1, 41))
    await link.close()


async def test_a_window_without_an_end_gets_one(
    counters: RedisCounters, server: RedisServer
) -> None:
    """It would refuse for ever."""
    server.command("SET", NAME, "1000")
    assert await counters.incr("a", WINDOW_S) == 1001
    assert 50 < await counters.get_expiry("a") - now() <= WINDOW_S


async def test_forgetting(counters: RedisCounters) -> None:
    """One window; never all, for others may count in the same Redis."""
    await counters.incr("a", WINDOW_S)
    await counters.clear("a")
    assert await counters.get("a") == 0
    assert (await counters.reset(), await counters.check()) == (None, True)


@pytest.mark.parametrize("how", ["stopped", "frozen", "rubbish"])
async def test_a_redis_that_is_away(counters: RedisCounters, server: RedisServer, how: str) -> None:
    """503, as for the rest of a login; never a count made up."""
    match how:
        case "stopped":
            server.stop()
        case "frozen":
            server.freeze()
        case _:
            server.command("RPUSH", NAME, "no number")
    limits = LoginLimits(counters, now, LoginRates(per_app=Rate(1, 60.0)))
    with pytest.raises(GatewayError) as refused:
        await (limits.count_app("shop") if how != "rubbish" else counters.incr("a", WINDOW_S))
    assert refused.value.code == "store_unavailable"
    if how == "frozen":
        server.thaw()


async def test_limits_over_redis(counters: RedisCounters) -> None:
    """A refusal tells what is left of the window."""
    limits = LoginLimits(counters, now, LoginRates(per_app=Rate(1, 60.0)))
    await limits.count_app("shop")
    with pytest.raises(GatewayError) as refused:
        await limits.count_app("shop")
    assert refused.value.code == "rate_limited"
    assert 50 < (refused.value.retry_after_s or 0) <= 60
    assert counters.base_exceptions is not None
