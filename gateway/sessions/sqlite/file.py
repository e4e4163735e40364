"""The SQLite file itself: its permissions, and the threads that may touch it.

It must not know what a session is, nor the schema's text (`sqlite.schema`).

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

from gateway.sessions.sqlite.schema import upgrade

T = TypeVar("T")

_BUSY_S = 0.8  # under STORE_TIMEOUT_S, so that a waiting thread is free again when its caller goes
_WAL_S = 5.0  # turning WAL on needs the file alone, and workers start together
_WAL_PAUSE_S = 0.02


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
            transact(connection, upgrade)
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
