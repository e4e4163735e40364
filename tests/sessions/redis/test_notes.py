"""Notes and sealing keys in Redis: what the contract does not say of them."""

import asyncio

import pytest

from gateway.errors import GatewayError
from gateway.sessions.redis.records import note_name
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.store import MAX_NOTE_BYTES
from gateway.sessions.token import session_key_of
from tests.support.redis_server import RedisServer
from tests.support.sessions import START_AT, HandClock

NAME = session_key_of("a note")
UNTIL = START_AT + 10


async def test_redis_forgets_notes(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """A note lives a minute longer there than it is good, and a replaced one by its new end."""
    await redis_store.keep_note(NAME, b"value", UNTIL)
    assert 69_000 <= _ttl(redis_server) <= 70_000
    await redis_store.replace_note(NAME, b"value", b"new", UNTIL + 100)
    assert 169_000 <= _ttl(redis_server) <= 170_000


def _ttl(server: RedisServer) -> int:
    reply = server.command("PTTL", note_name(NAME))
    return int(reply[1:])


async def test_our_clock_judges(
    redis_store: RedisStore, redis_server: RedisServer, clock: HandClock
) -> None:
    """A note whose time is over by our clock is none, though Redis still has it."""
    await redis_store.keep_note(NAME, b"value", UNTIL)
    clock.forward(10.5)
    assert redis_server.command("EXISTS", note_name(NAME)) == b":1\r\n"
    assert await redis_store.read_note(NAME) is None
    assert await redis_store.replace_note(NAME, b"value", b"new", UNTIL + 100) is False
    assert await redis_store.keep_note(NAME, b"other", UNTIL + 100) is None
    assert await redis_store.take_note(NAME) == b"other"


async def test_two_who_keep_the_same(redis_store: RedisStore) -> None:
    """Of many who keep equal values at once, one is told that it did."""
    told = await asyncio.gather(*(redis_store.keep_note(NAME, b"value", UNTIL) for _ in range(20)))
    assert sorted(told, key=bool) == [None] + [b"value"] * 19


async def test_a_large_note(redis_store: RedisStore) -> None:
    """A note over the bound is a fault of ours, not of the store."""
    with pytest.raises(ValueError, match="a note of"):
        await redis_store.keep_note(NAME, b"x" * (MAX_NOTE_BYTES + 1), UNTIL)


async def test_sealing_keys_are_let_go(
    redis_store: RedisStore, redis_server: RedisServer, clock: HandClock
) -> None:
    """Those whose time has been over for a minute go when another is noted."""
    await redis_store.note_sealing_key("old", UNTIL + 1 / 3)
    assert await redis_store.sealing_keys() == {"old": UNTIL + 1 / 3}, "to the last bit"
    clock.forward(60)
    await redis_store.note_sealing_key("new", clock() + 100)
    assert redis_server.command("ZCARD", "gw:sealing") == b":2\r\n"
    clock.forward(20)
    await redis_store.note_sealing_key("new", clock())
    assert redis_server.command("ZCARD", "gw:sealing") == b":1\r\n"
    assert await redis_store.sealing_keys() == {"new": clock() + 80}
    await redis_store.forget_sealing_key("new")
    assert await redis_store.sealing_keys() == {}


async def test_rubbish(redis_store: RedisStore, redis_server: RedisServer) -> None:
    """What is no note of ours is the store's fault."""
    redis_server.command("SET", note_name(NAME), "text")
    redis_server.command("SET", "gw:sealing", "text")
    for call in (
        redis_store.read_note(NAME),
        redis_store.keep_note(NAME, b"value", UNTIL),
        redis_store.take_note(NAME),
        redis_store.sealing_keys(),
        redis_store.note_sealing_key("k", UNTIL),
    ):
        with pytest.raises(GatewayError) as caught:
            await call
        assert caught.value.code == "store_unavailable"
