"""What only SQLite does: several processes on one file; and a model of it all."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import RENEWED_KEPT_S, Block, Tombstone
from tests.support.sessions import HandClock, make_session, make_subject, make_successor

MANY = 1000
NAMES = st.sampled_from("ab")
WRITER = Path(__file__).parents[2] / "support" / "sqlite_writer.py"


def start_writer(path: Path, first: int, count: int) -> "subprocess.Popen[str]":
    """Another process that logs sessions in and says what it was answered.

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
    answered = [line.split() for output, _ in outputs for line in output.splitlines()]
    created = {key for what, key, *_ in answered if what == "created"}
    ended = {key for what, key, *_ in answered if what == "ended"}
    assert (len(created), len(ended)) == (150, 60), "each fifth, and its successor"
    store = SqliteStore(path, clock)
    await store.open()
    for key in created | ended:
        assert isinstance(await store.get(key), Tombstone if key in ended else Session)
    await store.close()


async def test_reopened(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """A store closed in order and opened anew has everything."""
    session = make_session(1)
    await sqlite_store.create(session, b"sealed", MANY)
    await sqlite_store.close()
    await sqlite_store.open()
    assert await sqlite_store.get(session.key) == session


async def test_not_open(tmp_path: Path, clock: HandClock) -> None:
    """A store that is not open is unavailable, not a crash."""
    store = SqliteStore(tmp_path / "gateway.db", clock)
    with pytest.raises(GatewayError) as caught:
        await store.get("key")
    assert caught.value.code == "store_unavailable"
    await store.close()


class StoreMachine(RuleBasedStateMachine):
    """Log in, renew, end, block, touch, expire, purge and reopen, beside plain dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.directory = Path(tempfile.mkdtemp(prefix="gateway-test-"))
        self.store = SqliteStore(self.directory / "gateway.db", self.clock)
        self.runner.run(self.store.open())
        self.sessions: dict[str, Session] = {}
        self.tombstones: dict[str, tuple[str, float]] = {}
        self.blocked: dict[str, Block] = {}
        self.keys = [make_session(0).key]  # of a session that never was, and then of all

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.directory)

    def kept(self, name: str) -> list[Session]:
        """A subject's sessions that were not purged, newest login first."""
        mine = [session for session in self.sessions.values() if session.subject.id == name]
        return sorted(mine, key=lambda one: (one.created_at, one.key), reverse=True)

    def has_expired(self, session: Session) -> bool:
        return session.expires_at < self.clock()

    def lives(self, key: str) -> Session | None:
        session = self.sessions.get(key)
        return None if session is None or self.has_expired(session) else session

    def bury(self, sessions: Iterable[Session], reason: str) -> tuple[str, ...]:
        """Expired or not; return the keys of those that lived."""
        buried = tuple(sessions)
        for session in buried:
            del self.sessions[session.key]
            self.tombstones[session.key] = (reason, session.expires_at)
        return tuple(session.key for session in buried if not self.has_expired(session))

    def bury_family(self, session: Session, reason: str) -> tuple[str, ...]:
        kept = self.kept(session.subject.id)
        return self.bury([one for one in kept if one.origin == session.origin], reason)

    def is_blocked(self, name: str) -> bool:
        block = self.blocked.get(name)
        return block is not None and (block.until is None or block.until >= self.clock())

    @rule(name=NAMES, lifetime_s=st.integers(1, 200), limit=st.integers(1, 3))
    def create(self, name: str, lifetime_s: int, limit: int) -> None:
        session = make_session(
            len(self.keys), make_subject(name), created_at=self.clock(), lifetime_s=lifetime_s
        )
        call = self.store.create(session, None, limit)
        if self.is_blocked(name):
            with pytest.raises(GatewayError, match="user_blocked"):
                self.runner.run(call)
            return
        leaves = [one for one in self.kept(name) if one.successor is None and self.lives(one.key)]
        pushed_out = self.runner.run(call)
        buried = [self.bury_family(one, "revoked") for one in leaves[limit - 1 :]]
        assert len(pushed_out) == len(set(pushed_out))
        assert set(pushed_out) == set().union(*buried)
        self.sessions[session.key] = session
        self.keys.append(session.key)

    @rule(data=st.data(), lifetime_s=st.integers(1, 200))
    def renew(self, data: st.DataObject, lifetime_s: int) -> None:
        key = data.draw(st.sampled_from(self.keys))
        old, now = self.lives(key), self.clock()
        base = old or make_session(0)
        new = make_successor(base, len(self.keys), at=now, lifetime_s=lifetime_s)
        answer = self.runner.run(self.store.renew(key, new, new.key.encode(), now + 60))
        if old is None:
            assert answer is None
        elif old.successor is not None:
            assert answer == old.successor.encode()
        else:
            assert answer == new.key.encode()
            ends_at = min(old.expires_at, now + 60)
            self.sessions[key] = replace(old, successor=new.key, expires_at=ends_at)
            self.sessions[new.key] = new
            self.keys.append(new.key)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.keys))
        known = self.sessions.get(key)
        ended = self.runner.run(self.store.end(key, "logout"))
        assert set(ended) == set(self.bury_family(known, "logout") if known is not None else ())

    @rule(name=NAMES)
    def end_subject(self, name: str) -> None:
        ended = self.runner.run(self.store.end_subject(make_subject(name), "revoked"))
        assert ended == self.bury(self.kept(name), "revoked")

    @rule(name=NAMES, lasts_s=st.none() | st.integers(1, 60))
    def block(self, name: str, lasts_s: int | None) -> None:
        block = Block("why", None if lasts_s is None else self.clock() + lasts_s)
        ended = self.runner.run(self.store.block(make_subject(name), block))
        assert ended == self.bury(self.kept(name), "blocked")
        self.blocked[name] = block

    @rule(name=NAMES)
    def unblock(self, name: str) -> None:
        lasted = self.is_blocked(name)
        assert self.runner.run(self.store.unblock(make_subject(name))) is lasted
        self.blocked.pop(name, None)

    @rule(data=st.data(), ago_s=st.integers(0, 5))
    def touch(self, data: st.DataObject, ago_s: int) -> None:
        key, at = data.draw(st.sampled_from(self.keys)), self.clock() - ago_s
        self.runner.run(self.store.touch({key: at}))
        known = self.sessions.get(key)
        if known is not None and known.last_used_at < at:
            self.sessions[key] = replace(known, last_used_at=at)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @rule()
    def purge(self) -> None:
        now = self.clock()
        while self.runner.run(self.store.purge(now)):
            pass
        for session in list(self.sessions.values()):
            kept_s = RENEWED_KEPT_S if session.successor is not None else 0
            if session.expires_at + kept_s < now:
                del self.sessions[session.key]
        for key, (_, expires_at) in list(self.tombstones.items()):
            if expires_at < now:
                del self.tombstones[key]

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.store.close())
        self.runner.run(self.store.open())

    @invariant()
    def agrees(self) -> None:
        for key in self.keys:
            self.check(key)
        for name in "ab":
            found = self.runner.run(self.store.block_of(make_subject(name)))
            assert found == (self.blocked[name] if self.is_blocked(name) else None)

    def check(self, key: str) -> None:
        found = self.runner.run(self.store.get(key))
        if key in self.tombstones:
            assert found == Tombstone(self.tombstones[key][0])
        else:  # an expired one stays until it is purged
            assert found == self.sessions.get(key)


StoreMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestStoreMachine = StoreMachine.TestCase
