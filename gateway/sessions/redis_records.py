"""How sessions are written in Redis: names of keys, shapes of values, and the scripts.

Pure but for the scripts' text. It must not know connections. Nothing is ever pickled; whatever
does not read back as ours is a `RubbishError`. Values reach scripts as ARGV (attacks.md X2).

| key | type | holds |
| --- | --- | --- |
| `gw:session:<key>` | hash | `data` (JSON), `expires_at`, `last_used_at`, `subject`; or `ended` |
| `gw:{<subject key>}:sessions` | sorted set | its living sessions' keys by `created_at` |
| `gw:{<subject key>}:keys` | list | `<created_at>:<sealed session_key>`, newest first |
| `gw:ended` | pub/sub channel | keys of sessions, each as it ends; not bound to a database |
| `gw:apps` | set | JSON [platform, app id] of every app seen, to find an openid by subject |

Hash tags. What belongs to a subject carries the tag `{<subject key>}` and so stays on one slot of
a Cluster; a session's record is spread by its key, for a lookup knows no subject. On one server
each script is one atomic step. On a Cluster, `create` and `end` fall into a step on the subject's
slot and one on each record's, in an order that leaves only dead members in the sorted set, which
the next `create` sweeps out.
"""

import json
from collections.abc import Mapping

from gateway.sessions.model import Session, Subject
from gateway.sessions.store import SealedKey, Tombstone

SESSION_PREFIX = "gw:session:"
APPS = "gw:apps"
ENDED_CHANNEL = "gw:ended"

# ARGV numbers moments with Lua's tonumber: doubles, exact for seconds since the epoch.
# An ending is published within its own step: first, so that where an ACL forbids that, the script
# ends before it has changed anything, and the revocation fails aloud.
# An ending keeps the key's time to live, so that the tombstone goes when the session would have.
_BURY = """
local function bury(record, key, reason)
  redis.call('PUBLISH', 'gw:ended', key)
  redis.call('HSET', record, 'ended', reason)
  redis.call('HDEL', record, 'data', 'expires_at', 'last_used_at', 'subject')
end
local function lives(record, now)
  local expires_at = redis.call('HGET', record, 'expires_at')
  return expires_at and tonumber(expires_at) >= tonumber(now)
end
"""

# KEYS: record, subject's sessions, subject's session_keys.
# ARGV: key, data, expires_at, last_used_at, subject key, created_at, ttl in ms, now, max per
# subject, `<created_at>:<sealed session_key>` or empty, how many to keep, records' prefix, reason.
# A repeat of a call whose answer was lost changes nothing: the record is there with the same data.
CREATE = (
    _BURY
    + """
local function outlive(name)
  if redis.call('PTTL', name) < tonumber(ARGV[7]) then redis.call('PEXPIRE', name, ARGV[7]) end
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('HGET', KEYS[1], 'data') == ARGV[2] then return {} end
  return redis.error_reply('ERR this session exists')
end
redis.call('HSET', KEYS[1], 'data', ARGV[2], 'expires_at', ARGV[3], 'last_used_at', ARGV[4],
  'subject', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('ZADD', KEYS[2], ARGV[6], ARGV[1])
outlive(KEYS[2])
if ARGV[10] ~= '' then
  redis.call('LPUSH', KEYS[3], ARGV[10])
  redis.call('LTRIM', KEYS[3], 0, ARGV[11] - 1)
  outlive(KEYS[3])
end
local kept, pushed_out = 1, {}
for _, key in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, -1)) do
  local record = ARGV[12] .. key
  if key ~= ARGV[1] then
    if not lives(record, ARGV[8]) then
      redis.call('ZREM', KEYS[2], key)
    elseif kept < tonumber(ARGV[9]) then
      kept = kept + 1
    else
      bury(record, key, ARGV[13])
      redis.call('ZREM', KEYS[2], key)
      table.insert(pushed_out, key)
    end
  end
end
return pushed_out
"""
)

# KEYS: record. ARGV: key, reason, now.
END = (
    _BURY
    + """
if not lives(KEYS[1], ARGV[3]) then return 0 end
redis.call('ZREM', 'gw:{' .. redis.call('HGET', KEYS[1], 'subject') .. '}:sessions', ARGV[1])
bury(KEYS[1], ARGV[1], ARGV[2])
return 1
"""
)

# KEYS: subject's sessions. ARGV: reason, now, prefix of records.
END_SUBJECT = (
    _BURY
    + """
local ended = {}
for _, key in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  if lives(ARGV[3] .. key, ARGV[2]) then
    bury(ARGV[3] .. key, key, ARGV[1])
    table.insert(ended, key)
  end
end
redis.call('DEL', KEYS[1])
return ended
"""
)

# KEYS: record. ARGV: last_used_at. Never makes a key that has gone, never goes backwards.
TOUCH = """
local seen = redis.call('HGET', KEYS[1], 'last_used_at')
if seen and tonumber(seen) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1])
end
return 0
"""


class RubbishError(ValueError):
    """A value in Redis is not one we wrote."""


def record_name(key: str) -> str:
    return SESSION_PREFIX + key


def sessions_name(subject_key: str) -> str:
    return f"gw:{{{subject_key}}}:sessions"


def keys_name(subject_key: str) -> str:
    return f"gw:{{{subject_key}}}:keys"


def dump_session(session: Session) -> str:
    """Write what never changes of a session; its moments that do stand beside it in the hash."""
    subject = session.subject
    return json.dumps(
        {
            "subject": [subject.platform, subject.app_id, subject.kind, subject.id],
            "app": session.app,
            "openid": session.openid,
            "unionid": session.unionid,
            "anonymous_openid": session.anonymous_openid,
            "user_id": session.user_id,
            "created_at": session.created_at,
        },
        separators=(",", ":"),
    )


def load_record(key: str, fields: Mapping[bytes, bytes]) -> Session | Tombstone | None:
    """Read a hash back. Raises: RubbishError."""
    if not fields:
        return None
    try:
        if b"ended" in fields:
            return Tombstone(fields[b"ended"].decode())
        return _load_session(key, fields)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RubbishError("a session's record is not ours") from error


def dump_sealed_key(sealed: bytes, created_at: float) -> bytes:
    return f"{created_at!r}:".encode() + sealed


def load_sealed_key(value: bytes) -> SealedKey:
    """Read an entry of the list back. Raises: RubbishError."""
    try:
        created_at, sealed = value.split(b":", 1)
        return SealedKey(sealed, float(created_at))
    except ValueError as error:
        raise RubbishError("a session_key's record is not ours") from error


def _load_session(key: str, fields: Mapping[bytes, bytes]) -> Session:
    data = json.loads(fields[b"data"])
    platform, app_id, kind, subject_id = data["subject"]
    if kind not in {"user", "anonymous"}:
        raise ValueError("no kind of subject")
    return Session(
        key=key,
        subject=Subject(_text(platform), _text(app_id), kind, _text(subject_id)),
        app=_text(data["app"]),
        openid=_optional_text(data["openid"]),
        unionid=_optional_text(data["unionid"]),
        anonymous_openid=_optional_text(data["anonymous_openid"]),
        created_at=float(data["created_at"]),
        expires_at=float(fields[b"expires_at"]),
        last_used_at=float(fields[b"last_used_at"]),
        user_id=_optional_text(data["user_id"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)
