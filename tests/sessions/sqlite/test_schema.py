"""The schema: new files, older ones brought up, newer ones refused."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.sqlite.file import prepare
from gateway.sessions.sqlite.schema import SCHEMA_VERSION
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SealedKey, Tombstone
from tests.support.endings import Told, until
from tests.support.sessions import START_AT, HandClock, make_session, make_successor

SESSIONS_1_AND_2 = """
    CREATE TABLE sessions (
        key TEXT PRIMARY KEY, platform TEXT NOT NULL, app_id TEXT NOT NULL, kind TEXT NOT NULL,
        subject_id TEXT NOT NULL, app TEXT NOT NULL, openid TEXT, unionid TEXT,
        anonymous_openid TEXT, user_id TEXT, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        last_used_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sessions_by_subject ON sessions (subject_id, app_id, platform, kind);
    CREATE INDEX sessions_by_expiry ON sessions (expires_at);
    CREATE TABLE session_keys (
        id INTEGER PRIMARY KEY AUTOINCREMENT, subject_key TEXT NOT NULL, sealed BLOB NOT NULL,
        created_at REAL NOT NULL, expires_at REAL NOT NULL
    );
    CREATE INDEX session_keys_by_subject ON session_keys (subject_key);
    CREATE INDEX session_keys_by_expiry ON session_keys (expires_at);
"""
SCHEMA_1 = f"""
    {SESSIONS_1_AND_2}
    CREATE TABLE tombstones (
        key TEXT PRIMARY KEY, reason TEXT NOT NULL, expires_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX tombstones_by_expiry ON tombstones (expires_at);
    PRAGMA user_version=1;
"""
SCHEMA_2 = f"""
    {SESSIONS_1_AND_2}
    CREATE TABLE tombstones (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
        expires_at REAL NOT NULL
    );
    CREATE INDEX tombstones_by_expiry ON tombstones (expires_at);
    PRAGMA user_version=2;
"""
INSERT_SESSION_2 = (
    "INSERT INTO sessions (key, platform, app_id, kind, subject_id, app, openid, unionid, "
    "anonymous_openid, created_at, expires_at, last_used_at, user_id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_TOMBSTONE = "INSERT INTO tombstones (key, reason, expires_at) VALUES (?, ?, ?)"
SESSION = make_session(1)


def row_2(session: Session) -> tuple[str | float | None, ...]:
    """A session as schema 2 keeps it."""
    subject = session.subject
    return (
        *(session.key, subject.platform, subject.app_id, subject.kind, subject.id, session.app),
        *(session.openid, session.unionid, session.anonymous_openid, session.created_at),
        *(session.expires_at, session.last_used_at, session.user_id),
    )


@pytest.fixture(params=[SCHEMA_1, SCHEMA_2], ids=["1", "2"])
def old_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of an older gateway, with a session, its session_key and an ended session."""
    path = tmp_path / "gateway.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param)
        connection.execute(INSERT_SESSION_2, row_2(SESSION))
        connection.execute(INSERT_TOMBSTONE, ("key", "logout", START_AT + 9))
        connection.commit()
    return path


def schema_of(path: Path) -> set[tuple[str, str]]:
    """Names and texts of all there is, without the white space that ALTER TABLE sets otherwise."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_master")
        return {(name, "".join(sql.split())) for name, sql in rows}


def test_new_file(tmp_path: Path) -> None:
    """The schema's version stands in the file; preparing it again changes nothing."""
    path = tmp_path / "gateway.db"
    prepare(path)
    before = schema_of(path)
    prepare(path)
    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_brought_up(old_file: Path, tmp_path: Path) -> None:
    """An older file has exactly the schema of a new one."""
    new = tmp_path / "new.db"
    prepare(new)
    prepare(old_file)
    assert schema_of(old_file) == schema_of(new)


async def test_kept(old_file: Path, clock: HandClock) -> None:
    """Sessions live on and can be renewed; ended ones stay ended; endings are numbered on."""
    store = SqliteStore(old_file, clock)
    await store.open()
    assert await store.get("key") == Tombstone("logout")
    assert await store.get(SESSION.key) == SESSION
    successor = make_successor(SESSION, 2)
    assert await store.renew(SESSION.key, successor, b"sealed", START_AT + 60) == b"sealed"
    assert set(await store.end(successor.key, "logout")) == {SESSION.key, successor.key}
    await store.create(make_session(3), b"sealed", 1)
    assert await store.session_keys(SESSION.subject) == (SealedKey(b"sealed", START_AT),)
    await store.close()
    with closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("SELECT seq FROM tombstones").fetchall() == [(1,), (2,), (3,)]


async def test_older_gateway_beside(tmp_path: Path, clock: HandClock) -> None:
    """A gateway of schema 2 that still runs on the file: its logins and endings count here."""
    path = tmp_path / "gateway.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.executescript(SCHEMA_2)
        store = SqliteStore(path, clock)
        await store.open()
        older.execute(INSERT_SESSION_2, row_2(SESSION))
        assert await store.get(SESSION.key) == replace(SESSION, origin=SESSION.key)
        await end_as_schema_2(store, older)
        await store.close()


async def end_as_schema_2(store: SqliteStore, older: sqlite3.Connection) -> None:
    """End the session as an older gateway does; it is told, and cannot be renewed."""
    told = Told()
    task = asyncio.create_task(store.follow(told))
    await until(lambda: told.ages_s)
    older.execute(INSERT_TOMBSTONE, (SESSION.key, "logout", SESSION.expires_at))
    older.execute("DELETE FROM sessions WHERE key = ?", (SESSION.key,))
    await until(lambda: told.keys)
    task.cancel()
    await asyncio.wait([task])
    assert told.keys == [SESSION.key]
    assert await store.renew(SESSION.key, make_successor(SESSION, 2), b"", START_AT) is None


async def test_newer_schema(tmp_path: Path, clock: HandClock) -> None:
    """A file of a newer gateway is refused in words, and left as it is."""
    path = tmp_path / "gateway.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(GatewayError) as caught:
        await SqliteStore(path, clock).open()
    assert caught.value.code == "store_unavailable"
    assert f"schema 99, this gateway knows {SCHEMA_VERSION}" in caught.value.detail
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
