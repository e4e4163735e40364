"""A Cluster: real servers, whose slots move and whose primaries die while sessions begin."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.cache import Ages
from gateway.sessions.faults import tell
from gateway.sessions.memory import CachePolicy, SessionMemory
from gateway.sessions.model import Subject
from gateway.sessions.parts import PartlyAwayError
from gateway.sessions.redis.link import RedisLink
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.marker import TAGS, marker_name
from gateway.sessions.redis.records import record_name
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.standing import Standing
from gateway.sessions.store import Wanted, subject_key_of
from gateway.sessions.upkeep import LastUses
from tests.support import redis_cluster
from tests.support.endings import Told, until
from tests.support.redis_cluster import Cluster, running_cluster
from tests.support.redis_load import Load, following
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock, make_session, make_subject


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A Cluster of this test alone."""
    yield from running_cluster(tmp_path)


@pytest.fixture
async def link(cluster: Cluster) -> AsyncIterator[RedisLink]:
    """A link to it."""
    link = open_link(cluster.url)
    yield link
    await link.close()


@pytest.fixture
async def store(cluster: Cluster, clock: HandClock) -> AsyncIterator[RedisStore]:
    """A store in it."""
    store = RedisStore(open_link(cluster.url), clock)
    yield store
    await store.close()


def spread_subjects() -> list[Subject]:
    """A subject for each of the tags by which keys are spread."""
    found: dict[str, Subject] = {}
    for number in count():
        subject = make_subject(f"o-{number}")
        found.setdefault(subject_key_of(subject)[0], subject)
        if len(found) == len(TAGS):
            return list(found.values())
    raise AssertionError


async def test_sessions_lie_everywhere(cluster: Cluster, store: RedisStore) -> None:
    """Every primary keeps some, and all are found, ended and told of."""
    sessions = [make_session(n, one) for n, one in enumerate(spread_subjects())]
    told = Told()
    async with following(store, told):
        await until(lambda: told.ages_s)
        await asyncio.gather(*(store.create(one, b"sealed", 10) for one in sessions))
        assert all(node.command("DBSIZE") != b":0\r\n" for node in cluster.primaries)
        page = await store.find(Wanted(), 1000, None)
        found = list(page.sessions)
        while page.after is not None:
            page = await store.find(Wanted(), 1000, page.after)
            found += page.sessions
        assert {one.key for one in found} == {one.key for one in sessions}
        await asyncio.gather(*(store.end(one.key, "logout") for one in sessions))
        await until(lambda: {one.key for one in sessions} <= set(told.keys))
    await store.ping()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_failover(cluster: Cluster, store: RedisStore, how: str) -> None:
    """A primary is lost: nothing that was acknowledged goes with it, and its replica serves."""
    load, told = Load(store), Told()
    lost = cluster.primaries[0]
    name = next(marker_name(tag) for tag in TAGS if cluster.owner_of(marker_name(tag)) is lost)
    async with following(store, told), load.running():
        await load.made_progress(100)
        if how == "killed":
            lost.stop()
        else:
            lost.freeze()
        await until(lambda: _has_new_owner(cluster, name, lost), 15)
        if how == "frozen":
            lost.thaw()
        await load.made_progress(100)
        heard = len(told.ages_s)
        await until(lambda: len(told.ages_s) > heard + 2)
    await load.check()
    assert load.refused, "somebody met the loss"


def _has_new_owner(cluster: Cluster, name: str, lost: RedisServer) -> bool:
    try:
        return cluster.owner_of(name) is not lost
    except AssertionError:
        return False


async def test_resharding(cluster: Cluster, store: RedisStore) -> None:
    """A slot moves, key by key, while its sessions are used: none is refused, no ending is lost."""
    load, told = Load(store), Told()
    subject = make_subject()
    name = record_name(make_session(0, subject).key)
    kept = [make_session(number, subject) for number in range(8)]
    async with following(store, told), load.running():
        await until(lambda: told.ages_s)
        for one in kept:
            await store.create(one, None, 10)
        source = cluster.owner_of(name)
        target = next(node for node in cluster.primaries if node is not source)
        cluster.begin_move(name, source, target)
        while cluster.move_keys(name, source, target, 1):
            for one in kept:
                assert await store.get(one.key) == one, "a look-up finds it, here or there"
        cluster.end_move(name, source, target)
        await load.made_progress(50)
        for one in kept:
            assert await store.get(one.key) == one
        assert set(await store.end_subject(subject, "revoked")) == {one.key for one in kept}
        await until(lambda: {one.key for one in kept} <= set(told.keys))
    await load.check()


