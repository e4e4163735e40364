"""The embedded store: SQLite, shared by the workers of one machine (design section 5).

It must not know tokens or keys. Each call is one piece of work on a thread of its own: one for
reading, one for writing, so that a lookup never waits behind a write that waits for its lock.
What a piece of work reads and writes: `sqlite.sessions`, `sqlite.find`, `sqlite.notes`. How durable
a commit is: `sqlite.file`. There are no replicas, so no ending is ever unconfirmed.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.sqlite import find as sqlite_find
from gateway.sessions.sqlite import notes as sqlite_notes
from gateway.sessions.sqlite import sessions as sqlite_sessions
from gateway.sessions.sqlite.endings import follow
from gateway.sessions.sqlite.file import SqliteThread, prepare, transact
from gateway.sessions.store import (
    BLOCKED,
    Block,
    Listener,
    Page,
    SealedKey,
    Tombstone,
    Wanted,
    check_note,
    not_from_a_page,
    store_call,
    subject_blocked,
)
from gateway.sessions.token import is_session_key

T = TypeVar("T")

_OPEN_TIMEOUT_S = 10.0


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

    async def open_as_is(self) -> bool:
        """Make ready to read what a gateway left, and write nothing. False: there is no file."""
        if not await asyncio.to_thread(self._path.exists):
            return False
        self._reader = SqliteThread(self._path, read_only=True)
        return True

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        threads, self._reader, self._writer = (self._reader, self._writer), None, None
        for thread in threads:
            if thread is not None:
                await thread.stop()

    async def ping(self) -> None:
        query = "SELECT 1 FROM sessions LIMIT 1"
        await self._read(lambda connection: connection.execute(query).fetchone())

    # Sessions

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            now = self._clock()
            if sqlite_notes.block_of(connection, session.subject, now) is not None:
                raise subject_blocked()
            sqlite_sessions.insert(connection, session)
            if sealed_session_key is not None:
                sqlite_sessions.keep_session_key(connection, session, sealed_session_key)
            return sqlite_sessions.push_out(connection, session, max_per_subject, now)

        return await self._write(work)

    async def renew(
        self, key: str, successor: Session, sealed_id: bytes, until: float
    ) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            now = self._clock()
            return sqlite_sessions.renew(connection, key, successor, sealed_id, until, now)

        return await self._write(work)

    async def get(self, key: str) -> Session | Tombstone | None:
        return await self._read(lambda connection: sqlite_sessions.look_up(connection, key))

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        if after and not is_session_key(after):
            raise not_from_a_page()
        now = self._clock()
        return await self._read(
            lambda connection: sqlite_find.find(connection, wanted, limit, after, now)
        )

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        rows = [(at, key, at) for key, at in last_used_at.items()]
        await self._write(lambda connection: sqlite_sessions.touch(connection, rows))

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        return await self._read(
            lambda connection: sqlite_sessions.session_keys(connection, subject)
        )

    async def purge(self, now: float) -> int:
        return await self._write(lambda connection: sqlite_notes.purge(connection, now))

    # Endings: committed so that no power cut undoes them

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            return sqlite_sessions.end_family(connection, key, reason, self._clock())

        return await self._write(work, survives_power_cut=True)

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            return sqlite_sessions.end_subject(connection, subject, reason, self._clock())

        return await self._write(work, survives_power_cut=True)

    async def block(self, subject: Subject, block: Block) -> tuple[str, ...]:
        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            sqlite_notes.block(connection, subject, block)
            return sqlite_sessions.end_subject(connection, subject, BLOCKED, self._clock())

        return await self._write(work, survives_power_cut=True)

    async def unblock(self, subject: Subject) -> bool:
        return await self._write(
            lambda connection: sqlite_notes.unblock(connection, subject, self._clock())
        )

    async def block_of(self, subject: Subject) -> Block | None:
        return await self._read(
            lambda connection: sqlite_notes.block_of(connection, subject, self._clock())
        )

    async def follow(self, listener: Listener) -> NoReturn:
        """Poll the tombstones and renewals, on the reading thread."""
        await follow(self._read, listener)

    # Notes and sealing keys

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        check_note(value)
        return await self._write(
            lambda connection: sqlite_notes.keep_note(connection, name, value, until, self._clock())
        )

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool:
        check_note(new)

        def work(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            return sqlite_notes.replace_note(connection, name, old, (new, until), now)

        return await self._write(work)

    async def read_note(self, name: str) -> bytes | None:
        return await self._read(
            lambda connection: sqlite_notes.read_note(connection, name, self._clock())
        )

    async def take_note(self, name: str) -> bytes | None:
        return await self._write(
            lambda connection: sqlite_notes.take_note(connection, name, self._clock())
        )

    async def note_sealing_key(self, key_id: str, until: float) -> None:
        await self._write(
            lambda connection: sqlite_notes.note_sealing_key(connection, key_id, until)
        )

    async def sealing_keys(self) -> Mapping[str, float]:
        now = self._clock()
        return await self._read(lambda connection: sqlite_notes.sealing_keys(connection, now))

    async def forget_sealing_key(self, key_id: str) -> None:
        await self._write(lambda connection: sqlite_notes.forget_sealing_key(connection, key_id))

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
