"""Sessions in SQLite: their rows, their families, and the sessions of a subject.

Decides: what each statement reads and writes within its caller's transaction. It must not know
threads, files or clocks: the moment is passed in. A session lives while `expires_at >= now`; but an
ending takes whatever is there, for the clock may be wrong for a while.
"""

import math
import sqlite3

from gateway.sessions.model import Session, Subject
from gateway.sessions.store import (
    REVOKED,
    SESSION_KEYS_KEPT,
    SealedKey,
    Tombstone,
    subject_key_of,
)

RENEWAL_NEWS_S = 600.0
"""How long renewals are kept to be told; who comes later learns that some were missed."""

_PLAIN = (
    "key, platform, app_id, kind, subject_id, app, openid, unionid, anonymous_openid, "
    "created_at, expires_at, last_used_at, user_id"
)
COLUMNS = f"{_PLAIN}, coalesce(origin, key), successor"
_TEXT_OR_NULL = (str, type(None))
_TYPES: tuple[type | tuple[type, ...], ...] = (
    (str,) * 6 + (_TEXT_OR_NULL,) * 3 + (float,) * 3 + (_TEXT_OR_NULL, str, _TEXT_OR_NULL)
)
_MOMENTS = slice(9, 12)
_OF_SUBJECT = "subject_id = ? AND app_id = ? AND platform = ? AND kind = ?"


def session_of(row: tuple) -> Session:  # type: ignore[type-arg]  # SQLite's columns carry no types
    """Read a row of `COLUMNS`.

    Raises: sqlite3.DatabaseError, for a damaged row: SQLite checks its pages, not what they hold.
    """
    if not all(isinstance(value, types) for value, types in zip(row, _TYPES, strict=True)):
        raise sqlite3.DatabaseError("a session's row is damaged")
    key, platform, app_id, kind, subject_id, *rest = row
    if kind not in {"user", "anonymous"} or not all(map(math.isfinite, row[_MOMENTS])):
        raise sqlite3.DatabaseError("a session's row is damaged")
    return Session(key, Subject(platform, app_id, kind, subject_id), *rest)


def read_blob(value: object) -> bytes:
    """Raises: sqlite3.DatabaseError, for a damaged row."""
    if not isinstance(value, bytes):
        raise sqlite3.DatabaseError("a row is damaged")
    return value


def look_up(connection: sqlite3.Connection, key: str) -> Session | Tombstone | None:
    # The session first: an ending moves it in one commit, so it cannot be missed in both.
    query = f"SELECT {COLUMNS} FROM sessions WHERE key = ?"  # noqa: S608 - a constant
    row = connection.execute(query, (key,)).fetchone()
    if row is not None:
        return session_of(row)
    row = connection.execute("SELECT reason FROM tombstones WHERE key = ?", (key,)).fetchone()
    return None if row is None else Tombstone(row[0])


def insert(connection: sqlite3.Connection, session: Session) -> None:
    subject = session.subject
    row = (
        *(session.key, subject.platform, subject.app_id, subject.kind, subject.id),
        *(session.app, session.openid, session.unionid, session.anonymous_openid),
        *(session.created_at, session.expires_at, session.last_used_at, session.user_id),
        *(None if session.origin == session.key else session.origin, session.successor),
    )
    marks = ", ".join("?" * len(row))
    columns = f"{_PLAIN}, origin, successor"
    statement = f"INSERT INTO sessions ({columns}) VALUES ({marks})"  # noqa: S608 - constants
    connection.execute(statement, row)


def touch(connection: sqlite3.Connection, rows: list[tuple[float, str, float]]) -> None:
    """Record last uses, each as (moment, key, moment)."""
    connection.executemany(
        "UPDATE sessions SET last_used_at = ? WHERE key = ? AND last_used_at < ?", rows
    )


# session_keys


def keep_session_key(connection: sqlite3.Connection, session: Session, sealed: bytes) -> None:
    subject_key = subject_key_of(session.subject)
    connection.execute(
        "INSERT INTO session_keys (subject_key, sealed, created_at, expires_at) "
        "VALUES (?, ?, ?, ?)",
        (subject_key, sealed, session.created_at, session.expires_at),
    )
    connection.execute(
        "DELETE FROM session_keys WHERE id IN (SELECT id FROM session_keys "
        "WHERE subject_key = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (subject_key, SESSION_KEYS_KEPT),
    )


