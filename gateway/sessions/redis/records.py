"""How sessions are written in Redis: names of keys, and shapes of values.

Pure. It must not know connections or scripts. Nothing is ever pickled; whatever does not read back
as ours is a `RubbishError`. No text from outside becomes part of a name (attacks.md X2).

| key | type | holds |
| --- | --- | --- |
| `gw:{c}:session:<key>` | hash | a session's fields, as `dump_session` writes them; or `ended` |
| `gw:{c}:subject:<subject key>:sessions` | sorted set | its sessions' keys, by their login |
| `gw:{c}:subject:<subject key>:keys` | list | `<created_at>:<sealed session_key>`, newest first |
| `gw:{c}:subject:<subject key>:blocked` | hash | `reason` and `until`, which is empty for good |
| `gw:{c}:note:<name>` | hash | `value`, `until`, and `call`, which of our calls wrote it |
| `gw:{c}:said` | string | what a script writes that had nothing else to write |
| `gw:apps` | set | JSON [platform, app id] of every app seen, to find an openid by subject |
| `gw:sealing` | sorted set | ids of encryption keys, by the moment until when they are needed |
| `gw:news` | pub/sub channel | `<key>`: ended; `<key> <successor>`: renewed. For all databases |

`c` is the first character of the subject key, of the keys of all its sessions, and of a note's
name: as a hash tag it keeps all of a subject on one slot of a Cluster, and its scripts atomic.

A hash whose values all have at most 64 bytes is kept by Redis in one piece, at a third of the
memory (hash-max-listpack-value). So each part of a session is a field, and fields have short names.
"""

import math
from collections.abc import Mapping
from typing import cast

from gateway.sessions.model import Kind, Session, Subject
from gateway.sessions.store import Block, SealedKey, Tombstone

APPS = "gw:apps"
SEALING = "gw:sealing"
NEWS_CHANNEL = "gw:news"
RECORDS = "gw:{?}:session:*"
"""The names of all sessions' records, as SCAN matches them."""

_UTF8 = ("utf-8", "surrogatepass")  # JSON from a platform may hold half a surrogate pair
_NAMES = {  # field by what it holds; those that scripts read have whole names
    "platform": b"p",
    "app_id": b"i",
    "kind": b"k",
    "id": b"u",
    "app": b"a",
    "openid": b"o",
    "unionid": b"n",
    "anonymous_openid": b"g",
    "user_id": b"v",
    "created_at": b"c",
    "origin": b"origin",
    "successor": b"successor",
    "last_used_at": b"used_at",
    "expires_at": b"expires_at",
}


class RubbishError(ValueError):
    """A value in Redis is not one we wrote."""


# Names


def record_name(key: str) -> str:
    return f"gw:{{{key[0]}}}:session:{key}"


def key_of_record(name: bytes) -> str:
    """Return the key in a record's name. Raises: RubbishError."""
    return _read(name).rpartition(":")[2]


def sessions_name(subject_key: str) -> str:
    return f"gw:{{{subject_key[0]}}}:subject:{subject_key}:sessions"


def keys_name(subject_key: str) -> str:
    return f"gw:{{{subject_key[0]}}}:subject:{subject_key}:keys"


def blocked_name(subject_key: str) -> str:
    return f"gw:{{{subject_key[0]}}}:subject:{subject_key}:blocked"


def note_name(name: str) -> str:
    return f"gw:{{{name[0]}}}:note:{name}"


# Values


def dump_session(session: Session, subject_key: str) -> list[bytes]:
    """Write a session as fields and values in turn; what is None is left out.

    So is its origin where that is the session itself. `subject` is for scripts.
    """
    subject = session.subject
    values = {
        "platform": subject.platform,
        "app_id": subject.app_id,
        "kind": subject.kind,
        "id": subject.id,
        "app": session.app,
        "openid": session.openid,
        "unionid": session.unionid,
        "anonymous_openid": session.anonymous_openid,
        "user_id": session.user_id,
        "created_at": repr(session.created_at),
        "origin": None if session.origin == session.key else session.origin,
        "successor": session.successor,
        "last_used_at": repr(session.last_used_at),
        "expires_at": repr(session.expires_at),
    }
    words = [b"subject", subject_key.encode("ascii")]
    for name, value in values.items():
        if value is not None:
            words += (_NAMES[name], value.encode(*_UTF8))
    return words


