"""Following endings: through losses, faults and a store that is away; with a scripted store."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.errors import GatewayError
from gateway.sessions.contact import Contact
from gateway.sessions.feed import Feed
from gateway.sessions.parts import PartlyAwayError
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Listener
from tests.support.endings import until
from tests.support.sessions import HandClock

KEY = "A-key"


class ScriptedStore(SqliteStore):
    """A store whose telling is played by the test: it lasts until `cut`."""

    is_telling = True
    is_there = True
    away_parts = ""
    listener: Listener | None = None
    fault: Exception | None = None
    followed = 0
    pinged = 0

    async def follow(self, listener: Listener) -> NoReturn:
        self.followed += 1
        self.cut = asyncio.Event()
        if self.is_telling:
            self.listener = listener
            listener.heard(0.0)
            await self.cut.wait()
        if self.fault is not None:
            raise self.fault
        raise GatewayError("store_unavailable", "cut")

    async def ping(self) -> None:
        self.pinged += 1
        if not self.is_there:
            raise GatewayError("store_unavailable", "away")
        if self.away_parts:
            raise PartlyAwayError(self.away_parts)


class Played:
    """A feed on a scripted store, and what came of it."""

    def __init__(self) -> None:
        self.store = ScriptedStore(Path("unopened"), HandClock())
        self.steady = HandClock(0.0)
        self.contact = Contact(HandClock(), 60.0, self.steady)
        self.ended: list[str] = []
        self.stretches = 0
        self.silences = 0
        self.renewals: list[tuple[str, str]] = []
        self.feed = Feed(
            *(self.store, self.contact, self.ended.append, self.renewed, self.new_stretch),
            self.out_of_grace,
        )

    def renewed(self, key: str, successor: str) -> None:
        self.renewals.append((key, successor))

    def new_stretch(self) -> None:
        self.stretches += 1

    def out_of_grace(self) -> None:
        self.silences += 1


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    """A feed that is not started yet."""
    played = Played()
    yield played
    await played.feed.stop()


async def test_endings_are_passed_on(played: Played) -> None:
    """What the store tells is told, and the contact knows that it was heard."""
    played.feed.start()
    await until(lambda: played.contact.is_following)
    assert played.store.listener is not None
    played.store.listener.ended(["a", "b"])
    played.store.listener.heard(0.1)
    assert played.ended == ["a", "b"]


async def test_renewals_are_passed_on(played: Played) -> None:
    """With both keys."""
    played.feed.start()
    await until(lambda: played.store.listener)
    assert played.store.listener is not None
    played.store.listener.renewed("old", "new")
    assert played.renewals == [("old", "new")]
    assert played.ended == []


async def test_lost_and_found(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """After a loss the feed comes back by itself, in a new stretch; the log tells both, once."""
    caplog.set_level(logging.INFO)
    played.feed.start()
    stretches = []
    for _ in range(4):
        await until(lambda: played.contact.is_following)
        stretches.append(played.contact.stretch_of_a_lookup())
        played.store.cut.set()
        await until(lambda: not played.contact.is_following)
    assert len({id(stretch) for stretch in stretches}) == 4
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("endings of sessions are told again") == 3
    assert sum(message.startswith("endings of sessions are not told") for message in messages) == 4


async def test_while_nothing_is_told(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """The feed tries again and again, and says so once."""
    played.store.is_telling = False
    played.feed.start()
    await until(lambda: played.store.followed >= 4)
    assert not played.contact.is_following
    assert len(caplog.records) == 1


@pytest.mark.parametrize("is_there", [True, False])
async def test_only_a_call_says_that_the_store_is_away(played: Played, is_there: bool) -> None:
    """Where endings are not told but calls are answered, nothing goes on unasked."""
    stretch = played.contact.stretch_of_a_lookup()
    played.store.is_telling, played.store.is_there = False, is_there
    played.contact.failed()
    played.feed.start()
    await until(lambda: played.store.pinged >= 2)
    assert played.contact.goes_on(stretch, KEY) is not is_there


async def test_a_part_of_the_store_is_away(played: Played) -> None:
    """Only what lies there goes on unasked."""
    stretch = played.contact.stretch_of_a_lookup()
    played.store.is_telling, played.store.away_parts = False, "A"
    played.contact.failed()
    played.feed.start()
    await until(lambda: played.store.pinged >= 2)
    assert played.contact.goes_on(stretch, KEY)
    assert not played.contact.goes_on(stretch, "B-key")


@pytest.mark.parametrize("is_there", [True, False])
async def test_out_of_grace_is_told(played: Played, is_there: bool) -> None:
    """Again and again, while the store is away: not before, and not where it answers."""
    played.store.is_telling, played.store.is_there = False, is_there
    played.feed.start()
    await until(lambda: played.store.pinged >= 2)
    assert played.silences == 0
    played.steady.forward(60.5)
    seen = played.store.pinged
    await until(lambda: played.store.pinged >= seen + 3)
    assert (played.silences >= 2) is not is_there
    assert bool(played.silences) is not is_there


def test_pauses(played: Played) -> None:
    """They double from a tenth of a second to half a second, and differ by chance."""
    pauses = []
    for failures in range(1, 100):
        played.feed._failures = failures
        pauses.append(played.feed._pause_s())
    assert 0.05 <= pauses[0] <= 0.1
    assert all(0.25 <= pause <= 0.5 for pause in pauses[3:])
    assert len(set(pauses)) > 10


async def test_a_fault_of_who_is_told(played: Played, caplog: pytest.LogCaptureFixture) -> None:
    """A callback that fails is logged and followed by a new stretch: nothing is overlooked."""
    played.feed.start()
    await until(lambda: played.contact.is_following)
    stretch = played.contact.stretch_of_a_lookup()
    played.store.fault = ZeroDivisionError()
    played.store.cut.set()
    await until(lambda: played.store.followed == 2)
    assert played.contact.stretch_of_a_lookup() is not stretch
    assert "a fault while endings of sessions were told" in caplog.text


async def test_each_new_stretch_is_told(played: Played) -> None:
    """Each time endings may have been missed, and no other time."""
    played.feed.start()
    await until(lambda: played.stretches == 1)
    assert played.store.listener is not None
    played.store.listener.heard(0.0)
    assert played.stretches == 1
    played.store.cut.set()
    await until(lambda: played.stretches == 2)


async def test_stopped(played: Played) -> None:
    """A feed that has ended leaves nothing that is believed; one never started may be stopped."""
    played.feed.start()
    await until(lambda: played.contact.is_following)
    await played.feed.stop()
    assert not played.contact.is_following
    await Played().feed.stop()
