"""What only Redis does: time to live, hostile values, and a server that goes and comes back."""

import asyncio
import json
import time

import pytest

from gateway.errors import GatewayError
from gateway.sessions import redis as redis_module
from gateway.sessions.redis import RedisStore
from gateway.sessions.redis_records import keys_name, record_name, sessions_name
from gateway.sessions.store import Tombstone, Wanted, subject_key_of
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock, make_session, make_subject

MANY = 100
SESSION = make_session(1)
RECORD = record_name(SESSION.key)
SUBJECT_KEY = subject_key_of(SESSION.subject)


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
    names = redis_server.command("KEYS", "*")
    assert b"gw:session:" in names
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


async def test_find_in_steps(redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that used up its steps is short, and names where to go on."""
    monkeypatch.setattr(redis_module, "_SCAN_KEYS", 10)
    monkeypatch.setattr(redis_module, "_SCAN_STEPS", 1)
    sessions = {make_session(number, make_subject(f"o-{number}")) for number in range(50)}
    await asyncio.gather(*(redis_store.create(session, None, MANY) for session in sessions))
    page = await redis_store.find(Wanted(), 1000, None)
    assert 0 < len(page.sessions) < 50
    found = set(page.sessions)
    while page.after is not None:
        page = await redis_store.find(Wanted(), 1000, page.after)
        found |= set(page.sessions)
    assert found == sessions


# Rubbish


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("SET", RECORD, "text"), "another type of value"),
        (("HSET", RECORD, "x", "y"), "no field of ours"),
        (("HSET", RECORD, "data", "{"), "no JSON"),
        (("HSET", RECORD, "data", "[" * 100_000), "a JSON bomb"),
        (("HSET", RECORD, "data", b"\x80\x04K\x01."), "a pickle"),
        (("HSET", RECORD, "data", "[]"), "another shape"),
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
    redis_server.command("SADD", "gw:apps", "{")
    redis_server.command("SET", sessions_name(SUBJECT_KEY), "text")
    for call in (
        redis_store.session_keys(SESSION.subject),
        redis_store.find(Wanted(openid="o-alice"), 10, None),
        redis_store.end_subject(SESSION.subject, "revoked"),
        redis_store.create(SESSION, None, MANY),
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
    store = RedisStore(f"redis://127.0.0.1:{port}", clock)
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
    )
    begun_at = time.monotonic()
    outcomes = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    assert time.monotonic() - begun_at < 2
    codes = [getattr(outcome, "code", outcome) for outcome in outcomes]
    allowed = {"store_unavailable", None, False, True, ()}  # a number may be an honest answer
    assert set(codes) <= allowed, reason
    assert codes[1] == "store_unavailable"
    await store.close()
    server.close()
    await asyncio.wait([task for task in handlers if task is not None])  # no connection stays open


# Failure


async def test_stopped_and_started(own_redis: RedisServer, clock: HandClock) -> None:
    """A stopped Redis is `store_unavailable` within a second; once back, the first call works."""
    store = RedisStore(own_redis.url, clock)
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
    store = RedisStore(own_redis.url, clock)
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
    store = RedisStore(own_redis.url, clock)
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
    store = RedisStore(own_redis.url, clock)
    await store.open()
    assert await fault(store) < 1.5
    own_redis.start()
    await store.ping()
    await store.close()


async def test_wrong_password(own_redis: RedisServer, clock: HandClock) -> None:
    """A wrong password is the store's fault, and is not shown."""
    own_redis.command("CONFIG", "SET", "requirepass", "right-password")
    url = own_redis.url.replace("redis://", "redis://:{}@")
    store = RedisStore(url.format("wrong-password"), clock)
    with pytest.raises(GatewayError) as caught:
        await store.ping()
    assert caught.value.code == "store_unavailable"
    assert "password" not in str(caught.value)
    await store.close()
    store = RedisStore(url.format("right-password"), clock)
    await store.ping()
    await store.close()


async def test_read_only(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """A Redis that is full refuses logins, while endings and lookups go on."""
    await redis_store.create(SESSION, None, MANY)
    redis_server.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(GatewayError) as caught:
            await redis_store.create(make_session(2), None, MANY)
        assert caught.value.code == "store_unavailable"
        assert await redis_store.get(SESSION.key) == SESSION
    finally:
        redis_server.command("CONFIG", "SET", "maxmemory", "0")
    await redis_store.end(SESSION.key, "logout")
    assert await redis_store.get(SESSION.key) == Tombstone("logout")


async def test_apps_are_listed_once(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """The list of apps holds each app once, however many log in."""
    for one in range(3):
        await redis_store.create(make_session(one), None, MANY)
    assert redis_server.command("SCARD", "gw:apps") == b":1\r\n"
    assert json.dumps(["wechat", "wx1"]).encode() in redis_server.command("SMEMBERS", "gw:apps")
