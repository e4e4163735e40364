"""Sentinel: real servers, whose primary is killed or stands still while sessions begin and end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.faults import tell
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.store import RedisStore
from tests.support.endings import Told, until
from tests.support.redis_load import Load, following
from tests.support.redis_sentinels import NAME, Sentinels, running_sentinels
from tests.support.sessions import HandClock, make_session


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """A set of servers of this test alone."""
    yield from running_sentinels(tmp_path)


@pytest.fixture
async def store(sentinels: Sentinels, clock: HandClock) -> AsyncIterator[RedisStore]:
    """A store reached through the sentinels."""
    store = RedisStore(open_link(sentinels.url), clock)
    yield store
    await store.close()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_failover(sentinels: Sentinels, store: RedisStore, how: str) -> None:
    """A primary is lost: nothing that was acknowledged goes with it, and the next one serves.

    One that only stood still takes nothing when it wakes, though it holds itself for the primary.
    """
    load = Load(store)
    told = Told()
    async with following(store, told), load.running():
        await load.made_progress(100)
        if how == "killed":
            sentinels.primary.stop()
        else:
            sentinels.primary.freeze()
        await asyncio.to_thread(sentinels.wait_for_failover)
        if how == "frozen":
            sentinels.primary.thaw()
        await load.made_progress(200)
        heard = len(told.ages_s)
        await until(lambda: len(told.ages_s) > heard + 2)
    await load.check()
    assert load.refused, "somebody met the loss"
    session = make_session(100_000)
    async with following(store, told):
        heard = len(told.ages_s)
        await until(lambda: len(told.ages_s) > heard)
        await store.create(session, None, 10)
        await store.end(session.key, "logout")
        await until(lambda: session.key in told.keys)


async def test_a_deposed_primary_is_not_followed(sentinels: Sentinels, store: RedisStore) -> None:
    """A failover that an operator asks for ends the stretch, though the old server lives."""
    told = Told()
    stretch = asyncio.create_task(store.follow(told))
    await until(lambda: told.ages_s)
    # The replica with the longest way to go may refuse once; sentinels try again.
    sentinels.sentinels[0].command("SENTINEL", "FAILOVER", NAME)
    with pytest.raises(GatewayError) as caught:
        async with asyncio.timeout(15):
            await stretch
    assert caught.value.code == "store_unavailable"
    await asyncio.to_thread(sentinels.wait_for_failover)
    await until_works(store)


async def until_works(store: RedisStore) -> None:
    async with asyncio.timeout(10):
        for number in count(1000):  # a new one each time: what was unmet has been ended
            try:
                await store.create(make_session(number), None, 10)
            except GatewayError:
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_lonely_primary_asks_the_sentinels(sentinels: Sentinels, store: RedisStore) -> None:
    """Without replicas a login stands if most sentinels still name that server, and only then."""
    for replica in sentinels.replicas:
        replica.stop()
    await until_works(store)
    await store.create(make_session(2), None, 100)
    for sentinel in sentinels.processes[:2]:
        sentinel.kill()
        sentinel.wait()
    with pytest.raises(GatewayError) as caught:
        await store.create(make_session(3), None, 10)
    assert caught.value.code == "store_unavailable"
    assert await store.get(make_session(2).key) == make_session(2)


async def test_silent_sentinels(sentinels: Sentinels, store: RedisStore) -> None:
    """While no sentinel answers, the primary they last named goes on, and is followed."""
    await store.create(make_session(1), None, 10)
    for sentinel in sentinels.processes:
        sentinel.kill()
        sentinel.wait()
    told = Told()
    stretch = asyncio.create_task(store.follow(told))
    await until(lambda: len(told.ages_s) > 10)
    assert not stretch.done()
    await store.create(make_session(2), None, 10)
    stretch.cancel()
    await asyncio.wait([stretch])


async def test_an_unknown_name(sentinels: Sentinels, clock: HandClock) -> None:
    """A name that the sentinels do not know is told to operators as such, without waiting."""
    store = RedisStore(open_link(sentinels.url.replace(NAME, "other-name")), clock)
    begun_at = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await store.ping()
    assert "the sentinels know no master of this name" in tell(caught.value)
    assert time.monotonic() - begun_at < 2
    await store.close()