async def test_one_emptied_primary_is_noticed(cluster: Cluster, store: RedisStore) -> None:
    """FLUSHALL on one of the primaries ends the stretch."""
    told = Told()
    stretch = asyncio.create_task(store.follow(told))
    await until(lambda: told.ages_s)
    cluster.primaries[1].command("FLUSHALL")
    with pytest.raises(GatewayError):
        async with asyncio.timeout(1.5):
            await stretch


async def test_one_node_is_enough_to_begin(cluster: Cluster, link: RedisLink) -> None:
    """One living node of those in the settings tells of all."""
    port = cluster.primaries[0].port
    other = open_link(f"redis+cluster://127.0.0.1:1,127.0.0.1:{port}")
    names = [marker_name(tag) for tag in TAGS]
    for name in names:
        await link.send(name, ("SET", name, "x"), confirm=True)
    for name in names:
        assert await other.send(name, ("GET", name), ("EXISTS", name)) == [b"x", 1]
    assert [one.id for one in await other.primaries()] == [one.id for one in await link.primaries()]
    assert len({one.id for one in await other.primaries()}) == 3
    await other.close()


async def test_all_commands_follow_a_slot(cluster: Cluster, link: RedisLink) -> None:
    """Several commands of one trip are answered in order while their slot is on its way."""
    names = [f"gw:{{A}}:{number}" for number in range(6)]
    for name in names:
        await link.send(name, ("SET", name, name))
    source = cluster.owner_of(names[0])
    target = next(node for node in cluster.primaries if node is not source)
    cluster.begin_move(names[0], source, target)
    cluster.move_keys(names[0], source, target, 3)
    commands = [("GET", name) for name in names]
    expected = [name.encode() for name in names]
    assert await link.send(names[0], *commands) == expected
    cluster.move_keys(names[0], source, target, 3)
    cluster.end_move(names[0], source, target)
    assert await link.send(names[0], *commands, confirm=True) == expected


async def test_not_a_cluster(own_redis: RedisServer, clock: HandClock) -> None:
    """A server that is no Cluster is told to operators as such."""
    store = RedisStore(open_link(f"redis+cluster://127.0.0.1:{own_redis.port}"), clock)
    with pytest.raises(GatewayError) as caught:
        await store.ping()
    assert "Redis is no Cluster" in tell(caught.value)
    await store.close()


@pytest.fixture
def slow_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A Cluster that replaces nobody for 15 s, Redis' default."""
    monkeypatch.setattr(redis_cluster, "_NODE_TIMEOUT_MS", 15_000)
    yield from running_cluster(tmp_path)


@pytest.mark.parametrize("how", ["stopped", "hanging"])
async def test_while_one_primary_is_away_the_others_are_asked(
    slow_cluster: Cluster, clock: HandClock, how: str
) -> None:
    """What ends on a living one is refused by a process that remembers it; the rest goes on."""
    store, policy = RedisStore(open_link(slow_cluster.url), clock), CachePolicy()
    uses, ages = LastUses(), Ages(1e6, None, 60.0)
    standing = Standing(clock, clock)
    memory = SessionMemory(store, clock, policy, ages, uses, uses.note, standing)
    memory.start()
    try:
        await until(lambda: memory.is_following)
        sessions = [make_session(n, one) for n, one in enumerate(spread_subjects())]
        await asyncio.gather(*(store.create(one, None, 10) for one in sessions))
        for one in sessions:
            await memory.find(one.key, clock())
        lost = slow_cluster.owner_of(record_name(sessions[0].key))
        is_lost = {one: slow_cluster.owner_of(record_name(one.key)) is lost for one in sessions}
        lost.stop() if how == "stopped" else lost.freeze()
        await until(lambda: not memory.is_following)
        clock.forward(1)  # nothing is believed by what was heard
        await until(lambda: memory._contact._away_parts)
        with pytest.raises(PartlyAwayError) as caught:
            await store.ping()
        assert caught.value.parts == {one.key[0] for one in sessions if is_lost[one]}
        for one in sessions:
            if is_lost[one]:
                assert (await memory.find(one.key, clock())).session == one
            else:
                await store.end(one.key, "logout")
                with pytest.raises(GatewayError, match="has been ended"):
                    await memory.find(one.key, clock())
    finally:
        lost.thaw() if how == "hanging" else None
        await memory.stop()
        await store.close()
