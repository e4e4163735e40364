"""What only SQLite does: several processes, sudden death, locks, purging; and a model of it all."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import GatewayError
from gateway.sessions import sqlite as sqlite_module
from gateway.sessions.model import Session
from gateway.sessions.sqlite import SqliteStore
from gateway.sessions.store import Tombstone, Wanted
from tests.support.sessions import HandClock, make_session, make_subject

MANY = 1000
WRITER = Path(__file__).parent.parent / "support" / "sqlite_writer.py"


def start_writer(path: Path, first: int, count: int) -> "subprocess.Popen[str]":
    """Another process that logs sessions in and names each key once it is answered.

    -P: the script's own folder is no place to import from.
    """
    arguments = [sys.executable, "-P", str(WRITER), str(path), str(first), str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


async def test_two_stores_on_one_file(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """What one worker commits, the other sees at once; an ending too."""
    other = SqliteStore(sqlite_store._path, clock)
    await other.open()
    session = make_session(1)
    await sqlite_store.create(session, None, MANY)
    assert await other.get(session.key) == session
    assert await other.end(session.key, "logout")
    assert await sqlite_store.get(session.key) == Tombstone("logout")
    await other.close()


async def test_processes_at_once(tmp_path: Path, clock: HandClock) -> None:
    """Three processes create one fresh file together and write to it without losing a login."""
    path = tmp_path / "data" / "gateway.db"
    writers = [start_writer(path, number * 100, 50) for number in range(3)]
    outputs = [await asyncio.to_thread(writer.communicate) for writer in writers]
    keys = [key for output, _ in outputs for key in output.split()]
    assert len(set(keys)) == 150
    store = SqliteStore(path, clock)
    await store.open()
    for key in keys:
        assert isinstance(await store.get(key), Session)
    await store.close()


async def test_sigkill(tmp_path: Path, clock: HandClock) -> None:
    """Every login that was answered before SIGKILL is there afterwards."""
    path = tmp_path / "gateway.db"
    with start_writer(path, 0, 100_000) as writer:
        assert writer.stdout is not None
        keys = [(await asyncio.to_thread(writer.stdout.readline)).strip() for _ in range(100)]
        writer.kill()
        keys += writer.stdout.read().split("\n")[:-1]
    store = SqliteStore(path, clock)
    await store.open()
    assert len(keys) >= 100
    for key in keys:
        assert isinstance(await store.get(key), Session)
    await store.close()


async def test_reopened(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """A store closed in order and opened anew has everything."""
    session = make_session(1)
    await sqlite_store.create(session, b"sealed", MANY)
    await sqlite_store.close()
    await sqlite_store.open()
    assert await sqlite_store.get(session.key) == session


async def test_locked(sqlite_store: SqliteStore) -> None:
    """While another process holds the write lock, writes give up in a second and lookups go on."""
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


async def test_not_open(tmp_path: Path, clock: HandClock) -> None:
    """A store that is not open is unavailable, not a crash."""
    store = SqliteStore(tmp_path / "gateway.db", clock)
    with pytest.raises(GatewayError) as caught:
        await store.get("key")
    assert caught.value.code == "store_unavailable"
    await store.close()


async def test_purge(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """What has expired is removed: sessions, tombstones and session_keys."""
    living = make_session(1, make_subject("o-bob"), lifetime_s=2000)
    expired, ended = make_session(2), make_session(3)
    for session in (living, expired, ended):
        await sqlite_store.create(session, b"sealed", MANY)
    await sqlite_store.end(ended.key, "logout")
    clock.forward(1001)
    assert await sqlite_store.purge(clock()) == 4
    assert await sqlite_store.purge(clock()) == 0
    assert await sqlite_store.get(expired.key) is None
    assert await sqlite_store.get(ended.key) is None
    assert await sqlite_store.session_keys(expired.subject) == ()
    assert await sqlite_store.get(living.key) == living


async def test_purge_in_batches(
    sqlite_store: SqliteStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge holds the write lock for a batch only."""
    monkeypatch.setattr(sqlite_module, "_PURGE_ROWS", 2)
    for number in range(5):
        await sqlite_store.create(make_session(number), None, MANY)
    clock.forward(1001)
    assert [await sqlite_store.purge(clock()) for _ in range(4)] == [2, 2, 1, 0]


