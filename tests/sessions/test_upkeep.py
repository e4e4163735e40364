"""The work beside the requests: batches, a store that is away, and the last round."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions import upkeep as upkeep_module
from gateway.sessions.sealing import SealingNote
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.upkeep import BATCH, MAX_JUMP_S, STEADY_S, ClockWatch, LastUses, Upkeep
from tests.support.sessions import START_AT, HandClock, make_session

HOUR_S = 3600.0


class WatchedStore(SqliteStore):
    """A SQLite store that says when it was touched and can be away."""

    def __init__(self, store: SqliteStore, clock: HandClock) -> None:
        super().__init__(store._path, clock)
        self.touched = asyncio.Event()
        self.sizes: list[int] = []
        self.is_away = False
        self.faults: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        self.sizes.append(len(last_used_at))
        self.touched.set()
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop()
        if self.is_away:
            raise GatewayError("store_unavailable")
        await super().touch(last_used_at)

    async def next_touch(self) -> None:
        self.touched.clear()
        await self.touched.wait()


@pytest.fixture
async def store(sqlite_store: SqliteStore, clock: HandClock) -> WatchedStore:
    """A watched store on the fixture's file, which the fixture removes."""
    watched = WatchedStore(sqlite_store, clock)
    await watched.open()
    return watched


def test_latest() -> None:
    """The latest use counts, in whatever order they are noted."""
    uses = LastUses()
    assert uses.latest("a") == 0
    for at in (5.0, 7.0, 6.0):
        uses.note("a", at)
    assert uses.latest("a") == 7


def test_noted_while_written() -> None:
    """A use noted while a batch is being written stays for the next."""
    uses = LastUses()
    uses.note("a", 1)
    uses.note("b", 1)
    batch = uses.batch()
    uses.note("a", 2)
    uses.written(batch)
    assert uses.batch() == {"a": 2}


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that never returns costs no more than the limit; known sessions are kept current."""
    monkeypatch.setattr(upkeep_module, "MAX_PENDING", 2)
    uses = LastUses()
    for key in "abc":
        uses.note(key, 1)
    uses.note("a", 2)
    assert uses.batch() == {"a": 2, "b": 1}


async def test_written_on_the_interval(store: WatchedStore, clock: HandClock) -> None:
    """What was noted is written when the interval is over."""
    await store.create(make_session(1), None, 1)
    upkeep = Upkeep(store, LastUses(), clock, 0.01)
    upkeep.start()
    upkeep.note(make_session(1).key, START_AT + 5)
    await store.next_touch()
    await upkeep.stop()
    assert await store.get(make_session(1).key) == replace(
        make_session(1), last_used_at=START_AT + 5
    )
    await store.close()


async def test_a_full_batch_does_not_wait(store: WatchedStore, clock: HandClock) -> None:
    """A full batch is written at once, and only then."""
    upkeep = Upkeep(store, LastUses(), clock, HOUR_S)
    upkeep.start()
    for number in range(BATCH):
        assert not store.touched.is_set()
        upkeep.note(str(number), START_AT)
    await store.next_touch()
    await upkeep.stop()
    assert store.sizes == [BATCH]
    await store.close()


async def test_stop_writes_the_rest(store: WatchedStore, clock: HandClock) -> None:
    """Stopping writes everything that is noted, in batches, and purges nothing more."""
    uses = LastUses()
    upkeep = Upkeep(store, uses, clock, HOUR_S)
    for number in range(2 * BATCH + 7):
        uses.note(str(number), START_AT)
    upkeep.start()
    await upkeep.stop()
    assert store.sizes == [BATCH, BATCH, 7]
    assert len(uses) == 0
    await store.close()


async def test_stop_before_start(store: WatchedStore, clock: HandClock) -> None:
    """Stopping what never started is harmless."""
    await Upkeep(store, LastUses(), clock).stop()
    await store.close()


async def test_store_away(
    store: WatchedStore, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed write is kept for the next time, said in the log, and not hurried by more uses."""
    uses = LastUses()
    upkeep = Upkeep(store, uses, clock, 0.05)
    store.is_away = True
    uses.note("a", START_AT)
    with caplog.at_level(logging.WARNING):
        upkeep.start()
        await store.next_touch()
        assert len(uses) == 1
        for number in range(2 * BATCH):
            upkeep.note(str(number), START_AT)
        await asyncio.sleep(0)
        assert len(store.sizes) == 1
        await store.next_touch()
    store.is_away = False
    await store.next_touch()
    await upkeep.stop()
    assert len(uses) == 0
    assert "session upkeep waits for the store: store_unavailable" in caplog.text
    await store.close()


async def test_a_key_that_seals_is_noted_at_once(store: WatchedStore, clock: HandClock) -> None:
    """The first seal of an hour wakes the task; a store that failed is not hurried."""
    sealing = SealingNote(store, "0123abcd", 1000, clock)
    upkeep = Upkeep(store, LastUses(), clock, HOUR_S, sealing=sealing)
    upkeep.start()
    upkeep.sealed()
    while not await store.sealing_keys():
        pass  # each question lets the task go on
    await upkeep.stop()
    assert list(await store.sealing_keys()) == ["0123abcd"]
    await store.close()


