"""What only SQLite's statements on sessions do: indexes are used, and rows stay small."""

import sqlite3
from contextlib import closing

import pytest

from gateway.sessions.sqlite import sessions as sqlite_sessions
from gateway.sessions.sqlite.file import transact
from gateway.sessions.sqlite.store import SqliteStore
from tests.support.sessions import START_AT, HandClock, make_session, make_successor

SESSION = make_session(1)
SUCCESSOR = make_successor(SESSION, 2)


@pytest.fixture
async def connection(sqlite_store: SqliteStore) -> sqlite3.Connection:
    """The store's file, of which the statements are noted."""
    await sqlite_store.create(SESSION, b"sealed", 10)
    return sqlite3.connect(sqlite_store._path, isolation_level=None)


def plans(connection: sqlite3.Connection, statements: list[str]) -> list[str]:
    """How SQLite looks for what these statements need."""
    explained = [
        row[3]
        for statement in statements
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
        for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    return [detail for detail in explained if detail.startswith(("SCAN", "SEARCH"))]


def test_nothing_is_searched_from_end_to_end(connection: sqlite3.Connection) -> None:
    """Logins, renewals and endings find their rows by an index, however many sessions there are."""
    statements: list[str] = []

    def work(connection: sqlite3.Connection) -> None:
        now = START_AT
        sqlite_sessions.insert(connection, make_session(3))
        sqlite_sessions.keep_session_key(connection, make_session(3), b"sealed")
        sqlite_sessions.push_out(connection, make_session(3), 2, now)
        sqlite_sessions.renew(connection, SESSION.key, SUCCESSOR, b"sealed", now + 60, now)
        sqlite_sessions.look_up(connection, SESSION.key)
        sqlite_sessions.session_keys(connection, SESSION.subject)
        sqlite_sessions.end_family(connection, SUCCESSOR.key, "logout", now)
        sqlite_sessions.end_subject(connection, SESSION.subject, "logout", now)

    with closing(connection):
        connection.set_trace_callback(statements.append)
        transact(connection, work)
        connection.set_trace_callback(None)
        found = plans(connection, statements)
    assert len(found) > 8
    assert [detail for detail in found if detail.startswith("SCAN")] == []


def test_an_origin_costs_nothing_where_there_was_no_renewal(
    connection: sqlite3.Connection,
) -> None:
    """A session that began its login has no second copy of its key; a successor has its origin."""
    with closing(connection):
        sqlite_sessions.renew(connection, SESSION.key, SUCCESSOR, b"", START_AT + 60, START_AT)
        origins = dict(connection.execute("SELECT key, origin FROM sessions").fetchall())
    assert origins == {SESSION.key: None, SUCCESSOR.key: SESSION.key}


async def test_news_of_renewals_is_kept_a_while(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """Renewals are purged after some minutes, not when their tokens would have expired."""
    await sqlite_store.create(SESSION, None, 10)
    await sqlite_store.renew(SESSION.key, SUCCESSOR, b"", START_AT + 900)
    clock.forward(sqlite_sessions.RENEWAL_NEWS_S - 1)
    assert await sqlite_store.purge(clock()) == 0
    clock.forward(2)
    assert await sqlite_store.purge(clock()) == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("kind", "root"), ("expires_at", 9e999), ("last_used_at", -9e999), ("platform", 7.5)],
)
async def test_a_row_that_is_no_session_is_damaged(
    connection: sqlite3.Connection, column: str, value: object
) -> None:
    """Neither a kind that guests' rules do not know nor a moment that never comes is believed."""
    with closing(connection):
        read = f"SELECT {sqlite_sessions.COLUMNS} FROM sessions"  # noqa: S608 - a constant
        assert sqlite_sessions.session_of(connection.execute(read).fetchone()) == SESSION
        row = list(connection.execute(read).fetchone())
        row[[each[0] for each in connection.execute(read).description].index(column)] = value
        with pytest.raises(sqlite3.DatabaseError, match="damaged"):
            sqlite_sessions.session_of(tuple(row))
