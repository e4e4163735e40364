"""What Redis does in one step, said twice: each script may be repeated without harm."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.redis.link import Command, RedisLink
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.scripts import CREATE, END, END_SUBJECT, RENEW, Script
from gateway.sessions.redis.single import SingleLink
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.store import Block, Tombstone, Wanted
from gateway.settings.redis_url import parse_redis_url
from tests.support.redis_cluster import Cluster, running_cluster
from tests.support.redis_server import RedisServer
from tests.support.sessions import START_AT, HandClock, make_session, make_successor

MANY = 10
SESSION = make_session(1)
SUBJECT = SESSION.subject
RECORD = "gw:{A}:session:A"
BLOCK = Block("spam", None)


class TwiceLink(SingleLink):
    """A link whose first answers are all lost, so that everything is said twice."""

    async def send(self, name: str, *commands: Command, confirm: bool = False) -> list[object]:
        await super().send(name, *commands, confirm=confirm)
        return await super().send(name, *commands, confirm=confirm)


@pytest.fixture
async def twice(redis_server: RedisServer, clock: HandClock) -> AsyncIterator[RedisStore]:
    """A store that says everything twice."""
    store = RedisStore(TwiceLink(parse_redis_url(redis_server.url)), clock)
    yield store
    await store.close()


@pytest.fixture
async def link(redis_server: RedisServer) -> AsyncIterator[RedisLink]:
    """A link to the emptied Redis."""
    link = open_link(redis_server.url)
    yield link
    await link.close()


# How a script is run


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_script_is_told_where_it_is_not_known(
    link: RedisLink, redis_server: RedisServer, *, confirm: bool
) -> None:
    """A server that was restarted or has just become primary learns a script when it is run."""
    script = Script.of("return {KEYS[1], ARGV[1]}")
    for _ in range(2):
        redis_server.command("SCRIPT", "FLUSH")
        for _ in range(2):
            assert await script.run(link, RECORD, "x", confirm=confirm) == [RECORD.encode(), b"x"]


async def test_a_script_is_known_by_its_name(link: RedisLink, redis_server: RedisServer) -> None:
    """The name is the server's own, so that the text is sent once."""
    script = Script.of("return 1")
    assert await script.run(link, RECORD) == 1
    assert redis_server.command("SCRIPT", "EXISTS", script.sha) == b"*1\r\n:1\r\n"


# What is said twice


async def test_a_login_twice(twice: RedisStore) -> None:
    """One session, one `session_key`; what it pushed out is told, though not returned."""
    await twice.create(SESSION, b"sealed", MANY)
    assert await twice.create(make_session(2, created_at=START_AT + 1), b"new", 1) == ()
    assert await twice.get(SESSION.key) == Tombstone("revoked")
    assert [one.sealed for one in await twice.session_keys(SUBJECT)] == [b"new", b"sealed"]


async def test_a_renewal_twice(twice: RedisStore) -> None:
    """The same sealed id comes back, and one successor."""
    await twice.create(SESSION, None, MANY)
    successor = make_successor(SESSION, 2)
    assert await twice.renew(SESSION.key, successor, b"\x00id", START_AT + 60) == b"\x00id"
    assert await twice.get(successor.key) == successor
    assert set(await _keys_of_all(twice)) == {SESSION.key, successor.key}


async def test_endings_twice(twice: RedisStore) -> None:
    """They end once, with the first reason; the second time there is nothing to return."""
    other = make_session(2)
    for session in (SESSION, other):
        await twice.create(session, None, MANY)
    assert await twice.end(SESSION.key, "logout") == ()
    assert await twice.end_subject(SUBJECT, "revoked") == ()
    assert await twice.get(SESSION.key) == Tombstone("logout")
    assert await twice.get(other.key) == Tombstone("revoked")


async def test_a_block_twice(twice: RedisStore) -> None:
    """A block stands; taken away twice, it is gone, and the second time says so."""
    await twice.create(SESSION, None, MANY)
    assert await twice.block(SUBJECT, BLOCK) == ()
    assert await twice.get(SESSION.key) == Tombstone("blocked")
    assert await twice.block_of(SUBJECT) == BLOCK
    with pytest.raises(GatewayError) as caught:
        await twice.create(make_session(2), None, MANY)
    assert caught.value.code == "user_blocked"
    assert await twice.unblock(SUBJECT) is False
    assert await twice.block_of(SUBJECT) is None


async def test_notes_twice(twice: RedisStore) -> None:
    """A call knows its own note again; only what was taken in vain is lost."""
    name = SESSION.key
    assert await twice.keep_note(name, b"value", START_AT + 10) is None
    assert await twice.keep_note(name, b"value", START_AT + 10) == b"value"
    assert await twice.replace_note(name, b"value", b"new", START_AT + 10) is True
    assert await twice.replace_note(name, b"value", b"new", START_AT + 10) is False
    assert await twice.read_note(name) == b"new"
    assert await twice.take_note(name) is None
    await twice.note_sealing_key("k1", START_AT + 10)
    assert await twice.sealing_keys() == {"k1": START_AT + 10}


async def _keys_of_all(store: RedisStore) -> list[str]:
    page = await store.find(Wanted(), 100, None)
    return [session.key for session in page.sessions]


# Where Redis says no


