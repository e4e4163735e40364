"""Asking for what is open: each once, a few at a time, until it is answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import GatewayError
from gateway.sessions.confirm import LANES, Confirmations
from gateway.sessions.contact import Contact
from tests.support.endings import until
from tests.support.sessions import HandClock

MANY = [f"k{number}" for number in range(5 * LANES)]


class Played:
    """Confirmations whose store is played by the test."""

    def __init__(self) -> None:
        self.contact = Contact(HandClock(), 60.0, HandClock(0.0))
        self.contact.heard(0)
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.faults: dict[str, Exception] = {}
        self.confirmations = Confirmations(self.contact, self.ask)

    async def ask(self, key: str) -> None:
        self.asked.append(key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        await self.gate.wait()
        self.at_once -= 1
        if key in self.faults:
            raise self.faults[key]

    async def is_idle(self) -> None:
        await until(lambda: not self.confirmations._lanes)


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    """Confirmations while endings are told."""
    played = Played()
    yield played
    await played.confirmations.stop()
    played.contact.close()


async def test_each_is_asked_for_once_a_few_at_a_time(played: Played) -> None:
    """However often one is added before its turn; nothing is left behind."""
    for key in MANY * 3:
        played.confirmations.add(key)
    await played.is_idle()
    assert sorted(played.asked) == sorted(MANY)
    assert played.most_at_once == LANES
    assert not played.confirmations._waiting


async def test_one_added_while_it_is_asked_for_is_asked_for_again(played: Played) -> None:
    """The question under way may be older than what it was added for."""
    played.gate.clear()
    played.confirmations.add("k")
    await until(lambda: played.asked)
    played.confirmations.add("k")
    played.gate.set()
    await played.is_idle()
    assert played.asked == ["k", "k"]


async def test_what_fails_is_asked_for_again_and_holds_up_nobody(played: Played) -> None:
    """As long as endings are told: nothing else would ask for it."""
    bad = MANY[: 2 * LANES]
    played.faults = dict.fromkeys(bad, GatewayError("store_unavailable"))
    for key in MANY:
        played.confirmations.add(key)
    await until(lambda: set(played.asked) == set(MANY))
    await until(lambda: min(played.asked.count(key) for key in bad) > 1)
    played.faults = {}
    await played.is_idle()
    assert all(played.asked.count(key) == 1 for key in MANY[2 * LANES :])


async def test_a_store_that_is_away_changes_nothing(played: Played) -> None:
    """While endings are not told each is asked for once: their return asks for all again."""
    played.contact.lost()
    played.faults = {"k": GatewayError("store_unavailable")}
    played.confirmations.add("k")
    await played.is_idle()
    assert played.asked == ["k"]


async def test_a_fault_of_who_is_told(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are asked for."""
    played.faults = {key: ZeroDivisionError() for key in MANY}
    for key in MANY:
        played.confirmations.add(key)
    await played.is_idle()
    assert sorted(played.asked) == sorted(MANY)
    assert "a fault while an open session was looked up" in caplog.text


async def test_added_as_the_lanes_end(played: Played) -> None:
    """It is asked for, though no lane looks again: between its last look and its task's end."""
    played.gate.clear()
    for key in MANY[:LANES]:
        played.confirmations.add(key)
    await until(lambda: len(played.asked) == LANES)
    played.gate.set()
    # Behind the lanes' last steps, before the callbacks of their ends.
    asyncio.get_running_loop().call_soon(played.confirmations.add, "late")
    await until(lambda: "late" in played.asked)
    await played.is_idle()


async def test_a_new_stretch_begins_anew(played: Played) -> None:
    """What still waits and is not open any more is not asked for."""
    played.gate.clear()
    for key in MANY:
        played.confirmations.add(key)
    await until(lambda: len(played.asked) == LANES)
    played.confirmations.restart([MANY[0], MANY[-1]])
    played.gate.set()
    await played.is_idle()
    assert played.asked[LANES:] == [MANY[0], MANY[-1]]


async def test_stopped(played: Played) -> None:
    """What is under way ends, and nothing is asked from then on."""
    played.gate.clear()
    for key in MANY:
        played.confirmations.add(key)
    await until(lambda: len(played.asked) == LANES)
    await played.confirmations.stop()
    played.confirmations.add("late")
    assert not played.confirmations._lanes
    assert len(played.asked) == LANES
