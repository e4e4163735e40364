"""Endings are said to the store again until it has confirmed them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sessions import assertions as assertions_module
from gateway.sessions.assertions import Assertions
from gateway.sessions.standing import Standing
from tests.support.doubtful import DoubtfulStore
from tests.support.endings import until
from tests.support.sessions import HandClock, make_session, make_subject

ALICE = make_subject("o-alice")
ONE, TWO, THREE = (make_session(number, ALICE) for number in (1, 2, 3))


class Parts:
    """Assertions over a real store with three sessions of one subject."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.store = DoubtfulStore(path, clock)
        self.steady = HandClock(0.0)
        self.standing = Standing(clock, self.steady)
        self.told: list[str] = []
        self.assertions = Assertions(self.store, self.standing, self.told.append)

    def add(self, *keys: str) -> None:
        for key in keys:
            self.standing.add(key, "logout")
        self.assertions.hurry()

    async def is_done(self) -> None:
        await until(lambda: not len(self.standing))


@pytest.fixture
async def parts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Parts]:
    """Assertions that have started."""
    parts = Parts(tmp_path / "gateway.db", clock)
    await parts.store.open()
    for session in (ONE, TWO, THREE):
        await parts.store.create(session, None, 10)
    parts.assertions.start()
    yield parts
    await parts.assertions.stop()
    await parts.store.close()


async def test_said_and_confirmed(parts: Parts) -> None:
    """What is added is said at once; the sessions that end by it are told."""
    parts.add(ONE.key, TWO.key)
    await parts.is_done()
    assert parts.store.said == [ONE.key, TWO.key]
    assert parts.told == [ONE.key, TWO.key]
    assert not await parts.store.lives(ONE.key)


@pytest.mark.parametrize("fault", ["away", "unconfirmed"])
async def test_said_again_until_confirmed(
    parts: Parts, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it fails; the log tells of it once, and names nobody."""
    caplog.set_level("INFO", "gateway.sessions.assertions")
    parts.store.fault = "away" if fault == "away" else "unconfirmed"
    parts.add(ONE.key)
    await until(lambda: len(parts.store.said) >= 3)
    assert parts.standing.refuses_key(ONE.key)
    parts.store.fault = None
    await parts.is_done()
    await until(lambda: len(caplog.messages) == 2)
    assert caplog.messages == [
        "1 endings of sessions wait for the store",
        "all endings of sessions are confirmed",
    ]


async def test_a_bad_one_holds_up_nobody(parts: Parts) -> None:
    """The others are said meanwhile."""
    parts.store.bad = frozenset({ONE.key})
    parts.add(ONE.key, TWO.key, THREE.key)
    await until(lambda: len(parts.standing) == 1)
    assert parts.standing.refuses_key(ONE.key)
    parts.store.bad = frozenset()
    await parts.is_done()


async def test_a_subject_that_no_replica_confirms(parts: Parts) -> None:
    """From then on its sessions are named, so that a later login is not hit."""
    parts.store.fault = "unconfirmed"
    parts.standing.add(ALICE, "revoked")
    parts.assertions.hurry()
    await until(lambda: len(parts.standing) == 3)
    later = make_session(4, ALICE)
    await parts.store.create(later, None, 10)
    parts.store.fault = None
    await parts.is_done()
    assert ALICE not in parts.store.said[1:]
    assert await parts.store.lives(later.key)


async def test_a_subject_while_the_store_is_away(parts: Parts) -> None:
    """It is named again and again, since nobody knows its sessions."""
    parts.store.fault = "away"
    parts.standing.add(ALICE, "revoked")
    parts.assertions.hurry()
    await until(lambda: len(parts.store.said) >= 2)
    parts.store.fault = None
    await parts.is_done()
    assert set(parts.told) == {ONE.key, TWO.key, THREE.key}
    parts.standing.doubt_recent()  # a failover may undo these too
    assert {key for key in parts.told if parts.standing.refuses_key(key)} == set(parts.told)
    assert len(parts.told) == len(parts.standing)


async def test_a_new_stretch(parts: Parts) -> None:
    """What ended lately is said once more: a failover may have undone it."""
    parts.standing.note([ONE.key], "logout")
    assert await parts.store.lives(ONE.key)
    parts.assertions.new_stretch()
    await parts.is_done()
    assert not await parts.store.lives(ONE.key)


async def test_the_store_is_not_pressed(parts: Parts) -> None:
    """What is added while the store fails waits for the pause; a store heard again ends it."""
    parts.store.fault = "away"
    parts.add(ONE.key)
    await until(lambda: parts.assertions._failures)
    for failures in range(1, 50):
        parts.assertions._failures = failures
        assert 0.1 <= parts.assertions._pause_s() <= 2
    said = len(parts.store.said)
    for number in range(100):
        parts.add(str(number))
    await asyncio.sleep(0)
    assert len(parts.store.said) <= said + 1
    parts.store.fault = None
    parts.assertions.new_stretch()
    await parts.is_done()


async def test_the_last_try(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """At the end what waits is tried once more; what is then still open is said in the log."""
    parts.store.fault = "away"
    parts.add(ONE.key, TWO.key)
    await until(lambda: parts.assertions._failures)
    parts.store.fault, parts.store.bad = None, frozenset({ONE.key})
    await parts.assertions.stop()
    assert not await parts.store.lives(TWO.key)
    assert caplog.messages[-1] == "1 endings of sessions are given up unconfirmed"


async def test_a_store_that_hangs_at_the_end(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not hold up the end."""
    monkeypatch.setattr(assertions_module, "LAST_S", 0.01)
    parts.store.hang = asyncio.Event()
    parts.add(ONE.key)
    await until(lambda: parts.store.said)
    await parts.assertions.stop()
    assert parts.standing.refuses_key(ONE.key)
    assert await parts.store.lives(ONE.key)


async def test_a_fault_of_who_is_told(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the next ending is said all the same."""

    def fail(key: str) -> None:
        raise ZeroDivisionError(key[:0])

    parts.assertions._tell = fail
    parts.add(ONE.key)
    await until(lambda: "a fault while endings" in caplog.text)
    parts.assertions._tell = parts.told.append
    parts.add(TWO.key)
    await parts.is_done()
    assert parts.told == [TWO.key]


async def test_a_fault_of_the_store(
    parts: Parts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged and counts as a failure: said again after a pause, behind the others."""
    end = parts.store.end

    async def fail(key: str, reason: str) -> tuple[str, ...]:
        if key == ONE.key:
            raise ZeroDivisionError
        return await end(key, reason)

    monkeypatch.setattr(parts.store, "end", fail)
    parts.add(ONE.key, TWO.key)
    await until(lambda: TWO.key in parts.told)
    assert parts.assertions._failures
    assert "a fault while endings" in caplog.text
    monkeypatch.undo()
    await parts.is_done()
    assert not await parts.store.lives(ONE.key)


async def test_told_before_it_is_confirmed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault after the store's answer leaves nobody untold."""

    def fail(ending: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(parts.standing, "confirm", fail)
    parts.add(ONE.key)
    await until(lambda: "a fault while endings" in caplog.text)
    assert parts.told == [ONE.key]
    monkeypatch.undo()
    await parts.is_done()


async def test_never_started(tmp_path: Path, clock: HandClock) -> None:
    """It may be stopped."""
    await Parts(tmp_path / "other.db", clock).assertions.stop()
