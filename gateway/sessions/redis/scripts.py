"""What Redis does in one step: the scripts of sessions and blocks, and how one is run.

It must not know connections, nor how a session's fields are written. Values reach scripts as ARGV
(attacks.md X2); moments are written by us and only compared there, for a number that Lua writes
loses digits.

KEYS[1] is a name on the slot of the subject; the scripts build the others from it, all on the same
slot, so each is one atomic step on a Cluster too. Each may be repeated without harm, for a call
whose answer was lost is sent again, and each that is to be confirmed writes something whenever it
is said again: since Redis 7.2 WAIT waits only for what its own connection wrote.

News is published before anything is written, so that where an ACL forbids that, the script ends
before it has changed anything, and the revocation fails aloud. A full Redis refuses the commands
that need memory, but not in a script that has already written one that needs none; so what ends a
session begins with DEL.

While a Cluster moves a slot to another node, some of its keys are here and some there, and a script
would take what is elsewhere for gone: it would forget a living session, or end half a family. So
each begins by asking for two names that are never there, which a node answers with an error as long
as it gives or gets that slot ("non local key"); then nothing has been done, and the call is put
again (Redis cluster specification, "Multiple keys operations").
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import NoScriptError

from gateway.sessions.redis.link import RedisLink

Word = str | bytes | int


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and its name at the server, SHA-1 in hex digits (Redis' EVALSHA)."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> "Script":
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())

    async def run(
        self, link: RedisLink, name: str, *arguments: Word, confirm: bool = False
    ) -> object:
        """Run it where `name` is; a server that does not know it is told its text.

        One that is to be confirmed comes with its text at once: a server that has just become
        primary knows no script, and waiting twice for its replicas would take too long.
        Raises: RedisError, UnmetError.
        """
        rest = (1, name, *arguments)
        if not confirm:
            with suppress(NoScriptError):
                return (await link.send(name, ("EVALSHA", self.sha, *rest)))[0]
        return (await link.send(name, ("EVAL", self.text, *rest), confirm=confirm))[0]


# What the scripts share. ARGV[1] is always the moment, by our clock.
# An ending keeps the key's time to live, so that the tombstone goes when the session would have.
# Swept out of a subject's list is what Redis has forgotten, not what has expired by our clock: that
# may be wrong for a while; for the same reason an ending takes what has expired, too.
_SHARED = """
local now = tonumber(ARGV[1])
local slot = string.sub(KEYS[1], 1, 7)  -- gw:{c}:
redis.call('EXISTS', slot .. 'moves', slot .. 'stays')
local function record_of(key) return slot .. 'session:' .. key end
local function of_subject(subject, what) return slot .. 'subject:' .. subject .. ':' .. what end
local function lives(key)
  local expires_at = redis.call('HGET', record_of(key), 'expires_at')
  return expires_at and tonumber(expires_at) >= now
end
local function origin_of(key) return redis.call('HGET', record_of(key), 'origin') or key end
local function outlive(name, ttl_ms)
  if redis.call('PTTL', name) < tonumber(ttl_ms) then redis.call('PEXPIRE', name, ttl_ms) end
end
local function entomb(key, reason)
  local name = record_of(key)
  local left_ms = redis.call('PTTL', name)
  redis.call('DEL', name)
  redis.call('HSET', name, 'ended', reason)
  if left_ms >= 0 then redis.call('PEXPIRE', name, math.max(left_ms, 1)) end
end
local function bury(key, reason)
  redis.call('PUBLISH', 'gw:news', key)
  entomb(key, reason)
end
local function say_something()
  redis.call('DEL', slot .. 'said')
  redis.call('SET', slot .. 'said', ARGV[1], 'PX', 60000)
end
local function end_one(key, reason, ended)  -- what has ended, or is not there, is let be
  if redis.call('HEXISTS', record_of(key), 'expires_at') == 0 then return end
  if lives(key) then table.insert(ended, key) end
  bury(key, reason)
end
local function end_those(subject, reason, fits)
  local name, ended = of_subject(subject, 'sessions'), {}
  for _, key in ipairs(redis.call('ZREVRANGE', name, 0, -1)) do
    if fits(key) then
      end_one(key, reason, ended)
      redis.call('ZREM', name, key)
    end
  end
  return ended
end
local function end_family(subject, origin, reason)
  return end_those(subject, reason, function(key) return origin_of(key) == origin end)
end
local function end_all(subject, reason)
  return end_those(subject, reason, function() return true end)
end
local function sweep(name)
  for _, key in ipairs(redis.call('ZRANGE', name, 0, -1)) do
    if redis.call('EXISTS', record_of(key)) == 0 then redis.call('ZREM', name, key) end
  end
end
local function lasts(until_at)
  return until_at and (until_at == '' or tonumber(until_at) >= now)
