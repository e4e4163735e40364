"""The embedded store: SQLite, shared by the workers of one machine (design section 5).

It must not know tokens or keys. Each call is one piece of work on a thread of its own: one for
reading, one for writing, so that a lookup never waits behind a write that waits for its lock.
How durable a commit is: `sqlite_file`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.sqlite_endings import follow
from gateway.sessions.sqlite_file import SqliteThread, prepare, transact
from gateway.sessions.store import (
    REVOKED,
    SESSION_KEYS_KEPT,
    Listener,
    Page,
    SealedKey,
    Tombstone,
    Wanted,
    not_from_a_page,
    store_call,
    subject_key_of,
)
from gateway.sessions.token import is_session_key

T = TypeVar("T")
Row = tuple[object, ...]

_OPEN_TIMEOUT_S = 10.0
_PURGE_ROWS = 1000  # a few milliseconds of the write lock
_SCAN_ROWS = 20_000  # looked at for one page: some 20 ms of the reading thread

_COLUMNS = (
    "key, platform, app_id, kind, subject_id, app, openid, unionid, anonymous_openid, "
    "created_at, expires_at, last_used_at, user_id"
)
_OF_SUBJECT = "subject_id = ? AND app_id = ? AND platform = ? AND kind = ?"


class SqliteStore:
    """Sessions in one SQLite file, 0600, in a directory made 0700. `clock` judges what expired."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path.absolute()
        self._clock = clock
        self._reader: SqliteThread | None = None
        self._writer: SqliteThread | None = None

    async def open(self) -> None:
        """Create or check the file.

        Raises: GatewayError store_unavailable, whose detail says what is wrong with the file.
        """
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await asyncio.to_thread(prepare, self._path)
        except (OSError, sqlite3.Error) as error:
            detail = f"the session store's file cannot be opened: {_reason(error)}"
            raise GatewayError("store_unavailable", detail) from error
        self._reader = SqliteThread(self._path, read_only=True)
        self._writer = SqliteThread(self._path, read_only=False)

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        threads, self._reader, self._writer = (self._reader, self._writer), None, None
        for thread in threads:
            if thread is not None:
                await thread.stop()

    async def ping(self) -> None:
        query = "SELECT 1 FROM sessions LIMIT 1"
        await self._read(lambda connection: connection.execute(query).fetchone())

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            _insert(connection, session)
            if sealed_session_key is not None:
                _keep_session_key(connection, session, sealed_session_key)
            return _push_out(connection, session, max_per_subject, self._clock())

        return await self._write(work)

    async def get(self, key: str) -> Session | Tombstone | None:
        return await self._read(lambda connection: _look_up(connection, key))

    async def end(self, key: str, reason: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            return _bury(connection, key, reason, self._clock())

        return await self._write(work, survives_power_cut=True)

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            now = self._clock()
            keys = _keys_of(connection, subject, now)
            return tuple(key for key in keys if _bury(connection, key, reason, now))

        return await self._write(work, survives_power_cut=True)

    async def follow(self, listener: Listener) -> NoReturn:
        """Poll the tombstones, on the reading thread."""
        await follow(self._read, listener)

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        if after and not is_session_key(after):
            raise not_from_a_page()
        look = _find_everywhere if wanted.openid is None else _find_openid
        now = self._clock()
        return await self._read(lambda connection: look(connection, wanted, limit, after, now))

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        rows = [(at, key, at) for key, at in last_used_at.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE sessions SET last_used_at = ? WHERE key = ? AND last_used_at < ?", rows
            )

        await self._write(work)

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        def work(connection: sqlite3.Connection) -> tuple[SealedKey, ...]:
            rows = connection.execute(
                "SELECT sealed, created_at FROM session_keys WHERE subject_key = ? "
                "ORDER BY id DESC LIMIT ?",
                (subject_key_of(subject), SESSION_KEYS_KEPT),
            )
            return tuple(SealedKey(sealed, created_at) for sealed, created_at in rows)

        return await self._read(work)

    async def purge(self, now: float) -> int:
        return await self._write(lambda connection: _purge(connection, now))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with store_call(sqlite3.Error):
            return await _opened(self._reader).run(work)

    async def _write(
        self, work: Callable[[sqlite3.Connection], T], *, survives_power_cut: bool = False
    ) -> T:
        level = "FULL" if survives_power_cut else "NORMAL"

        def run(connection: sqlite3.Connection) -> T:
            connection.execute(f"PRAGMA synchronous={level}")
            return transact(connection, work)

        async with store_call(sqlite3.Error):
            return await _opened(self._writer).run(run)


def _opened(thread: SqliteThread | None) -> SqliteThread:
    if thread is None:
        raise sqlite3.ProgrammingError("the store is not open")
    return thread


def _reason(error: Exception) -> str:
    """What the system or SQLite says; it names the file, and only whoever starts us reads it."""
    return (error.strerror or "no answer") if isinstance(error, OSError) else str(error)


def _insert(connection: sqlite3.Connection, session: Session) -> None:
    subject = session.subject
    row = (
        *(session.key, subject.platform, subject.app_id, subject.kind, subject.id),
        *(session.app, session.openid, session.unionid, session.anonymous_openid),
        *(session.created_at, session.expires_at, session.last_used_at, session.user_id),
    )
    marks = ", ".join("?" * len(row))
    insert = f"INSERT INTO sessions ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
    connection.execute(insert, row)


def _keep_session_key(connection: sqlite3.Connection, session: Session, sealed: bytes) -> None:
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


def _push_out(
    connection: sqlite3.Connection, new: Session, max_per_subject: int, now: float
) -> tuple[str, ...]:
    others = [key for key in _keys_of(connection, new.subject, now) if key != new.key]
    too_many = others[max_per_subject - 1 :]
    return tuple(key for key in too_many if _bury(connection, key, REVOKED, now))


def _keys_of(connection: sqlite3.Connection, subject: Subject, now: float) -> tuple[str, ...]:
    """The unexpired sessions of a subject, newest first."""
    rows = connection.execute(
        f"SELECT key FROM sessions WHERE {_OF_SUBJECT} AND expires_at >= ? "  # noqa: S608 - constant
        "ORDER BY created_at DESC, key DESC",
        (subject.id, subject.app_id, subject.platform, subject.kind, now),
    )
    return tuple(key for (key,) in rows)


def _bury(connection: sqlite3.Connection, key: str, reason: str, now: float) -> bool:
    buried = connection.execute(
        "INSERT INTO tombstones (key, reason, expires_at) "
        "SELECT key, ?, expires_at FROM sessions WHERE key = ? AND expires_at >= ?",
        (reason, key, now),
    )
    connection.execute("DELETE FROM sessions WHERE key = ?", (key,))
    return buried.rowcount == 1


def _look_up(connection: sqlite3.Connection, key: str) -> Session | Tombstone | None:
    # The session first: an ending moves it in one commit, so it cannot be missed in both.
    query = f"SELECT {_COLUMNS} FROM sessions WHERE key = ?"  # noqa: S608 - a constant
    row = connection.execute(query, (key,)).fetchone()
    if row is not None:
        return _session(row)
    row = connection.execute("SELECT reason FROM tombstones WHERE key = ?", (key,)).fetchone()
    return None if row is None else Tombstone(row[0])


def _session(row: tuple) -> Session:  # type: ignore[type-arg]  # SQLite's columns carry no types
    key, platform, app_id, kind, subject_id, *rest = row
    return Session(key, Subject(platform, app_id, kind, subject_id), *rest)


def _find_openid(
    connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str | None, now: float
) -> Page:
    """By the index: a user's openid is the id of the subject."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions WHERE subject_id = ? AND kind = 'user' "  # noqa: S608
        "AND key > ? AND expires_at >= ? ORDER BY key",
        (wanted.openid, after or "", now),
    )
    found = [session for session in map(_session, rows) if wanted.fits(session)]
    return Page(tuple(found[:limit]), found[limit - 1].key if len(found) > limit else None)


def _find_everywhere(
    connection: sqlite3.Connection, wanted: Wanted, limit: int, after: str | None, now: float
) -> Page:
    """Along the keys, `_SCAN_ROWS` of them at most, so that lookups do not wait behind it."""
    start = after or ""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM sessions WHERE key > ? ORDER BY key LIMIT ?) "  # noqa: S608
        "WHERE platform = coalesce(?, platform) AND app = coalesce(?, app) AND expires_at >= ? "
        "ORDER BY key LIMIT ?",
        (start, _SCAN_ROWS, wanted.platform, wanted.app, now, limit + 1),
    ).fetchall()
    found = tuple(map(_session, rows[:limit]))
    if len(rows) > limit:
        return Page(found, found[-1].key)
    last = connection.execute(
        "SELECT key FROM sessions WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?",
        (start, _SCAN_ROWS - 1),
    ).fetchone()
    return Page(found, None if last is None else last[0])


def _purge(connection: sqlite3.Connection, now: float) -> int:
    gone = 0
    for table, key in (("sessions", "key"), ("tombstones", "key"), ("session_keys", "id")):
        gone += connection.execute(
            f"DELETE FROM {table} WHERE {key} IN "  # noqa: S608 - our own names
            f"(SELECT {key} FROM {table} WHERE expires_at < ? LIMIT ?)",
            (now, _PURGE_ROWS),
        ).rowcount
    return gone
