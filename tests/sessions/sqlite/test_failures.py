"""What SQLite's file may meet: locks, a full disk, damage, SIGKILL, a clock that jumps."""

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Block, Tombstone, Wanted
from tests.support.endings import Told, until
from tests.support.sessions import (
    START_AT,
    HandClock,
    make_session,
    make_subject,
    make_successor,
)

MANY = 1000
SUPPORT = Path(__file__).parents[2] / "support"
PAGE_BYTES = 4096
LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("unlocked", flush=True)
sys.stdin.readline()
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """Another process that says what was answered.

    -P: the script's own folder is no place to import from.
    """
    words = [sys.executable, "-P", str(SUPPORT / script), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


# Locks


def start_locker(path: Path) -> "subprocess.Popen[str]":
    """A process that holds the write lock until it is told a line, and ends at the next."""
    command = [sys.executable, "-c", LOCKER, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_locked_by_another_process(sqlite_store: SqliteStore) -> None:
    """Longer than the time-out: every write is refused, lookups go on, and later all goes on."""
    session = make_session(1)
    await sqlite_store.create(session, None, MANY)
    with start_locker(sqlite_store._path) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert await asyncio.to_thread(other.stdout.readline) == "locked\n"
        outcomes = await asyncio.gather(
            sqlite_store.create(make_session(2), None, MANY),
            sqlite_store.take_note("name"),  # has begun when it is given up: it may be done late
            sqlite_store.renew(session.key, make_successor(session, 3), b"", START_AT + 60),
            sqlite_store.end(session.key, "logout"),
            sqlite_store.block(session.subject, Block("", None)),
            return_exceptions=True,
        )
        assert [getattr(one, "code", one) for one in outcomes] == ["store_unavailable"] * 5
        assert await sqlite_store.get(session.key) == session
        other.stdin.write("\n")
        other.stdin.flush()
        assert await asyncio.to_thread(other.stdout.readline) == "unlocked\n"
        assert await sqlite_store.end(session.key, "logout") == (session.key,)
        other.stdin.write("\n")


async def test_lookups_beside_a_lock(sqlite_store: SqliteStore) -> None:
    """While a write waits for its lock, lookups do not; the write gives up in a second."""
    session = make_session(1)
    await sqlite_store.create(session, None, MANY)
    with closing(sqlite3.connect(sqlite_store._path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun_at = time.monotonic()
        write = asyncio.create_task(sqlite_store.create(make_session(2), None, MANY))
        assert await sqlite_store.get(session.key) == session
        assert not write.done()
        with pytest.raises(GatewayError) as caught:
            await write
        assert time.monotonic() - begun_at < 1.5
        other.execute("ROLLBACK")
    assert caught.value.code == "store_unavailable"
    await sqlite_store.create(make_session(2), None, MANY)


async def test_queued_behind_a_lock(sqlite_store: SqliteStore) -> None:
    """Writes that wait behind a locked one are given up after a second too, and not done later."""
    with closing(sqlite3.connect(sqlite_store._path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun_at = time.monotonic()
        calls = [sqlite_store.create(make_session(number), None, MANY) for number in range(5)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - begun_at < 1.5
        other.execute("ROLLBACK")
    assert [getattr(outcome, "code", None) for outcome in outcomes] == ["store_unavailable"] * 5
    await sqlite_store.touch({})  # the writing thread is free again
    for number in range(2, 5):
        assert await sqlite_store.get(make_session(number).key) is None


# A full disk


async def test_disk_full(sqlite_store: SqliteStore) -> None:
    """A full disk is `store_unavailable`, and nothing is half written."""
    writer = sqlite_store._writer
    assert writer is not None
    await writer.run(lambda connection: connection.execute("PRAGMA max_page_count=1").close())
    for number in range(200):
        call = sqlite_store.create(make_session(number), b"s" * 4096, MANY)
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        if outcome != ():
            break
    assert getattr(outcome, "code", None) == "store_unavailable"
    assert await sqlite_store.get(make_session(number).key) is None
    await writer.run(lambda connection: connection.execute("PRAGMA max_page_count=100000").close())
    await sqlite_store.create(make_session(number), b"s" * 4096, MANY)


async def test_no_room_for_the_log(tmp_path: Path, clock: HandClock) -> None:
    """Where the system refuses to write more: 503, lookups go on, and all goes on with room."""
    path = tmp_path / "gateway.db"
    with start("sqlite_small_disk.py", path) as process:
        output, _ = await asyncio.to_thread(process.communicate)
    *before, refused, read, after = output.splitlines()
    assert (refused, read) == ("refused store_unavailable", "read")
    assert process.returncode == 0
    store = SqliteStore(path, clock)
    await store.open()
    for line in (*before, after):
        what, key = line.split()
        assert what == "created"
        assert isinstance(await store.get(key), Session)
    found = await store.find(Wanted(), 1000, None)
    assert len(found.sessions) == len(before) + 1, "what was refused is not there"
    await store.close()


# Damage


async def damage(store: SqliteStore, pages: list[int], filling: bytes) -> None:
    """Overwrite pages of an open store's file, which is all written out of its log first."""
    writer = store._writer
    assert writer is not None
    await writer.run(lambda connection: connection.execute("PRAGMA wal_checkpoint").close())
    with store._path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE_BYTES)
            file.write(filling[:PAGE_BYTES])


@pytest.mark.parametrize(
    ("filling", "reason"),
    [
        (b"\xa5" * PAGE_BYTES, "nonsense"),
        (bytes(PAGE_BYTES), "zeros, as after a lost write"),
        (hashlib.shake_128(b"noise").digest(PAGE_BYTES), "noise"),
    ],
)
async def test_damaged_while_open(sqlite_store: SqliteStore, filling: bytes, reason: str) -> None:
    """A file damaged under an open store is `store_unavailable`, never a crash."""
    for number in range(300):
        await sqlite_store.create(make_session(number), b"sealed", MANY)
    count = sqlite_store._path.stat().st_size // PAGE_BYTES
    await damage(sqlite_store, list(range(1, count + 40)), filling)
    await sqlite_store.close()  # and what each thread remembers of the pages
    await sqlite_store.open()
    calls = (
        sqlite_store.get(make_session(7).key),
        sqlite_store.create(make_session(400), None, MANY),
        sqlite_store.end(make_session(7).key, "logout"),
        sqlite_store.find(Wanted(), 10, None),
        sqlite_store.session_keys(make_session(7).subject),
        sqlite_store.purge(START_AT + 5000),
        sqlite_store.follow(Told()),
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(one, "code", one) for one in outcomes] == ["store_unavailable"] * 7, reason


@pytest.mark.parametrize("third", range(3))
async def test_partly_damaged_while_in_use(sqlite_store: SqliteStore, third: int) -> None:
    """Where some pages are lost, each lookup is right or `store_unavailable`, never `unknown`."""
    sessions = [make_session(number) for number in range(300)]
    for session in sessions:
        await sqlite_store.create(session, b"sealed", MANY)
    await sqlite_store.get(sessions[0].key)
    await sqlite_store.ping()
    reader = sqlite_store._reader
    assert reader is not None
    pages = await reader.run(pages_of_sessions)
    await damage(sqlite_store, pages[third::3], b"\xa5" * PAGE_BYTES)
    await reader.run(lambda connection: connection.execute("PRAGMA shrink_memory").close())
    outcomes = await asyncio.gather(
        *(sqlite_store.get(session.key) for session in sessions), return_exceptions=True
    )
    for session, outcome in zip(sessions, outcomes, strict=True):
        assert outcome == session or getattr(outcome, "code", outcome) == "store_unavailable"
    assert any(isinstance(outcome, GatewayError) for outcome in outcomes)


def pages_of_sessions(connection: sqlite3.Connection) -> list[int]:
    """The leaf pages that hold the sessions, counted from 0, by their first byte and a key."""
    (path,) = [row[2] for row in connection.execute("PRAGMA database_list")]
    connection.execute("PRAGMA wal_checkpoint")
    data = Path(path).read_bytes()
    keys = [make_session(number).key.encode() for number in range(300)]
    pages = [data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES)]
    return [
        number
        for number, page in enumerate(pages)
        if page[0] == 0x0A and b"o-alice" in page and any(key in page for key in keys)
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [("expires_at", "soon"), ("platform", b"\xff"), ("openid", b"7"), ("origin", b"\x00")],
)
async def test_damaged_row(sqlite_store: SqliteStore, column: str, value: object) -> None:
    """A row that SQLite reads, but holds what was never written there, is `store_unavailable`."""
    session = make_session(1)
    await sqlite_store.create(session, None, MANY)
    with closing(sqlite3.connect(sqlite_store._path, isolation_level=None)) as other:
        other.execute(f"UPDATE sessions SET {column} = ?", (value,))  # noqa: S608 - our names
    with pytest.raises(GatewayError) as caught:
        await sqlite_store.get(session.key)
    assert caught.value.code == "store_unavailable"


async def test_damaged_values(sqlite_store: SqliteStore) -> None:
    """The same, of what is kept sealed, and of notes."""
    session = make_session(1)
    await sqlite_store.create(session, b"sealed", MANY)
    await sqlite_store.renew(session.key, make_successor(session, 2), b"sealed", START_AT + 60)
    await sqlite_store.keep_note("name", b"value", START_AT + 60)
    with closing(sqlite3.connect(sqlite_store._path, isolation_level=None)) as other:
        other.execute("UPDATE sessions SET sealed_successor = 'text' WHERE successor IS NOT NULL")
        other.execute("UPDATE session_keys SET sealed = 'text'")
        other.execute("UPDATE notes SET value = 'text'")
    outcomes = await asyncio.gather(
        sqlite_store.renew(session.key, make_successor(session, 3), b"sealed", START_AT + 60),
        sqlite_store.session_keys(session.subject),
        sqlite_store.read_note("name"),
        sqlite_store.take_note("name"),
        return_exceptions=True,
    )
    assert [getattr(one, "code", one) for one in outcomes] == ["store_unavailable"] * 4


# SIGKILL


@pytest.mark.parametrize("lines", [1, 250, 600])
async def test_sigkill(tmp_path: Path, clock: HandClock, lines: int) -> None:
    """In the middle of 1,000 logins: whatever was answered before holds afterwards."""
    path = tmp_path / "gateway.db"
    with start("sqlite_writer.py", path, 0, 1000) as writer:
        assert writer.stdout is not None
        said = [await asyncio.to_thread(writer.stdout.readline) for _ in range(lines)]
        writer.kill()
        said += (await asyncio.to_thread(writer.stdout.read)).splitlines(keepends=True)
    answered = [line.split() for line in said if line.endswith("\n")]
    assert lines <= len(answered) < 1600, "killed before its end"
    store = SqliteStore(path, clock)
    await store.open()
    await holds(store, answered)
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def holds(store: SqliteStore, answered: list[list[str]]) -> None:
    """Each login, renewal and ending of which a process was told.

    What was under way may have been carried out, unanswered: it ends a session told of just before.
    """
    ended = {key for what, key, *_ in answered if what == "ended"}
    perhaps_ended = {key for _, *keys in answered[-3:] for key in keys}
    for _, *keys in answered:
        for key in keys:
            record = await store.get(key)
            assert record is not None
            if key in ended:
                assert record == Tombstone("logout")
            elif key not in perhaps_ended:
                assert isinstance(record, Session)
                assert len(await store.session_keys(record.subject)) == 1


# The clock


@pytest.mark.parametrize("seconds", [10.0**6, -(10.0**6)])
async def test_the_clock_jumps_there_and_back(
    sqlite_store: SqliteStore, clock: HandClock, seconds: float
) -> None:
    """What was kept before a jump is right after it, and what was kept meanwhile can be ended."""
    before, during = make_session(1), make_session(2, created_at=START_AT + seconds)
    told = Told()
    task = asyncio.create_task(sqlite_store.follow(told))
    await until(lambda: told.ages_s)
    await sqlite_store.create(before, None, MANY)
    await sqlite_store.block(make_subject("o-bob"), Block("a while", START_AT + 10))
    await sqlite_store.keep_note("name", b"value", START_AT + 10)
    clock.forward(seconds)
    await sqlite_store.create(during, None, MANY)
    assert await sqlite_store.get(during.key) == during
    clock.forward(-seconds)
    assert await sqlite_store.get(before.key) == before
    assert await sqlite_store.read_note("name") == b"value"
    assert await sqlite_store.block_of(make_subject("o-bob")) is not None
    ended = await sqlite_store.end_subject(before.subject, "revoked")
    assert set(ended) == {one.key for one in (before, during) if one.expires_at >= clock()}
    await until(lambda: set(ended) <= set(told.keys))
    task.cancel()
    await asyncio.wait([task])
