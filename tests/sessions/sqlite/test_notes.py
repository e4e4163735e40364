"""What only SQLite does with notes, blocks and sealing keys: they are removed when they expired."""

import sqlite3
from contextlib import closing

import pytest

from gateway.sessions.model import Session
from gateway.sessions.sqlite import notes as sqlite_notes
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import RENEWED_KEPT_S, Block
from gateway.sessions.token import session_key_of
from tests.support.sessions import (
    START_AT,
    HandClock,
    make_session,
    make_subject,
    make_successor,
)

MANY = 1000
BOB = make_subject("o-bob")
TABLES = [
    "sessions",
    "tombstones",
    "renewals",
    "session_keys",
    "blocks",
    "notes",
    "sealing_keys",
]  # all of ours


def rows_of(store: SqliteStore) -> dict[str, int]:
    """How many rows each table has."""
    with closing(sqlite3.connect(store._path)) as connection:
        count = "SELECT count(*) FROM {}"
        return {one: connection.execute(count.format(one)).fetchone()[0] for one in TABLES}


async def fill(store: SqliteStore, first: int, lifetime_s: float) -> None:
    """One row in each table, and a second session, that expire at the same time."""
    subject = make_subject(f"o-{first}")
    ended, living = (make_session(first + one, subject, lifetime_s=lifetime_s) for one in (0, 1))
    await store.create(ended, None, MANY)
    await store.end(ended.key, "logout")
    await store.create(living, b"sealed", MANY)
    successor = make_successor(living, first + 2, lifetime_s=lifetime_s)
    await store.renew(living.key, successor, b"sealed", living.expires_at)
    until_at = START_AT + lifetime_s
    await store.block(make_subject(f"o-{first}-blocked"), Block("a while", until_at))
    await store.keep_note(session_key_of(f"{first}"), b"value", until_at)
    await store.note_sealing_key(f"{first}", until_at)


async def test_purge(
    sqlite_store: SqliteStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has expired is removed from every table, and nothing else; a block for good stays.

    A renewed session goes later than the rest.
    """
    monkeypatch.setattr("gateway.sessions.sqlite.sessions.RENEWAL_NEWS_S", 1000.0)
    await fill(sqlite_store, 10, lifetime_s=1000)
    clock.forward(600)
    await fill(sqlite_store, 20, lifetime_s=2000)
    await sqlite_store.block(BOB, Block("for good", None))
    before = rows_of(sqlite_store)
    assert before == {**dict.fromkeys(TABLES, 2), "sessions": 4, "blocks": 3}
    assert await sqlite_store.purge(clock()) == 0
    clock.forward(500)
    assert await sqlite_store.purge(clock()) == 7
    assert await sqlite_store.purge(clock()) == 0
    assert rows_of(sqlite_store) == {**dict.fromkeys(TABLES, 1), "sessions": 3, "blocks": 2}
    assert isinstance(await sqlite_store.get(make_session(21, make_subject("o-20")).key), Session)
    assert await sqlite_store.read_note(session_key_of("20")) == b"value"
    assert await sqlite_store.sealing_keys() == {"20": START_AT + 2000}
    clock.forward(RENEWED_KEPT_S - 99)
    await sqlite_store.purge(clock())
    assert rows_of(sqlite_store)["sessions"] == 2


async def test_every_table_is_purged(sqlite_store: SqliteStore) -> None:
    """A table whose rows expire is one of those purged."""
    with closing(sqlite3.connect(sqlite_store._path)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = {name for (name,) in connection.execute(query)}
    assert names == set(TABLES) == {"sessions"} | {table for table, _ in sqlite_notes._PURGED}


async def test_purge_in_batches(
    sqlite_store: SqliteStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge holds the write lock for a batch only."""
    monkeypatch.setattr(sqlite_notes, "PURGE_ROWS", 2)
    for number in range(5):
        await sqlite_store.create(make_session(number), None, MANY)
    clock.forward(1001)
    assert [await sqlite_store.purge(clock()) for _ in range(4)] == [2, 2, 1, 0]


async def test_names_only(sqlite_store: SqliteStore) -> None:
    """A block keeps no id that names a user."""
    await sqlite_store.block(BOB, Block("abuse", None))
    await sqlite_store.close()
    assert b"o-bob" not in sqlite_store._path.read_bytes()
    await sqlite_store.open()
