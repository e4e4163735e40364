"""The subscription: what is said on it, and each way to lose it; a real Redis, and odd servers."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.errors import GatewayError
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.records import NEWS_CHANNEL
from gateway.sessions.redis.store import RedisStore
from tests.support.endings import Told, until
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock, make_session

KEY, NEXT_KEY = make_session(1).key, make_session(2).key
JOINED = b"*3\r\n$9\r\nsubscribe\r\n$7\r\ngw:news\r\n:1\r\n"


@pytest.fixture
async def told(own_redis: RedisServer, clock: HandClock) -> AsyncIterator[Told]:
    """A listener that has joined."""
    store = RedisStore(open_link(own_redis.url), clock)
    told = Told()
    task = asyncio.create_task(store.follow(told))
    await until(lambda: told.ages_s)
    yield told
    task.cancel()
    await asyncio.wait([task])
    await store.close()


async def fault_of(store: RedisStore, told: Told) -> float:
    """Follow until that fails, and return how long it took, in seconds."""
    begun_at = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await store.follow(told)
    assert caught.value.code == "store_unavailable"
    return time.monotonic() - begun_at


async def test_it_is_heard_at_rest(told: Told, own_redis: RedisServer) -> None:
    """Without any ending there are signs of life, on a connection of the subscription's own."""
    await until(lambda: len(told.ages_s) >= 4)
    assert all(0 <= age_s < 1 for age_s in told.ages_s)
    assert told.keys == []
    assert b"sub=1" in own_redis.command("CLIENT", "LIST", "TYPE", "pubsub")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"x", "no key"),
        (b"A" * 44, "too long"),
        (b"*" * 43, "no base64"),
        (KEY.encode() + b" ", "a renewal to nothing"),
        (KEY.encode() + b" x", "a renewal to no key"),
        (b"x " + KEY.encode(), "a renewal of no key"),
        (f"{KEY} {KEY} {KEY}".encode(), "three keys"),
    ],
)
async def test_what_is_no_key_is_passed_over(
    told: Told, own_redis: RedisServer, text: bytes, reason: str
) -> None:
    """X2: whoever may publish cannot make us take odd text for a key."""
    own_redis.command("PUBLISH", NEWS_CHANNEL, text)
    own_redis.command("PUBLISH", NEWS_CHANNEL, KEY)
    await until(lambda: told.keys)
    assert told.keys == [KEY], reason
    assert told.renewals == []


async def test_renewals(told: Told, own_redis: RedisServer) -> None:
    """A key with a successor is a renewal."""
    own_redis.command("PUBLISH", NEWS_CHANNEL, f"{KEY} {NEXT_KEY}")
    await until(lambda: told.renewals)
    assert told.renewals == [(KEY, NEXT_KEY)]
    assert told.keys == []


async def test_an_emptied_server_is_noticed(own_redis: RedisServer, clock: HandClock) -> None:
    """FLUSHALL on a server that goes on ends the stretch in time, and the next one is new."""
    store, told = RedisStore(open_link(own_redis.url), clock), Told()
    task = asyncio.create_task(fault_of(store, told))
    await until(lambda: told.ages_s)
    own_redis.command("FLUSHALL")
    emptied_at = time.monotonic()
    await task
    assert time.monotonic() - emptied_at < 1.5
    count = len(told.ages_s)
    stretch = asyncio.create_task(store.follow(told))
    await until(lambda: len(told.ages_s) > count + 3)
    stretch.cancel()
    await asyncio.wait([stretch])
    await store.close()


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_loss_is_noticed(own_redis: RedisServer, clock: HandClock, how: str) -> None:
    """A connection that is closed ends the stretch at once."""
    store, told = RedisStore(open_link(own_redis.url), clock), Told()
    task = asyncio.create_task(fault_of(store, told))
    await until(lambda: told.ages_s)
    if how == "killed":
        own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    else:
        own_redis.stop()
    await task
    await store.close()


async def test_a_silent_peer_is_noticed(own_redis: RedisServer, clock: HandClock) -> None:
    """A peer that says nothing on a standing connection ends the stretch in about a second."""
    store, told = RedisStore(open_link(own_redis.url), clock), Told()
    task = asyncio.create_task(fault_of(store, told))
    await until(lambda: told.ages_s)
    own_redis.freeze()
    frozen_at = time.monotonic()
    await task
    assert time.monotonic() - frozen_at < 2
    assert await fault_of(store, Told()) < 2, "nor can it be joined"
    own_redis.thaw()
    await store.close()


async def test_a_short_silence_loses_nothing(told: Told, own_redis: RedisServer) -> None:
    """What was published in half a second's silence arrives in the same stretch."""
    own_redis.command("CLIENT", "PAUSE", "500", "ALL")
    count = len(told.ages_s)
    await until(lambda: len(told.ages_s) > count + 2)
    own_redis.command("PUBLISH", NEWS_CHANNEL, KEY)
    await until(lambda: told.keys)


async def test_not_allowed(own_redis: RedisServer, clock: HandClock) -> None:
    """A user without the channel cannot follow, and cannot end a session half."""
    own_redis.command(
        *("ACL", "SETUSER", "gw", "on", ">pw", "~gw:*", "+@all", "resetchannels"),
    )
    store = RedisStore(open_link(own_redis.url.replace("redis://", "redis://gw:pw@")), clock)
    await store.create(make_session(1), None, 10)
    await fault_of(store, Told())
    with pytest.raises(GatewayError):
        await store.end(KEY, "logout")
    assert await store.get(KEY) == make_session(1)
    own_redis.command("ACL", "SETUSER", "gw", "&gw:news")
    assert await store.end(KEY, "logout")
    await store.close()


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (b"+OK\r\n", "no subscription"),
        (b"-NOPERM no\r\n", "refused"),
        (JOINED + b"+PONG\r\n", "a PONG as outside of a subscription"),
        (JOINED + b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", "an answer that nobody asked for"),
        (JOINED + b"*1\r\n:1\r\n", "another shape"),
        (JOINED + b"*3\r\n$7\r\nmessage\r\n$7\r\ngw:news\r\n$1\r\n\xff\r\n", "no ASCII"),
        (JOINED + b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis at all"),
        (JOINED, "never a PONG"),
        (b"", "no answer"),
    ],
)
async def test_odd_servers(replies: bytes, reason: str, clock: HandClock) -> None:
    """Whatever a server says, the stretch ends as the store's fault, and in time."""
    handlers: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        while request := await reader.read(65536):
            writer.write(b"+OK\r\n" * request.count(b"SETINFO"))  # what the library says first
            writer.write(b"$1\r\nx\r\n" * request.count(b"GET\r\n"))  # a marker
            if b"SUBSCRIBE" in request:
                writer.write(replies)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store, told = RedisStore(open_link(f"redis://127.0.0.1:{port}"), clock), Told()
    assert await fault_of(store, told) < 3, reason
    assert told.keys == []
    assert len(told.ages_s) == (1 if replies.startswith(JOINED) else 0)
    await store.close()
    server.close()
    await asyncio.wait([task for task in handlers if task is not None])  # none stays open
