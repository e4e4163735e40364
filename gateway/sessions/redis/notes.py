"""What Redis keeps beside sessions: notes that live shortly, and which sealing keys are needed.

It must not know what a note says. A keep or a replacement whose answer was lost is sent again, and
may meet its own note: each call writes a random number of its own beside the value, by which the
script knows that it has been carried out. A `take` whose answer was lost may return None though it
took the note: none gets it then, never two.
"""

import secrets
from collections.abc import Mapping

from gateway.clock import Clock
from gateway.sessions.redis.calls import CLOCKS_DIFFER_S, redis_call, ttl_ms
from gateway.sessions.redis.link import RedisLink
from gateway.sessions.redis.records import (
    SEALING,
    note_name,
    read_optional,
    read_texts,
    read_truth,
)
from gateway.sessions.redis.scripts import Script
from gateway.sessions.store import check_note

_CALL_BYTES = 6

# ARGV[1] is always the moment, by our clock. Redis 6.0 has no GETDEL.
_SHARED = """
local value, until_at, call = unpack(redis.call('HMGET', KEYS[1], 'value', 'until', 'call'))
if not until_at or tonumber(until_at) < tonumber(ARGV[1]) then value = false end
local function write(value, until_at, ttl_ms, call)
  redis.call('HSET', KEYS[1], 'value', value, 'until', until_at, 'call', call)
  redis.call('PEXPIRE', KEYS[1], ttl_ms)
end
"""

# KEYS: note. ARGV: now, value, until, ttl in ms, call.
_KEEP = Script.of(
    _SHARED
    + """
if value and call == ARGV[5] then return false end
if value then return value end
write(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return false
"""
)

# KEYS: note. ARGV: now, new value, until, ttl in ms, call, old value.
_REPLACE = Script.of(
    _SHARED
    + """
if value and call == ARGV[5] then return 1 end
if value ~= ARGV[6] then return 0 end
write(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
"""
)

# KEYS: note. ARGV: now.
_TAKE = Script.of(
    _SHARED
    + """
redis.call('DEL', KEYS[1])
return value
"""
)

# KEYS: note. ARGV: now.
_READ = Script.of(_SHARED + "return value")

# KEYS: sealing keys. ARGV: id, until, the moment before which they are let go.
# Redis 6.0 has no ZADD GT.
_NOTE_KEY = Script.of(
    """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
local noted = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not noted or tonumber(noted) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
return 0
"""
)


class RedisNotes:
    """The part of `SessionStore` about notes and sealing keys."""

    def __init__(self, link: RedisLink, clock: Clock) -> None:
        self._link = link
        self._clock = clock

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        words = self._words(value, until)
        async with redis_call():
            return read_optional(await _KEEP.run(self._link, note_name(name), *words))

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool:
        words = self._words(new, until)
        async with redis_call():
            return read_truth(await _REPLACE.run(self._link, note_name(name), *words, old))

    async def read_note(self, name: str) -> bytes | None:
        return await self._ask(_READ, name)

    async def take_note(self, name: str) -> bytes | None:
        return await self._ask(_TAKE, name)

    async def note_sealing_key(self, key_id: str, until: float) -> None:
        forgotten_before = repr(self._clock() - CLOCKS_DIFFER_S)
        async with redis_call():
            await _NOTE_KEY.run(self._link, SEALING, key_id, repr(until), forgotten_before)

    async def sealing_keys(self) -> Mapping[str, float]:
        command = ("ZRANGEBYSCORE", SEALING, repr(self._clock()), "+inf", "WITHSCORES")
        async with redis_call():
            (reply,) = await self._link.send(SEALING, command)
            texts = read_texts(reply)
            pairs = zip(texts[::2], texts[1::2], strict=True)
            return {key_id.decode("ascii"): float(until) for key_id, until in pairs}

    async def forget_sealing_key(self, key_id: str) -> None:
        async with redis_call():
            await self._link.send(SEALING, ("ZREM", SEALING, key_id))

    def _words(self, value: bytes, until: float) -> tuple[str, bytes, str, int, bytes]:
        check_note(value)
        now = self._clock()
        call = secrets.token_bytes(_CALL_BYTES)
        return repr(now), value, repr(until), ttl_ms(until, now), call

    async def _ask(self, script: Script, name: str) -> bytes | None:
        async with redis_call():
            return read_optional(await script.run(self._link, note_name(name), repr(self._clock())))
