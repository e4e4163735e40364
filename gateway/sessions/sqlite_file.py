"""The SQLite file itself: its permissions, its schema, and the threads that may touch it.

It must not know what a session is beyond the schema's text.

Durability. WAL with synchronous=NORMAL: a commit is in the file's log, in the kernel's hands, when
the call returns, so it survives SIGKILL of every process. A power cut may take the last commits
with it, never the file (sqlite.org/pragma.html#pragma_synchronous): clients log in again. Endings
are committed with synchronous=FULL, so that no power cut brings a revoked session back.

Processes. WAL lets readers go on while one process writes; writers queue for `_BUSY_S`.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SCHEMA_VERSION = 2
_BUSY_S = 0.8  # under STORE_TIMEOUT_S, so that a waiting thread is free again when its caller goes
_WAL_S = 5.0  # turning WAL on needs the file alone, and workers start together
_WAL_PAUSE_S = 0.02

# `seq` counts endings in the order of their commits, and AUTOINCREMENT gives no number twice, also
# after the newest was purged: who has seen one asks for those above it.
_TOMBSTONES = (
    """CREATE TABLE tombstones (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
        expires_at REAL NOT NULL
    )""",
    "CREATE INDEX tombstones_by_expiry ON tombstones (expires_at)",
)
_SCHEMA = (
    """CREATE TABLE sessions (
        key TEXT PRIMARY KEY, platform TEXT NOT NULL, app_id TEXT NOT NULL, kind TEXT NOT NULL,
        subject_id TEXT NOT NULL, app TEXT NOT NULL, openid TEXT, unionid TEXT,
        anonymous_openid TEXT, user_id TEXT, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        last_used_at REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX sessions_by_subject ON sessions (subject_id, app_id, platform, kind)",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    *_TOMBSTONES,
    """CREATE TABLE session_keys (
        id INTEGER PRIMARY KEY AUTOINCREMENT, subject_key TEXT NOT NULL, sealed BLOB NOT NULL,
        created_at REAL NOT NULL, expires_at REAL NOT NULL
    )""",
    "CREATE INDEX session_keys_by_subject ON session_keys (subject_key)",
    "CREATE INDEX session_keys_by_expiry ON session_keys (expires_at)",
)

# From each version to ours; the first is a new file's.
_STEPS = (
    _SCHEMA,
    (
        "ALTER TABLE tombstones RENAME TO tombstones_1",
        "DROP INDEX tombstones_by_expiry",
        *_TOMBSTONES,
        """INSERT INTO tombstones (key, reason, expires_at)
        SELECT key, reason, expires_at FROM tombstones_1""",
        "DROP TABLE tombstones_1",
    ),
)


class SqliteThread:
    """One connection, and the one thread that opens, uses and closes it.

    A piece of work is a function and runs whole: no other work, and no cancelled caller, gets in
    between its statements.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._connection: sqlite3.Connection | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gateway-sqlite")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do some work there; given up by its caller, it is not begun, or ends unseen.

        Raises: sqlite3.Error, OSError.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._work, work)

    async def stop(self) -> None:
        """Close the connection after what is under way, and let the thread end."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown(wait=False)

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = _connect(self._path, read_only=self._read_only)
        return work(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def prepare(path: Path) -> None:
    """Create the file where it is missing, bring it to our schema, and make it ours alone.

    Blocking. Raises: sqlite3.Error, OSError, both with the path in their words: only the operator
    who starts the gateway hears them.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create_private(path)
        with closing(_connect(path, read_only=False)) as connection:
            _turn_wal_on(connection)
            transact(connection, _upgrade)
        path.chmod(0o600)  # SQLite gives its log the file's own mode
    except OSError as error:
        place = error.filename or path  # perhaps a directory above the file
        raise OSError(error.errno, f"{place}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise type(error)(f"{path}: {error}") from error


def transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do some work in one transaction, which takes the write lock at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return result


def _create_private(path: Path) -> None:
    # Only a new file is opened here: closing one that SQLite uses would drop its locks
    # (sqlite.org/howtocorrupt.html 2.2).
    with suppress(FileExistsError):  # another worker was faster
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=NORMAL")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()  # a file that is no database is noticed only here
        raise
    return connection


def _turn_wal_on(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _WAL_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait for this lock by itself.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_PAUSE_S)


def _upgrade(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"the file has schema {found}, this gateway knows {SCHEMA_VERSION}: "
            "run the newer gateway, or name another file"
        )
    if found < SCHEMA_VERSION:
        for statement in _STEPS[found]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