async def test_find_looks_at_a_part(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that found nothing in its part of the keys is short, and names where to go on."""
    monkeypatch.setattr(sqlite_module, "_SCAN_ROWS", 2)
    sessions = sorted((make_session(number) for number in range(5)), key=lambda one: one.key)
    for session in sessions:
        await sqlite_store.create(session, None, MANY)
    wanted, after = Wanted(platform="wechat"), None
    found: list[Session] = []
    while True:
        page = await sqlite_store.find(wanted, 10, after)
        assert len(page.sessions) <= 2
        found += page.sessions
        after = page.after
        if after is None:
            break
    assert found == sessions
    none = await sqlite_store.find(Wanted(platform="douyin"), 10, None)
    assert none.sessions == ()
    assert none.after == sessions[1].key


class StoreMachine(RuleBasedStateMachine):
    """Create, end, end a subject, touch, expire, purge and reopen, beside a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.directory = Path(tempfile.mkdtemp(prefix="gateway-test-"))
        self.store = SqliteStore(self.directory / "gateway.db", self.clock)
        self.runner.run(self.store.open())
        self.sessions: dict[str, Session] = {}
        self.tombstones: dict[str, str] = {}
        self.count = 0

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.directory)

    def living(self, name: str) -> list[Session]:
        mine = [
            session
            for session in self.sessions.values()
            if session.subject.id == name and session.expires_at >= self.clock()
        ]
        return sorted(mine, key=lambda one: (one.created_at, one.key), reverse=True)

    def bury(self, session: Session, reason: str) -> None:
        del self.sessions[session.key]
        self.tombstones[session.key] = reason

    @rule(name=st.sampled_from("ab"), lifetime_s=st.integers(1, 60), limit=st.integers(1, 3))
    def create(self, name: str, lifetime_s: int, limit: int) -> None:
        self.count += 1
        session = make_session(
            self.count, make_subject(name), created_at=self.clock(), lifetime_s=lifetime_s
        )
        too_many = self.living(name)[limit - 1 :]
        pushed_out = self.runner.run(self.store.create(session, None, limit))
        assert pushed_out == tuple(one.key for one in too_many)
        for one in too_many:
            self.bury(one, "revoked")
        self.sessions[session.key] = session

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.count))
        session = make_session(number)
        known = self.sessions.get(session.key)
        lives = known is not None and known.expires_at >= self.clock()
        assert self.runner.run(self.store.end(session.key, "logout")) is lives
        if known is not None and lives:
            self.bury(known, "logout")

    @rule(name=st.sampled_from("ab"))
    def end_subject(self, name: str) -> None:
        ended = self.runner.run(self.store.end_subject(make_subject(name), "revoked"))
        living = self.living(name)
        assert ended == tuple(session.key for session in living)
        for session in living:
            self.bury(session, "revoked")

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @rule()
    def purge(self) -> None:
        while self.runner.run(self.store.purge(self.clock())):
            pass

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.store.close())
        self.runner.run(self.store.open())

    @invariant()
    def agrees(self) -> None:
        for number in range(self.count + 1):
            self.check(make_session(number).key)

    def check(self, key: str) -> None:
        found = self.runner.run(self.store.get(key))
        session = self.sessions.get(key)
        if session is not None and session.expires_at >= self.clock():
            assert found == session
        elif isinstance(found, Tombstone):
            assert found.reason == self.tombstones[key]
        elif found is None:  # unknown, purged, or expired and ended
            assert key not in self.sessions or session is not None
        else:
            assert found == session  # expired, not yet removed


StoreMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestStoreMachine = StoreMachine.TestCase