async def test_what_is_to_be_confirmed_always_writes(
    redis_store: RedisStore, redis_server: RedisServer, link: RedisLink
) -> None:
    """Said again it changes something, for a WAIT behind it to mean something."""
    await redis_store.create(SESSION, None, MANY)
    await redis_store.renew(SESSION.key, make_successor(SESSION, 2), b"id", START_AT + 60)

    async def writes(script: Script, *words: str | int) -> bool:
        before = _changes(redis_server)
        await script.run(link, f"gw:{{{SESSION.key[0]}}}:session:{SESSION.key}", "1.0", *words)
        return _changes(redis_server) > before

    subject = await _field(link, SESSION, "subject")
    fields = ("subject", subject)
    assert await writes(CREATE, SESSION.key, subject, "1.0", 1000, 1, "revoked", "", 3, *fields)
    assert await writes(RENEW, SESSION.key, "2.0", 1000, "id", "x", subject, "1.0", 1000, *fields)
    await redis_store.end(SESSION.key, "logout")
    assert await writes(END, SESSION.key, "logout")
    assert await writes(END_SUBJECT, subject, "logout")


def _changes(server: RedisServer) -> int:
    """How many changes the server has counted."""
    text = server.command("INFO", "persistence").decode()
    (line,) = [line for line in text.splitlines() if line.startswith("rdb_changes_since_last_save")]
    return int(line.partition(":")[2])


async def _field(link: RedisLink, session: Session, field: str) -> str:
    name = f"gw:{{{session.key[0]}}}:session:{session.key}"
    (value,) = await link.send(name, ("HGET", name, field))
    assert isinstance(value, bytes)
    return value.decode("ascii")


async def test_a_successor_that_exists(redis_store: RedisStore) -> None:
    """A key that is taken is never given to somebody else, and nothing has changed."""
    other = make_session(2)
    for session in (SESSION, other):
        await redis_store.create(session, None, MANY)
    with pytest.raises(GatewayError) as caught:
        await redis_store.renew(SESSION.key, make_successor(SESSION, 2), b"id", START_AT + 60)
    assert caught.value.code == "store_unavailable"
    assert await redis_store.get(SESSION.key) == SESSION
    assert await redis_store.get(other.key) == other


async def test_news_that_is_forbidden(own_redis: RedisServer, clock: HandClock) -> None:
    """Where the channel is forbidden, what ends a session fails and changes nothing."""
    own_redis.command("ACL", "SETUSER", "gw", "on", ">pw", "~gw:*", "+@all", "resetchannels")
    store = RedisStore(open_link(own_redis.url.replace("redis://", "redis://gw:pw@")), clock)
    await store.create(SESSION, None, MANY)
    new = make_session(2)
    for call in (
        store.end(SESSION.key, "logout"),
        store.end_subject(SUBJECT, "revoked"),
        store.block(SUBJECT, BLOCK),
        store.renew(SESSION.key, make_successor(SESSION, 3), b"id", START_AT + 60),
        store.create(new, None, 1),
    ):
        with pytest.raises(GatewayError) as caught:
            await call
        assert caught.value.code == "store_unavailable"
    assert await store.get(SESSION.key) == SESSION
    assert await store.get(new.key) is None
    assert await store.block_of(SUBJECT) is None
    own_redis.command("ACL", "SETUSER", "gw", "&gw:news")
    assert await store.end(SESSION.key, "logout") == (SESSION.key,)
    await store.close()


# A slot on its way to another node


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Cluster for this file."""
    yield from running_cluster(tmp_path_factory.mktemp("scripts"))


@pytest.mark.parametrize("moved", [0, 2, 100], ids=["none", "some", "all"])
async def test_a_slot_on_its_way(cluster: Cluster, clock: HandClock, moved: int) -> None:
    """While a part of a subject is elsewhere nothing is done by halves; then all is as it was."""
    for primary in cluster.primaries:
        primary.command("FLUSHALL")
    store = RedisStore(open_link(cluster.url), clock)
    successor = make_successor(SESSION, 2)
    await store.create(SESSION, b"sealed", MANY)
    await store.renew(SESSION.key, successor, b"id", START_AT + 60)
    name = f"gw:{{{SESSION.key[0]}}}:"
    source = cluster.owner_of(name)
    target = next(node for node in cluster.primaries if node is not source)
    cluster.begin_move(name, source, target)
    cluster.move_keys(name, source, target, moved)
    await _refuses_all_but_look_ups(store, successor)
    while cluster.move_keys(name, source, target, 100):
        pass
    cluster.end_move(name, source, target)
    assert await store.get(successor.key) == successor
    assert set(await store.end_subject(SUBJECT, "revoked")) == {SESSION.key, successor.key}
    assert await store.create(make_session(4), None, MANY) == ()
    await store.close()


async def _refuses_all_but_look_ups(store: RedisStore, successor: Session) -> None:
    outcomes = await asyncio.gather(
        store.create(make_session(4), None, 1),
        store.renew(successor.key, make_successor(SESSION, 5), b"id", START_AT + 60),
        store.end(SESSION.key, "logout"),
        store.end_subject(SUBJECT, "revoked"),
        store.block(SUBJECT, BLOCK),
        store.touch({successor.key: START_AT + 1}),
        return_exceptions=True,
    )
    assert [getattr(outcome, "code", outcome) for outcome in outcomes] == ["store_unavailable"] * 6
    assert await store.get(successor.key) == successor
    assert len(await store.session_keys(SUBJECT)) == 1
    await store.keep_note(SESSION.key, b"value", START_AT + 10)
    assert await store.take_note(SESSION.key) == b"value"
