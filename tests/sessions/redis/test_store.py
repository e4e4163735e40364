"""What only Redis does: time to live, hostile values, and a server that goes and comes back."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.redis.link import Command
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.records import blocked_name, keys_name, record_name, sessions_name
from gateway.sessions.redis.single import SingleLink
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.store import Block, Tombstone, UnconfirmedError, Wanted, subject_key_of
from gateway.settings.redis_url import parse_redis_url
from tests.support.endings import until
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sessions import (
    START_AT,
    HandClock,
    make_session,
    make_subject,
    make_successor,
)

MANY = 100
SESSION = make_session(1)
RECORD = record_name(SESSION.key)
SUBJECT_KEY = subject_key_of(SESSION.subject)
OTHER = make_session(2, make_subject("o-bob"))


async def fault(store: RedisStore) -> float:
    """Look a session up, expect the store's fault, and return how long it took, in seconds."""
    begun_at = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await store.get(SESSION.key)
    assert caught.value.code == "store_unavailable"
    assert caught.value.retry_after_s == 1
    return time.monotonic() - begun_at


def number(reply: bytes) -> int:
    assert reply.startswith(b":"), reply
    return int(reply[1:])


async def test_redis_forgets_by_itself(
    redis_store: RedisStore, redis_server: RedisServer, clock: HandClock
) -> None:
    """All keys but the list of apps live a minute longer than the session; ended ones as well."""
    await redis_store.create(SESSION, b"sealed", MANY)
    names = (RECORD, sessions_name(SUBJECT_KEY), keys_name(SUBJECT_KEY))
    for name in names:
        assert 1059_000 <= number(redis_server.command("PTTL", name)) <= 1060_000
    await redis_store.end(SESSION.key, "logout")
    assert 1058_000 <= number(redis_server.command("PTTL", RECORD)) <= 1060_000
    assert redis_server.command("EXISTS", sessions_name(SUBJECT_KEY)) == b":0\r\n"


async def test_a_short_session_shortens_nothing(
    redis_store: RedisStore, redis_server: RedisServer
) -> None:
    """What a subject's sessions share lives as long as the longest of them."""
    await redis_store.create(SESSION, b"sealed", MANY)
    await redis_store.create(make_session(2, lifetime_s=10), b"sealed", MANY)
    for name in (sessions_name(SUBJECT_KEY), keys_name(SUBJECT_KEY)):
        assert number(redis_server.command("PTTL", name)) > 1000_000


async def test_a_renewal_keeps_what_it_needs(
    redis_store: RedisStore, redis_server: RedisServer
) -> None:
    """The old record stays a while; the new one and what the subject shares as long as it lives."""
    await redis_store.create(SESSION, b"sealed", MANY)
    successor = make_successor(SESSION, 2, lifetime_s=5000)
    await redis_store.renew(SESSION.key, successor, b"id", START_AT + 60)
    assert 719_000 <= number(redis_server.command("PTTL", RECORD)) <= 720_000
    for name in (record_name(successor.key), sessions_name(SUBJECT_KEY), keys_name(SUBJECT_KEY)):
        assert 5059_000 <= number(redis_server.command("PTTL", name)) <= 5060_000


async def test_a_block_is_forgotten_after_its_end(
    redis_store: RedisStore, redis_server: RedisServer
) -> None:
    """A block with an end has a time to live; one for good has none, even where it had one."""
    name = blocked_name(SUBJECT_KEY)
    await redis_store.block(SESSION.subject, Block("spam", START_AT + 10))
    assert 69_000 <= number(redis_server.command("PTTL", name)) <= 70_000
    await redis_store.block(SESSION.subject, Block("spam", None))
    assert number(redis_server.command("PTTL", name)) == -1


