"""Subjects that may not log in, on each kind of store and on one that fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.model import Subject
from gateway.sessions.service import NewLogin, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Block, SessionStore, Tombstone, UnconfirmedError
from tests.support.endings import until
from tests.support.session_process import service_on
from tests.support.sessions import HandClock, make_subject

ALICE, BOB = make_subject("o-alice"), make_subject("o-bob")


def login(subject: Subject) -> NewLogin:
    return NewLogin("shop", subject, openid=subject.id)


@pytest.fixture
async def service(store: SessionStore, clock: HandClock) -> AsyncIterator[SessionService]:
    """A service over each kind of store."""
    service = service_on(store, clock)
    await service.open()
    yield service
    await service.close()


async def code(service: SessionService, token: str) -> str:
    """`good`, or why a token is refused."""
    try:
        await service.authenticate(token)
    except GatewayError as error:
        return error.code
    return "good"


async def test_a_block_ends_and_keeps_out(service: SessionService) -> None:
    """All sessions at once, remembered or not; the reason is for operators."""
    first, second = [await service.create(login(ALICE)) for _ in range(2)]
    other = await service.create(login(BOB))
    assert await code(service, first.token) == "good"
    block = Block("卖号", None)
    assert await service.blocks.block(ALICE, block) == 2
    for token in (first.token, second.token):
        assert await code(service, token) == "session_revoked"
    with pytest.raises(GatewayError) as refused:
        await service.create(login(ALICE))
    assert (refused.value.code, "卖号" in str(refused.value)) == ("user_blocked", False)
    assert await service.blocks.of(ALICE) == block
    assert await service.blocks.of(BOB) is None
    assert await code(service, other.token) == "good"


async def test_a_block_lasts_as_long_as_it_says(service: SessionService, clock: HandClock) -> None:
    """Until its end, until another replaces it, or until it is lifted."""
    for last in (Block("", None), Block("", clock() + 60)):
        await service.blocks.block(ALICE, last)
    clock.forward(59)
    assert await service.blocks.of(ALICE) is not None
    clock.forward(2)
    assert await service.blocks.of(ALICE) is None
    await service.create(login(ALICE))
    await service.blocks.block(ALICE, Block("", None))
    assert [await service.blocks.unblock(ALICE) for _ in range(2)] == [True, False]
    await service.create(login(ALICE))


async def test_a_block_that_is_over_is_refused(service: SessionService, clock: HandClock) -> None:
    """Who asks for one means something else; nobody is ended."""
    issued = await service.create(login(ALICE))
    for until_at in (clock(), clock() - 3600):
        with pytest.raises(GatewayError, match="bad_request"):
            await service.blocks.block(ALICE, Block("", until_at))
    assert await code(service, issued.token) == "good"


class DoubtfulStore(SqliteStore):
    """A store that blocks nobody, or does so and cannot be sure."""

    error: str | None = None

    async def block(self, subject: Subject, block: Block) -> tuple[str, ...]:
        if self.error == "away":
            raise GatewayError("store_unavailable", "made to fail")
        keys = await super().block(subject, block)
        if self.error == "unconfirmed":
            raise UnconfirmedError(keys)
        return keys


@pytest.mark.parametrize("error", ["away", "unconfirmed"])
async def test_a_block_the_store_cannot_confirm_ends_here(
    error: str, tmp_path: Path, clock: HandClock
) -> None:
    """The operator is told, the sessions are dead here at once, and everywhere soon."""
    store = DoubtfulStore(tmp_path / "gateway.db", clock)
    service = service_on(store, clock)
    await service.open()
    issued = await service.create(login(ALICE))
    assert await code(service, issued.token) == "good"
    told: list[str] = []
    service.on_ended(told.append)
    store.error = error
    with pytest.raises(GatewayError, match="store_unavailable"):
        await service.blocks.block(ALICE, Block("", None))
    assert issued.session.key in told
    assert await code(service, issued.token) == "session_revoked"
    await until(lambda: not service.unconfirmed_endings)
    assert isinstance(await store.get(issued.session.key), Tombstone)
    await service.close()