def load_record(key: str, fields: Mapping[bytes, bytes]) -> Session | Tombstone | None:
    """Read a hash back. Raises: RubbishError."""
    if not fields:
        return None
    try:
        if b"ended" in fields:
            return Tombstone(fields[b"ended"].decode(*_UTF8))
        return _load_session(key, fields)
    except (ValueError, KeyError) as error:
        raise RubbishError("a session's record is not ours") from error


def dump_sealed_key(sealed: bytes, created_at: float) -> bytes:
    return f"{created_at!r}:".encode() + sealed


def load_sealed_key(value: bytes) -> SealedKey:
    """Read an entry of the list back. Raises: RubbishError."""
    try:
        created_at, sealed = value.split(b":", 1)
        return SealedKey(sealed, _moment(created_at))
    except ValueError as error:
        raise RubbishError("a session_key's record is not ours") from error


def dump_until(until: float | None) -> str:
    """Write the end of a block; empty for one that lasts for good."""
    return "" if until is None else repr(until)


def load_block(reason: bytes, until: bytes) -> Block:
    """Read a block back. Raises: RubbishError."""
    try:
        return Block(reason.decode(*_UTF8), _moment(until) if until else None)
    except ValueError as error:
        raise RubbishError("a block is not ours") from error


def dump_text(text: str) -> bytes:
    """Write a text from an operator."""
    return text.encode(*_UTF8)


def _load_session(key: str, fields: Mapping[bytes, bytes]) -> Session:
    text = {name: _read(fields[field]) for name, field in _NAMES.items() if field in fields}
    if text["kind"] not in {"user", "anonymous"}:
        raise ValueError("no kind of subject")
    kind = cast("Kind", text["kind"])
    return Session(
        key=key,
        subject=Subject(text["platform"], text["app_id"], kind, text["id"]),
        app=text["app"],
        openid=text.get("openid"),
        unionid=text.get("unionid"),
        anonymous_openid=text.get("anonymous_openid"),
        created_at=_moment(text["created_at"]),
        expires_at=_moment(text["expires_at"]),
        last_used_at=_moment(text["last_used_at"]),
        user_id=text.get("user_id"),
        origin=text.get("origin", ""),
        successor=text.get("successor"),
    )


def _moment(text: str | bytes) -> float:
    """Read a moment; what no clock shows compares oddly, so a record could live for ever."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("no moment")
    return value


def _read(value: bytes) -> str:
    try:
        return value.decode(*_UTF8)
    except UnicodeDecodeError as error:
        raise RubbishError("not text") from error


# Replies


def read_texts(reply: object) -> list[bytes]:
    """Take a reply for a list of texts. Raises: RubbishError."""
    if not isinstance(reply, list) or not all(isinstance(one, bytes) for one in reply):
        raise RubbishError("not a list of texts")
    return reply


def read_map(reply: object) -> dict[bytes, bytes]:
    """Take a reply for fields and values in turn. Raises: RubbishError, ValueError."""
    texts = read_texts(reply)
    return dict(zip(texts[::2], texts[1::2], strict=True))


def read_names(reply: object) -> tuple[str, ...]:
    """Take a reply for a list of keys. Raises: RubbishError."""
    return tuple(_read(text) for text in read_texts(reply))


def read_truth(reply: object) -> bool:
    """Take a reply for a yes or no. Raises: RubbishError."""
    if not isinstance(reply, int) or reply not in {0, 1}:
        raise RubbishError("not a yes or no")
    return bool(reply)


def read_optional(reply: object) -> bytes | None:
    """Take a reply for a text or nothing. Raises: RubbishError."""
    if reply is not None and not isinstance(reply, bytes):
        raise RubbishError("not a text")
    return reply
