"""Endings made here: at once here, and said again where the store cannot say that it is done."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from gateway.errors import GatewayError
from gateway.sessions.service import Issued, NewLogin, SessionService
from gateway.sessions.store import Block
from tests.support.doubtful import DoubtfulStore
from tests.support.endings import until
from tests.support.session_process import service_on
from tests.support.sessions import HandClock, make_session, make_subject

ALICE, BOB = make_subject("o-alice"), make_subject("o-bob")
LOGIN, OTHER = NewLogin("shop", ALICE, openid="o-alice"), NewLogin("shop", BOB, openid="o-bob")

Fault = Literal["away", "unconfirmed"]
FAULTS = pytest.mark.parametrize("fault", ["away", "unconfirmed"])


class Parts:
    """A service over a store whose endings can fail, and who was told of them."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.clock = clock
        self.store = DoubtfulStore(path, clock)
        self.service: SessionService = service_on(self.store, clock)
        self.told: list[str] = []
        self.service.on_ended(self.told.append)

    async def used(self, login: NewLogin = LOGIN) -> Issued:
        """A session that this process remembers."""
        issued = await self.service.create(login)
        await self.service.authenticate(issued.token)
        return issued

    async def code(self, issued: Issued) -> str:
        try:
            await self.service.authenticate(issued.token)
        except GatewayError as error:
            return error.code
        return "good"

    async def end(self, issued: Issued) -> str:
        try:
            await self.service.end(issued.session.key)
        except GatewayError as error:
            return error.code
        return "done"

    async def end_subject(self) -> str:
        try:
            await self.service.end_subject(ALICE)
        except GatewayError as error:
            return error.code
        return "done"

    async def is_confirmed(self) -> None:
        self.store.fault = None
        await until(lambda: not self.service.unconfirmed_endings)


@pytest.fixture
async def parts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Parts]:
    """A service that follows its store."""
    parts = Parts(tmp_path / "gateway.db", clock)
    await parts.service.open()
    await until(lambda: parts.service.is_following)
    yield parts
    await parts.service.close()


async def test_ended(parts: Parts) -> None:
    """The keys of the whole login are told, and nothing waits."""
    first, other = await parts.used(), await parts.used()
    second = await parts.service.renew(first.session)
    assert set(await parts.service.end(second.session.key)) == {
        first.session.key,
        second.session.key,
    }
    assert [await parts.code(each) for each in (first, second)] == ["session_revoked"] * 2
    assert await parts.code(other) == "good"
    assert parts.service.unconfirmed_endings == 0
    assert await parts.service.end(second.session.key) == ()


@FAULTS
async def test_an_ending_stands(parts: Parts, fault: Fault) -> None:
    """The caller gets 503, and yet it is refused and told; then the store confirms it."""
    issued, other = await parts.used(), await parts.used()
    parts.store.fault = fault
    assert await parts.end(issued) == "store_unavailable"
    assert await parts.code(issued) == "session_revoked"
    assert parts.service.recall(issued.token) is None
    assert issued.session.key in parts.told
    assert await parts.code(other) == "good"
    assert parts.service.unconfirmed_endings == 1
    await parts.is_confirmed()
    assert not await parts.store.lives(issued.session.key)
    assert await parts.code(issued) == "session_revoked"
    assert await parts.code(other) == "good"


@FAULTS
@pytest.mark.parametrize("is_old", [True, False])
async def test_both_of_a_renewal_end(parts: Parts, fault: Fault, is_old: bool) -> None:
    """Whichever of them is ended, while the store cannot say that it is done."""
    first = await parts.used()
    second = await parts.service.renew(first.session)
    for each in (first, second):
        assert await parts.code(each) == "good"
    parts.store.fault = fault
    assert await parts.end(first if is_old else second) == "store_unavailable"
    assert [await parts.code(each) for each in (first, second)] == ["session_revoked"] * 2
    await parts.is_confirmed()
    assert [await parts.code(each) for each in (first, second)] == ["session_revoked"] * 2


@FAULTS
async def test_a_subject_s_sessions_stand_ended(parts: Parts, fault: Fault) -> None:
    """Those remembered at once, others when they are looked up; nobody else's."""
    mine = [await parts.used() for _ in range(3)]
    unused, other = await parts.service.create(LOGIN), await parts.used(OTHER)
    parts.store.fault = fault
    assert await parts.end_subject() == "store_unavailable"
    for issued in (*mine, unused):
        assert await parts.code(issued) == "session_revoked"
    assert await parts.code(other) == "good"
    await parts.is_confirmed()
    for issued in (*mine, unused):
        assert not await parts.store.lives(issued.session.key)
    assert await parts.code(other) == "good"


async def test_a_login_that_comes_later(parts: Parts) -> None:
    """While a subject's endings wait it is good; so it stays, once its sessions are known."""
    await parts.used()
    parts.store.fault = "unconfirmed"
    await parts.end_subject()
    parts.clock.forward(1)
    later = await parts.used()
    assert await parts.code(later) == "good"
    await parts.is_confirmed()
    assert await parts.code(later) == "good"


async def test_many_sessions_are_looked_through(parts: Parts) -> None:
    """More than one step of them."""
    memory = parts.service._memory
    stretch = memory._contact.stretch_of_a_lookup()
    for number in range(2500):
        memory._cache.put(make_session(number, ALICE if number % 2 else BOB), stretch, 0.0)
    parts.store.fault = "away"
    assert await parts.end_subject() == "store_unavailable"
    assert {session.subject for session in memory.sessions()} == {BOB}
    assert len(memory.sessions()) == 1250


async def test_said_again_by_its_caller(parts: Parts) -> None:
    """A second logout that works leaves nothing to wait."""
    issued = await parts.used()
    parts.store.bad = frozenset({issued.session.key})
    assert await parts.end(issued) == "store_unavailable"
    parts.store.bad = frozenset()
    assert await parts.end(issued) == "done"
    assert parts.service.unconfirmed_endings == 0


async def test_undone_by_a_failover(parts: Parts) -> None:
    """An ending of the last minute is said again when endings may have been missed."""
    issued = await parts.used()
    key = issued.session.key
    parts.service._endings.done((key,), "logout")
    assert await parts.store.lives(key), "a failover has brought it back"
    feed = parts.service._memory._feed
    await feed.stop()
    feed.start()
    await until(lambda: parts.store.said == [key])
    await until(lambda: not parts.service.unconfirmed_endings)
    assert not await parts.store.lives(key)


async def test_a_block(parts: Parts) -> None:
    """Its endings stand as others do, but no other fault of it means one."""
    issued = await parts.used()
    with pytest.raises(GatewayError, match="bad_request"):
        await parts.service.blocks.block(ALICE, Block("spam", parts.clock() - 1))
    assert await parts.code(issued) == "good"
    assert await parts.service.blocks.block(ALICE, Block("spam", None)) == 1
    assert await parts.code(issued) == "session_revoked"
    assert parts.service.unconfirmed_endings == 0


async def test_a_call_that_fails_for_another_reason(parts: Parts) -> None:
    """Only a store that cannot be used leaves an ending in doubt."""

    async def refuse() -> tuple[str, ...]:
        raise GatewayError("bad_request")

    issued = await parts.used()
    with pytest.raises(GatewayError, match="bad_request"):
        await parts.service._endings.carry(refuse(), ALICE, "revoked")
    assert await parts.code(issued) == "good"
    assert parts.service.unconfirmed_endings == 0