async def test_what_was_sealed_last_is_noted_at_the_end(
    store: WatchedStore, clock: HandClock
) -> None:
    """Stopping writes the note too; without a note to keep, sealing is nothing to it."""
    upkeep = Upkeep(store, LastUses(), clock, HOUR_S, sealing=SealingNote(store, "k", 1, clock))
    upkeep.sealed()
    upkeep.start()
    await upkeep.stop()
    assert list(await store.sealing_keys()) == ["k"]
    Upkeep(store, LastUses(), clock, HOUR_S).sealed()
    await store.close()


async def test_purges(store: WatchedStore, clock: HandClock) -> None:
    """Each round removes what has expired, however many batches it takes."""
    for number in range(20):
        await store.create(make_session(number), None, 100)
    clock.forward(1001)
    uses = LastUses()
    upkeep = Upkeep(store, uses, clock, 0.01)
    upkeep.start()
    while await store.get(make_session(0).key) is not None:
        clock.forward(1)
        uses.note("a", clock())
        await store.next_touch()
    await upkeep.stop()
    assert await store.purge(clock()) == 0
    await store.close()


async def test_purge_is_bounded(
    store: WatchedStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One round removes so many batches at most; the next goes on."""
    monkeypatch.setattr(upkeep_module, "_PURGE_BATCHES", 0)
    await store.create(make_session(1), None, 1)
    clock.forward(1001)
    upkeep = Upkeep(store, LastUses(), clock, 0.001)
    upkeep.start()
    for _ in range(2):
        upkeep.note("a", clock())
        clock.forward(1)
        await store.next_touch()
    await upkeep.stop()
    assert await store.purge(clock()) == 1
    await store.close()


def test_a_clock_set_forward(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """It is not believed for an hour, though set right again; a small correction is nothing."""
    steady = HandClock(0.0)
    watch = ClockWatch(clock, steady)
    for each, seconds in ((clock, HOUR_S), (steady, HOUR_S), (clock, MAX_JUMP_S)):
        each.forward(seconds)
    assert watch.steady_time() == clock()
    clock.forward(MAX_JUMP_S + 1)
    assert watch.steady_time() is None
    clock.forward(-MAX_JUMP_S - 1)
    steady.forward(STEADY_S - 1)
    assert watch.steady_time() is None
    steady.forward(1)
    assert watch.steady_time() == clock()
    assert caplog.messages == ["the clock was set forward by 61 s: nothing is purged for now"]


async def test_a_clock_set_forward_removes_nothing(store: WatchedStore, clock: HandClock) -> None:
    """Records that seem to have expired are there when the clock is right again."""
    await store.create(make_session(1), None, 1)
    upkeep = Upkeep(store, LastUses(), clock, 0.001, monotonic=HandClock(0.0))
    upkeep.start()
    clock.forward(31 * 24 * HOUR_S)
    for _ in range(3):
        clock.forward(1)
        upkeep.note("a", clock())
        await store.next_touch()
    await upkeep.stop()
    clock.now = START_AT
    assert await store.get(make_session(1).key) == make_session(1)
    await store.close()


async def test_a_fault(
    store: WatchedStore, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the next round does what this one could not."""
    uses = LastUses()
    store.faults = [ZeroDivisionError()]
    upkeep = Upkeep(store, uses, clock, 0.01)
    upkeep.start()
    upkeep.note("a", START_AT)
    await store.next_touch()
    await store.next_touch()
    await upkeep.stop()
    assert len(uses) == 0
    assert "a fault in session upkeep" in caplog.text
    await store.close()


@pytest.mark.parametrize("is_over", [True, False])
async def test_the_store_is_heard_again(
    store: WatchedStore, clock: HandClock, is_over: bool
) -> None:
    """What it could not take is written at once, though that is found only after its return."""
    uses = LastUses()
    upkeep = Upkeep(store, uses, clock, HOUR_S)
    upkeep.start()
    upkeep.new_stretch()  # the first, which nothing has waited for
    uses.note("a", START_AT)
    await asyncio.sleep(0)
    assert not store.sizes
    store.faults = [GatewayError("store_unavailable")]
    if not is_over:
        store.gate.clear()
    for number in range(BATCH):
        upkeep.note(str(number), START_AT)
    await store.next_touch()
    assert upkeep._store_is_away == is_over
    upkeep.new_stretch()
    store.gate.set()
    await store.next_touch()
    await upkeep.stop()
    assert len(uses) == 0
    await store.close()


def test_what_cannot_be_written_does_not_hold_up_the_others() -> None:
    """A batch that failed comes after those that were not tried, with what was noted since."""
    uses = LastUses()
    for number in range(BATCH + 1):
        uses.note(f"key-{number}", 1.0)
    failed = uses.batch()
    uses.note("key-0", 2.0)
    uses.postpone(failed)
    assert next(iter(uses.batch())) == f"key-{BATCH}"
    assert uses.latest("key-0") == 2.0
    assert len(uses) == BATCH + 1


class RefusingStore(SqliteStore):
    """A store that takes no last use of a key."""

    refused = "key-0"

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        if self.refused in last_used_at:
            raise GatewayError("store_unavailable", "refused")


async def test_a_batch_that_fails_does_not_starve_the_next(tmp_path: Path) -> None:
    """The round after it writes the others first."""
    clock, uses = HandClock(), LastUses()
    upkeep = Upkeep(RefusingStore(tmp_path / "unopened.db", clock), uses, clock)
    for number in range(BATCH * 2):
        uses.note(f"key-{number}", 1.0)
    for _ in range(2):
        await upkeep._round()
    assert len(uses) == BATCH
    assert uses.latest("key-0") == 1.0