end
"""


def _script(text: str) -> Script:
    return Script.of(_SHARED + text)


# KEYS: record. ARGV: now, key, subject key, created_at, ttl in ms, max per subject, reason of those
# pushed out, `<created_at>:<sealed session_key>` or empty, how many to keep, the record's fields.
CREATE = _script("""
local key, subject, ttl_ms = ARGV[2], ARGV[3], ARGV[5]
local sessions, keys = of_subject(subject, 'sessions'), of_subject(subject, 'keys')
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('HGET', KEYS[1], 'subject') ~= subject then
    return redis.error_reply('ERR this session exists')
  end
  say_something()
  return {}
end
if lasts(redis.call('HGET', of_subject(subject, 'blocked'), 'until')) then return 'blocked' end
local kept, pushed_out = 1, {}
sweep(sessions)
for _, other in ipairs(redis.call('ZREVRANGE', sessions, 0, -1)) do
  if lives(other) and redis.call('HEXISTS', record_of(other), 'successor') == 0 then
    if kept < tonumber(ARGV[6]) then
      kept = kept + 1
    else
      for _, ended in ipairs(end_family(subject, origin_of(other), ARGV[7])) do
        table.insert(pushed_out, ended)
      end
    end
  end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
redis.call('PEXPIRE', KEYS[1], ttl_ms)
redis.call('ZADD', sessions, ARGV[4], key)
outlive(sessions, ttl_ms)
if ARGV[8] ~= '' then
  redis.call('LPUSH', keys, ARGV[8])
  redis.call('LTRIM', keys, 0, ARGV[9] - 1)
  outlive(keys, ttl_ms)
end
return pushed_out
""")

# KEYS: record. ARGV: now, key, until, its ttl in ms, sealed id, successor's key, subject key,
# created_at, successor's ttl in ms, its record's fields.
RENEW = _script("""
local key, ends_at, sealed_id, successor, ttl_ms = ARGV[2], ARGV[3], ARGV[5], ARGV[6], ARGV[9]
if not lives(key) then return false end
local known = redis.call('HMGET', KEYS[1], 'sealed_id', 'expires_at', 'was_until', 'successor')
if known[1] then
  say_something()
  if known[3] then  -- not confirmed yet: whoever goes on asking is not logged out meanwhile
    redis.call('PUBLISH', 'gw:news', key .. ' ' .. known[4])
    if tonumber(known[3]) < tonumber(ends_at) then ends_at = known[3] end
    redis.call('HSET', KEYS[1], 'expires_at', ends_at)
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
  end
  return known[1]
end
if redis.call('EXISTS', record_of(successor)) == 1 then
  return redis.error_reply('ERR this session exists')
end
redis.call('PUBLISH', 'gw:news', key .. ' ' .. successor)
redis.call('HSET', KEYS[1], 'was_until', known[2])
redis.call('HSET', record_of(successor), unpack(ARGV, 10))
redis.call('PEXPIRE', record_of(successor), ttl_ms)
if tonumber(known[2]) <= tonumber(ends_at) then
  ends_at = known[2]
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[1], 'successor', successor, 'sealed_id', sealed_id, 'expires_at', ends_at)
local sessions = of_subject(ARGV[7], 'sessions')
sweep(sessions)
redis.call('ZADD', sessions, ARGV[8], successor)
outlive(sessions, ttl_ms)
outlive(of_subject(ARGV[7], 'keys'), ttl_ms)
return sealed_id
""")

# KEYS: record. ARGV: now, key, reason.
END = _script("""
local subject, ended = unpack(redis.call('HMGET', KEYS[1], 'subject', 'ended'))
if ended then entomb(ARGV[2], ended) end
if ended or not subject then return {} end
local keys = end_family(subject, origin_of(ARGV[2]), ARGV[3])
end_one(ARGV[2], ARGV[3], keys)  -- for where somebody has removed the subject's list
return keys
""")

# KEYS: subject's sessions. ARGV: now, subject key, reason.
END_SUBJECT = _script("""
local ended = end_all(ARGV[2], ARGV[3])
if #ended == 0 then say_something() end
return ended
""")

# KEYS: the subject's block. ARGV: now, subject key, reason of the endings, reason of the block,
# until (empty: for good), ttl in ms.
BLOCK = _script("""
local ended = end_all(ARGV[2], ARGV[3])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'reason', ARGV[4], 'until', ARGV[5])
if ARGV[5] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
return ended
""")

# KEYS: the subject's block. ARGV: now.
UNBLOCK = _script("""
local until_at = redis.call('HGET', KEYS[1], 'until')
redis.call('DEL', KEYS[1])
return lasts(until_at) and 1 or 0
""")

# KEYS: any record on the slot. ARGV: now, then key and last use in turn.
# Never makes a key that has gone, never goes backwards.
TOUCH = _script("""
for position = 2, #ARGV, 2 do
  local name = record_of(ARGV[position])
  local seen = redis.call('HGET', name, 'used_at')
  if seen and tonumber(seen) < tonumber(ARGV[position + 1]) then
    redis.call('HSET', name, 'used_at', ARGV[position + 1])
  end
end
return 0
""")