async def test_endings_sweep_up(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """What has ended leaves the subject's list: a busy subject's stays short."""
    await redis_store.create(SESSION, None, MANY)
    successor = make_successor(SESSION, 2)
    await redis_store.renew(SESSION.key, successor, b"id", START_AT + 60)
    await redis_store.create(make_session(3), None, MANY)
    assert await redis_store.end(SESSION.key, "logout") != ()
    assert redis_server.command("ZCARD", sessions_name(SUBJECT_KEY)) == b":1\r\n"


async def test_forgotten(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """A record that Redis has dropped is unknown, and the next login sweeps up after it."""
    await redis_store.create(SESSION, None, MANY)
    redis_server.command("DEL", RECORD)
    assert await redis_store.get(SESSION.key) is None
    assert await redis_store.find(Wanted(), 10, None) == await redis_store.find(
        Wanted(openid="o-alice"), 10, None
    )
    assert await redis_store.create(make_session(2), None, 1) == ()
    assert redis_server.command("ZCARD", sessions_name(SUBJECT_KEY)) == b":1\r\n"


async def test_ending_without_the_list(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """A session that its subject's list does not name ends all the same."""
    await redis_store.create(SESSION, None, MANY)
    redis_server.command("DEL", sessions_name(SUBJECT_KEY))
    assert await redis_store.end(SESSION.key, "logout") == (SESSION.key,)
    assert await redis_store.get(SESSION.key) == Tombstone("logout")


async def test_create_may_be_repeated(redis_store: RedisStore) -> None:
    """A call whose answer was lost is sent again and changes nothing."""
    await redis_store.create(SESSION, b"sealed", MANY)
    assert await redis_store.create(SESSION, b"sealed", MANY) == ()
    assert await redis_store.get(SESSION.key) == SESSION
    assert len(await redis_store.session_keys(SESSION.subject)) == 1


async def test_purge(redis_store: RedisStore, clock: HandClock) -> None:
    """There is nothing to purge."""
    await redis_store.create(SESSION, None, MANY)
    assert await redis_store.purge(clock() + 1e9) == 0


async def test_names_are_hashes(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """X2: no text from outside becomes a part of a key."""
    subject = make_subject("evil\r\nFLUSHALL {x}", "p*", "a]")
    await redis_store.create(make_session(2, subject), b"sealed", MANY)
    await redis_store.block(subject, Block("evil\r\nFLUSHALL p*", None))
    names = redis_server.command("KEYS", "*")
    assert b":session:" in names
    assert b":blocked" in names
    for text in (b"evil", b"FLUSHALL", b"p*", b"a]"):
        assert text not in names


# Finding


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "1",
        "-",
        "0-",
        "-0",
        "0-x",
        "-1-0",
        "1_0-0",
        "０-0",
        "9" * 21 + "-0",
        "9" * 20 + "-0",
    ],
)
async def test_after_is_checked(redis_store: RedisStore, after: str) -> None:
    """Where to go on is checked before it is sent anywhere."""
    with pytest.raises(GatewayError) as caught:
        await redis_store.find(Wanted(), 10, after or "-")
    assert caught.value.code == "bad_request"


# Rubbish


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("SET", RECORD, "text"), "another type of value"),
        (("HSET", RECORD, "x", "y"), "no field of ours"),
        (("HSET", RECORD, "p", "wechat"), "a part of a session"),
        (("HSET", RECORD, "k", b"\x80\x04K\x01."), "a pickle"),
        (("HSET", RECORD, "ended", b"\xff"), "a reason that is no text"),
    ],
)
async def test_rubbish_record(
    redis_store: RedisStore,
    redis_server: RedisServer,
    command: tuple[str | bytes, ...],
    reason: str,
) -> None:
    """A record that is not ours is the store's fault: neither a crash nor `no such session`."""
    redis_server.command(*command)
    await fault(redis_store)


