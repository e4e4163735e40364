"""The SQLite file: whose it is, what is refused, and what a commit survives."""

import errno
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.sqlite import file as sqlite_file
from gateway.sessions.sqlite.file import prepare, transact
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Block
from tests.support.sessions import HandClock, make_session


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def refusal(path: Path) -> str:
    """What opening this path is refused with."""
    with pytest.raises(GatewayError) as caught:
        await SqliteStore(path, HandClock()).open()
    assert caught.value.code == "store_unavailable"
    return caught.value.detail


async def test_private(tmp_path: Path, clock: HandClock) -> None:
    """The file and its logs are 0600, a directory made for it 0700."""
    path = tmp_path / "new" / "gateway.db"
    store = SqliteStore(path, clock)
    await store.open()
    await store.create(make_session(1), None, 1)
    assert mode_of(path.parent) == 0o700
    assert {mode_of(file) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 3
    await store.close()


async def test_made_private(tmp_path: Path, clock: HandClock) -> None:
    """A file that others could read is closed to them; a directory that was there is left alone."""
    path = tmp_path / "open" / "gateway.db"
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    store = SqliteStore(path, clock)
    await store.open()
    await store.close()
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o755


async def test_corrupt(tmp_path: Path) -> None:
    """A file that is no database is refused in words, and left as it is."""
    path = tmp_path / "gateway.db"
    path.write_bytes(b"this is not a database. " * 100)
    assert "not a database" in await refusal(path)
    assert path.read_bytes().startswith(b"this is not")


async def test_directory_in_its_place(tmp_path: Path) -> None:
    """A directory where the file should be is refused in words, which name it."""
    path = tmp_path / "gateway.db"
    path.mkdir()
    assert f"{path}: unable to open database file" in await refusal(path)


async def test_file_in_place_of_its_directory(tmp_path: Path) -> None:
    """A file where the directory should be is refused in words, which name that file."""
    (tmp_path / "data").touch()
    detail = await refusal(tmp_path / "data" / "gateway.db")
    assert f"{tmp_path / 'data'}: File exists" in detail


def test_kind_of_fault_is_kept(tmp_path: Path) -> None:
    """Naming the file changes neither the class nor the number of what the system says."""
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError) as caught:
        prepare(tmp_path / "data" / "gateway.db")
    assert caught.value.errno == errno.EEXIST
    (tmp_path / "gateway.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        prepare(tmp_path / "gateway.db")


def test_wal_waits_for_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turning WAL on is tried again while the file is locked, and given up in the end."""
    path = tmp_path / "gateway.db"
    monkeypatch.setattr(sqlite_file, "_WAL_S", 0.05)
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM t").fetchall()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            prepare(path)
        other.execute("ROLLBACK")
    prepare(path)


def test_transactions_are_whole(tmp_path: Path) -> None:
    """Work that fails leaves nothing behind, and the connection is usable."""
    path = tmp_path / "gateway.db"
    prepare(path)
    insert = "INSERT INTO tombstones VALUES (1, 'key', 'logout', 1)"

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute(insert)
        raise ZeroDivisionError

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(ZeroDivisionError):
            transact(connection, fail)
        transact(connection, lambda one: one.execute(insert))
        assert connection.execute("SELECT count(*) FROM tombstones").fetchone() == (1,)


async def test_endings_are_synced(sqlite_store: SqliteStore) -> None:
    """Endings and blocks are committed with synchronous=FULL (2), the rest with NORMAL (1)."""
    writer = sqlite_store._writer
    assert writer is not None

    async def level() -> int:
        found: int = await writer.run(
            lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]
        )
        return found

    await sqlite_store.create(make_session(1), None, 1)
    assert await level() == 1
    await sqlite_store.end(make_session(1).key, "logout")
    assert await level() == 2
    await sqlite_store.touch({})
    assert await level() == 1
    await sqlite_store.block(make_session(1).subject, Block("", None))
    assert await level() == 2