def session_keys(connection: sqlite3.Connection, subject: Subject) -> tuple[SealedKey, ...]:
    rows = connection.execute(
        "SELECT sealed, created_at FROM session_keys WHERE subject_key = ? "
        "ORDER BY id DESC LIMIT ?",
        (subject_key_of(subject), SESSION_KEYS_KEPT),
    )
    return tuple(SealedKey(read_blob(sealed), created_at) for sealed, created_at in rows)


# Renewal


def renew(
    connection: sqlite3.Connection,
    key: str,
    successor: Session,
    sealed_id: bytes,
    until: float,
    now: float,
) -> bytes | None:
    """See `SessionStore.renew`."""
    row = connection.execute(
        "SELECT sealed_successor FROM sessions WHERE key = ? AND expires_at >= ?", (key, now)
    ).fetchone()
    if row is None:
        return None
    if row[0] is not None:
        return read_blob(row[0])
    connection.execute(
        "UPDATE sessions SET successor = ?, sealed_successor = ?, expires_at = min(expires_at, ?) "
        "WHERE key = ?",
        (successor.key, sealed_id, until, key),
    )
    insert(connection, successor)
    _lengthen_session_keys(connection, successor)
    connection.execute(
        "INSERT INTO renewals (key, successor, expires_at) VALUES (?, ?, ?)",
        (key, successor.key, now + RENEWAL_NEWS_S),
    )
    return sealed_id


def _lengthen_session_keys(connection: sqlite3.Connection, session: Session) -> None:
    """A renewed login goes on with the `session_key` it came with."""
    connection.execute(
        "UPDATE session_keys SET expires_at = max(expires_at, ?) WHERE subject_key = ?",
        (session.expires_at, subject_key_of(session.subject)),
    )


# Endings


def end_family(
    connection: sqlite3.Connection, key: str, reason: str, now: float
) -> tuple[str, ...]:
    """End a session and those of its login, expired or not; return the keys of those that lived."""
    # By the index of subjects: one of origins would cost each session another entry.
    rows = connection.execute(
        "SELECT other.key, other.expires_at FROM sessions AS one JOIN sessions AS other "
        "ON other.subject_id = one.subject_id AND other.app_id = one.app_id "
        "AND other.platform = one.platform AND other.kind = one.kind "
        "AND coalesce(other.origin, other.key) = coalesce(one.origin, one.key) "
        "WHERE one.key = ?",
        (key,),
    ).fetchall()
    return _bury(connection, rows, reason, now)


def end_subject(
    connection: sqlite3.Connection, subject: Subject, reason: str, now: float
) -> tuple[str, ...]:
    """End a subject's sessions, expired or not; return the keys of those that lived."""
    return _bury(connection, _sessions_of(connection, subject), reason, now)


def push_out(
    connection: sqlite3.Connection, new: Session, max_per_subject: int, now: float
) -> tuple[str, ...]:
    """End the families of the oldest sessions that are too many beside a new one."""
    current = _sessions_of(connection, new.subject, "AND successor IS NULL")
    others = [key for key, expires_at in current if expires_at >= now and key != new.key]
    too_many = others[max_per_subject - 1 :]
    return tuple(found for key in too_many for found in end_family(connection, key, REVOKED, now))


def _sessions_of(
    connection: sqlite3.Connection, subject: Subject, and_also: str = ""
) -> list[tuple[str, float]]:
    """The sessions of a subject and when they expire, newest login first."""
    return connection.execute(
        f"SELECT key, expires_at FROM sessions WHERE {_OF_SUBJECT} {and_also} "  # noqa: S608 - constants
        "ORDER BY created_at DESC, key DESC",
        (subject.id, subject.app_id, subject.platform, subject.kind),
    ).fetchall()


def _bury(
    connection: sqlite3.Connection, rows: list[tuple[str, float]], reason: str, now: float
) -> tuple[str, ...]:
    """Put tombstones in the place of sessions; return the keys of those that lived."""
    connection.executemany(
        "INSERT INTO tombstones (key, reason, expires_at) "
        "SELECT key, ?, expires_at FROM sessions WHERE key = ?",
        [(reason, key) for key, _ in rows],
    )
    connection.executemany("DELETE FROM sessions WHERE key = ?", [(key,) for key, _ in rows])
    return tuple(key for key, expires_at in rows if expires_at >= now)