async def test_rubbish_beside_the_records(
    redis_store: RedisStore, redis_server: RedisServer
) -> None:
    """Rubbish in a subject's keys, or in the list of apps, is the store's fault as well."""
    redis_server.command("LPUSH", keys_name(SUBJECT_KEY), "no colon")
    redis_server.command("SADD", "gw:apps", "[" * 100_000)
    redis_server.command("HSET", blocked_name(SUBJECT_KEY), "reason", "no end")
    redis_server.command("SET", sessions_name(SUBJECT_KEY), "text")
    for call in (
        redis_store.session_keys(SESSION.subject),
        redis_store.find(Wanted(openid="o-alice"), 10, None),
        redis_store.end_subject(SESSION.subject, "revoked"),
        redis_store.create(SESSION, None, MANY),
        redis_store.block_of(SESSION.subject),
    ):
        with pytest.raises(GatewayError) as caught:
            await call
        assert caught.value.code == "store_unavailable"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b":7\r\n", "a number where a map is due"),
        (b"+OK\r\n", "a word"),
        (b"$-1\r\n", "nothing"),
        (b"*1\r\n:1\r\n", "a list of numbers"),
        (b":x\r\n", "a number that is none"),
        (b"*99999999\r\n", "a list that never ends"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis at all"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "still loading"),
        (b"-READONLY You can't write against a read only replica.\r\n", "a replica"),
        (b"-NOAUTH Authentication required.\r\n", "no password given"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "full"),
        (b"", "hangs up"),
    ],
)
async def test_rubbish_server(reply: bytes, reason: str, clock: HandClock) -> None:
    """Whatever a server answers to everything, each call ends as the store's fault in time."""

    handlers: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        while reply and (request := await reader.read(65536)):
            greetings = request.count(b"SETINFO")  # what the library says first is answered well
            writer.write(b"+OK\r\n" * greetings or reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = RedisStore(open_link(f"redis://127.0.0.1:{port}"), clock)
    calls = (
        store.ping,
        lambda: store.get(SESSION.key),
        lambda: store.create(SESSION, None, MANY),
        lambda: store.end(SESSION.key, "logout"),
        lambda: store.end_subject(SESSION.subject, "revoked"),
        lambda: store.session_keys(SESSION.subject),
        lambda: store.find(Wanted(), 10, None),
        lambda: store.find(Wanted(openid="x"), 10, None),
        lambda: store.touch({SESSION.key: 1.0}),
        lambda: store.renew(SESSION.key, make_successor(SESSION, 2), b"id", 1.0),
        lambda: store.block(SESSION.subject, Block("spam", None)),
        lambda: store.block_of(SESSION.subject),
        lambda: store.unblock(SESSION.subject),
        lambda: store.keep_note(SESSION.key, b"value", 1.0),
        lambda: store.replace_note(SESSION.key, b"old", b"new", 1.0),
        lambda: store.take_note(SESSION.key),
        store.sealing_keys,
    )
    begun_at = time.monotonic()
    outcomes = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    assert time.monotonic() - begun_at < 2
    codes = [getattr(outcome, "code", outcome) for outcome in outcomes]
    # nothing, a number or a text may be an honest answer
    assert set(codes) <= {"store_unavailable", None, False, (), b"OK"}, reason
    assert codes[1] == "store_unavailable"
    await store.close()
    server.close()
    await asyncio.wait([task for task in handlers if task is not None])  # no connection stays open


# Failure


async def test_stopped_and_started(own_redis: RedisServer, clock: HandClock) -> None:
    """A stopped Redis is `store_unavailable` within a second; once back, the first call works."""
    store = RedisStore(open_link(own_redis.url), clock)
    await asyncio.gather(*(store.ping() for _ in range(10)))  # several pooled connections
    await store.create(SESSION, None, MANY)
    own_redis.stop()
    assert await fault(store) < 1.5
    own_redis.start()
    assert await store.get(SESSION.key) is None  # it came back empty
    await asyncio.gather(*(store.ping() for _ in range(10)))
    await store.create(SESSION, None, MANY)
    assert await store.get(SESSION.key) == SESSION
    await store.close()


async def test_restarted_between_calls(own_redis: RedisServer, clock: HandClock) -> None:
    """Connections that died unnoticed cost no call, and scripts are loaded again."""
    store = RedisStore(open_link(own_redis.url), clock)
    await asyncio.gather(*(store.ping() for _ in range(10)))
    await store.end(SESSION.key, "logout")
    own_redis.stop()
    own_redis.start()
    outcomes = await asyncio.gather(
        *(store.create(make_session(number), None, MANY) for number in range(10))
    )
    assert outcomes == [()] * 10
    await store.touch({SESSION.key: clock() + 1})
    await store.close()


async def test_hanging(own_redis: RedisServer, clock: HandClock) -> None:
    """A Redis that hangs is given up after a second, and works again when it wakes."""
    store = RedisStore(open_link(own_redis.url), clock)
    await store.create(SESSION, None, MANY)
    own_redis.freeze()
    assert 0.9 < await fault(store) < 1.5
    waits = await asyncio.gather(*(fault(store) for _ in range(100)))  # more than the pool holds
    assert max(waits) < 2
    own_redis.thaw()
    assert await store.get(SESSION.key) == SESSION
    await store.close()


async def test_never_there(own_redis: RedisServer, clock: HandClock) -> None:
    """Opening a store whose Redis is not there yet works; so do calls once it is."""
    own_redis.stop()
    store = RedisStore(open_link(own_redis.url), clock)
    await store.open()
    assert await fault(store) < 1.5
    own_redis.start()
    await store.ping()
    await store.close()


async def test_wrong_password(own_redis: RedisServer, clock: HandClock) -> None:
    """A wrong password is the store's fault, and is not shown."""
    own_redis.command("CONFIG", "SET", "requirepass", "right-password")
    url = own_redis.url.replace("redis://", "redis://:{}@")
    store = RedisStore(open_link(url.format("wrong-password")), clock)
    with pytest.raises(GatewayError) as caught:
        await store.ping()
    assert caught.value.code == "store_unavailable"
    assert "password" not in str(caught.value)
    await store.close()
    store = RedisStore(open_link(url.format("right-password")), clock)
    await store.ping()
    await store.close()


async def test_full(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """A Redis that is full refuses logins and renewals, while endings, blocks, look-ups go on."""
    for session in (SESSION, OTHER):
        await redis_store.create(session, None, MANY)
    redis_server.command("CONFIG", "SET", "maxmemory", "1")
    try:
        for call in (
            redis_store.create(make_session(3), None, MANY),
            redis_store.renew(SESSION.key, make_successor(SESSION, 4), b"id", START_AT + 60),
        ):
            with pytest.raises(GatewayError) as caught:
                await call
            assert caught.value.code == "store_unavailable"
        assert await redis_store.get(SESSION.key) == SESSION
        assert await redis_store.end(SESSION.key, "logout") == (SESSION.key,)
        assert await redis_store.end(SESSION.key, "logout") == ()
        assert await redis_store.block(OTHER.subject, Block("spam", None)) == (OTHER.key,)
        assert await redis_store.end_subject(OTHER.subject, "revoked") == ()
        assert await redis_store.block(make_subject("o-nobody"), Block("spam", None)) == ()
    finally:
        redis_server.command("CONFIG", "SET", "maxmemory", "0")
    assert await redis_store.get(SESSION.key) == Tombstone("logout")


async def test_apps_are_listed_once(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """The list of apps holds each app once, however many log in."""
    for one in range(3):
        await redis_store.create(make_session(one), None, MANY)
    assert redis_server.command("SCARD", "gw:apps") == b":1\r\n"
    assert json.dumps(["wechat", "wx1"]).encode() in redis_server.command("SMEMBERS", "gw:apps")


# Replicas


@pytest.fixture
async def replicated(
    own_redis: RedisServer, replica: RedisServer, clock: HandClock
) -> AsyncIterator[RedisStore]:
    """A store whose server has one replica, two sessions that it has confirmed, and then a
    replica that hangs."""
    store = RedisStore(open_link(own_redis.url), clock)
    try:
        for session in (SESSION, OTHER):
            assert await store.create(session, None, MANY) == ()
        replica.freeze()
        yield store
    finally:
        replica.thaw()
        await store.close()


@pytest.fixture
async def replica(own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A replica of this test's own server, in step with it."""
    own_redis.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with contextmanager(running_redis)(tmp_path) as server:
        try:
            server.command("REPLICAOF", "127.0.0.1", str(own_redis.port))
            await until(lambda: _has_confirmed_a_write(own_redis))
            yield server
        finally:
            server.stop()


def _has_confirmed_a_write(server: RedisServer) -> bool:
    """Whether its replica has said a first word, before which Redis 7 sends it no question."""
    server.command("SET", "x", "y")
    return (
        re.search(rb"state=online,offset=[1-9]", server.command("INFO", "replication")) is not None
    )


async def test_a_login_that_is_not_confirmed(
    replicated: RedisStore, own_redis: RedisServer
) -> None:
    """It is refused as the store's fault, and leaves no session."""
    new = make_session(3)
    with pytest.raises(GatewayError) as caught:
        await replicated.create(new, None, MANY)
    assert caught.value.code == "store_unavailable"
    assert not isinstance(caught.value, UnconfirmedError)
    assert await replicated.get(new.key) == Tombstone("revoked")
    assert own_redis.command("ZCARD", sessions_name(SUBJECT_KEY)) == b":1\r\n"


async def test_a_renewal_that_is_not_confirmed(
    replicated: RedisStore, replica: RedisServer
) -> None:
    """It is refused and stands: asked again, the same successor is given once it is confirmed."""
    successor = make_successor(SESSION, 3)
    for _ in range(2):
        with pytest.raises(GatewayError) as caught:
            await replicated.renew(SESSION.key, successor, b"id", START_AT + 60)
        assert caught.value.code == "store_unavailable"
    replica.thaw()
    another = make_successor(SESSION, 4)
    assert await replicated.renew(SESSION.key, another, b"id 2", START_AT + 60) == b"id"
    assert await replicated.get(successor.key) == successor


async def test_a_renewal_asked_for_until_it_is_confirmed(
    replicated: RedisStore, replica: RedisServer
) -> None:
    """Whoever goes on asking is not logged out meanwhile; once confirmed, the end stays."""
    successor = make_successor(SESSION, 2)
    for until_at in (START_AT + 60, START_AT + 90, SESSION.expires_at + 60):
        with pytest.raises(GatewayError):
            await replicated.renew(SESSION.key, successor, b"id", until_at)
        found = await replicated.get(SESSION.key)
        assert isinstance(found, Session)
        assert found.expires_at == min(until_at, SESSION.expires_at)
    replica.thaw()
    for until_at in (START_AT + 120, START_AT + 150):
        assert await replicated.renew(SESSION.key, successor, b"id", until_at) == b"id"
    assert await replicated.get(SESSION.key) == replace(
        SESSION, expires_at=START_AT + 120, successor=successor.key
    )


async def test_endings_that_are_not_confirmed(replicated: RedisStore, replica: RedisServer) -> None:
    """They stand and say so with their keys, also when said again, until a replica confirms."""
    bob = OTHER.subject
    for call, keys in (
        (replicated.end(SESSION.key, "logout"), (SESSION.key,)),
        (replicated.end(SESSION.key, "logout"), (SESSION.key,)),
        (replicated.block(bob, Block("spam", None)), (OTHER.key,)),
        (replicated.end_subject(bob, "revoked"), ()),
    ):
        with pytest.raises(UnconfirmedError) as caught:
            await call
        assert caught.value.keys == keys
    assert await replicated.get(SESSION.key) == Tombstone("logout")
    assert await replicated.get(OTHER.key) == Tombstone("blocked")
    assert await replicated.block_of(bob) == Block("spam", None)
    replica.thaw()
    assert await replicated.end(SESSION.key, "logout") == ()


async def test_a_blocked_login_needs_no_replica(
    replicated: RedisStore, replica: RedisServer
) -> None:
    """Who is blocked is told so."""
    replica.thaw()
    await replicated.block(SESSION.subject, Block("spam", None))
    with pytest.raises(GatewayError) as caught:
        await replicated.create(make_session(3), None, MANY)
    assert caught.value.code == "user_blocked"


class SlowLink(SingleLink):
    """A link to a server far away, of which one slot hangs."""

    at_once = 0
    most_at_once = 0

    async def send(self, name: str, *commands: Command, confirm: bool = False) -> list[object]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(3 if "{A}" in name else 0.03)
            return await super().send(name, *commands, confirm=confirm)
        finally:
            self.at_once -= 1


async def test_last_uses_far_away(own_redis: RedisServer, clock: HandClock) -> None:
    """All slots are written, though one hangs and one after the other would take too long."""
    link = SlowLink(parse_redis_url(own_redis.url))
    store = RedisStore(link, clock)
    near = RedisStore(SingleLink(parse_redis_url(own_redis.url)), clock)
    sessions = [make_session(n, make_subject(f"o-{n}")) for n in range(300)]
    for one in sessions:  # one by one: hundreds of dials at once take long on a busy machine
        await near.create(one, None, 10)
    with pytest.raises(GatewayError, match="did not answer"):
        await store.touch({one.key: clock() + 5 for one in sessions})
    assert 8 < link.most_at_once <= 16
    for one in sessions:
        found = await near.get(one.key)
        assert isinstance(found, Session)
        assert (found.last_used_at == clock() + 5) is (one.key[0] != "A")
    await store.close()
    await near.close()
