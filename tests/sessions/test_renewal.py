"""Renewals, on both stores: one successor, an overlap, an end to it, and not too often."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.renewal import (
    RENEW_OVERLAP_S,
    RENEWALS_PER_MINUTE,
)
from gateway.sessions.service import Issued, NewLogin, SessionPolicy, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner
from tests.support.endings import until
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

DAY_S = 86400.0
POLICY = SessionPolicy(30 * DAY_S, 180 * DAY_S, None, 3)
ALICE = make_subject("o-alice")
LOGIN = NewLogin("shop", ALICE, openid="o-alice", unionid="u-alice", session_key="secret-key")


def build(
    store: SessionStore,
    clock: HandClock,
    policy: SessionPolicy = POLICY,
    encryption_key: bytes = b"e" * 32,
) -> SessionService:
    """A service as of one process; minutes pass by `clock`, for its limit too."""
    return SessionService(
        store,
        TokenSigner(["k" * 32]),
        KeyRing([encryption_key]),
        clock,
        policy,
        secrets.token_bytes,
        monotonic=clock,
    )


@asynccontextmanager
async def opened(service: SessionService) -> AsyncIterator[SessionService]:
    await service.open()
    await until(lambda: service.is_following)
    yield service
    await service.close()


@pytest.fixture
async def service(store: SessionStore, clock: HandClock) -> AsyncIterator[SessionService]:
    """A service that is open, on each kind of store."""
    async with opened(build(store, clock)) as service:
        yield service


async def code_of(service: SessionService, issued: Issued) -> str:
    try:
        await service.authenticate(issued.token)
    except GatewayError as error:
        return error.code
    return "good"


async def refusal(service: SessionService, issued: Issued) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await service.renew(issued.session)
    return caught.value


# The successor


async def test_a_renewal(service: SessionService, clock: HandClock) -> None:
    """A new token and key for the same login, with a lifetime from now on."""
    old = await service.create(LOGIN)
    clock.forward(10 * DAY_S)
    new = await service.renew(old.session)
    assert new.session == replace(
        old.session,
        key=new.session.key,
        expires_at=int(clock()) + 30 * DAY_S,
        last_used_at=clock(),
    )
    assert new.session.origin == old.session.key
    assert new.session.key != old.session.key
    assert await service.authenticate(new.token) == new.session


async def test_the_overlap(service: SessionService, clock: HandClock) -> None:
    """The old token is good for a minute, and not a second longer."""
    old = await service.create(LOGIN)
    await service.authenticate(old.token)
    new = await service.renew(old.session)
    until_at = clock() + RENEW_OVERLAP_S
    session = await service.authenticate(old.token)
    assert (session.successor, session.expires_at) == (new.session.key, until_at)
    clock.now = until_at
    assert await code_of(service, old) == "good"
    clock.forward(0.5)
    assert await code_of(service, old) == "session_expired"
    assert (await refusal(service, old)).code == "session_expired"
    assert await code_of(service, new) == "good"


async def test_asked_again(service: SessionService, clock: HandClock) -> None:
    """It is the same successor, whose token is dated anew; its lifetime is what it was."""
    old = await service.create(LOGIN)
    new = await service.renew(old.session)
    clock.forward(30)
    again = await service.renew(old.session)
    assert again.session == new.session
    assert again.session_id == new.session_id
    assert again.token != new.token
    assert await service.authenticate(again.token) == new.session


async def test_a_chain(service: SessionService) -> None:
    """A successor may be renewed at once; who asks for the first gets the second, not the third."""
    first = await service.create(LOGIN)
    second = await service.renew(first.session)
    third = await service.renew(second.session)
    assert third.session.origin == first.session.key
    assert third.session.created_at == first.session.created_at
    assert (await service.renew(first.session)).session_id == second.session_id
    for each in (first, second, third):
        assert await code_of(service, each) == "good"


async def test_concurrent_renewals_in_two_processes(store: SessionStore, clock: HandClock) -> None:
    """All get one successor."""
    async with opened(build(store, clock)) as here, opened(build(store, clock)) as there:
        old = await here.create(LOGIN)
        answers = await asyncio.gather(
            *(each.renew(old.session) for _ in range(5) for each in (here, there))
        )
        assert len({issued.session_id for issued in answers}) == 1
        assert len({issued.session.key for issued in answers}) == 1
        for issued in answers:
            assert await code_of(there, issued) == "good"


async def test_another_process_learns_of_it(store: SessionStore, clock: HandClock) -> None:
    """What it remembers of the old session is no longer true, and it says so."""
    async with opened(build(store, clock)) as here, opened(build(store, clock)) as there:
        told: list[tuple[str, str]] = []
        there.on_renewed(lambda key, successor: told.append((key, successor)))
        old = await here.create(LOGIN)
        await there.authenticate(old.token)
        new = await here.renew(old.session)
        await until(lambda: told)
        assert told[0] == (old.session.key, new.session.key)
        clock.forward(RENEW_OVERLAP_S + 1)
        assert await code_of(there, old) == "session_expired"


# How long


async def test_max_lifetime(service: SessionService, clock: HandClock) -> None:
    """However often renewed, a login ends; what is said of it is true."""
    issued = await service.create(LOGIN)
    for _ in range(7):
        clock.now = issued.session.expires_at - 1
        issued = await service.renew(issued.session)
    assert issued.session.expires_at == int(START_AT) + 180 * DAY_S
    clock.now = issued.session.expires_at
    assert await code_of(service, issued) == "good"
    last = await service.renew(issued.session)
    assert last.session.expires_at == issued.session.expires_at
    clock.forward(1)
    for each in (issued, last):
        assert await code_of(service, each) == "session_expired"


async def test_a_max_lifetime_that_was_made_shorter(store: SessionStore, clock: HandClock) -> None:
    """What is over by today's settings is not renewed."""
    async with opened(build(store, clock)) as service:
        issued = await service.create(LOGIN)
    clock.forward(10 * DAY_S)
    async with opened(build(store, clock, replace(POLICY, max_lifetime_s=DAY_S))) as service:
        assert (await refusal(service, issued)).code == "session_expired"
        assert await code_of(service, issued) == "good"


async def test_max_per_subject(service: SessionService, clock: HandClock) -> None:
    """A renewed session is not counted, and goes with its successor."""
    first = await service.create(LOGIN)
    renewed = await service.renew(first.session)
    clock.forward(1)
    others = [await service.create(LOGIN) for _ in range(2)]
    for each in (first, renewed, *others):
        assert await code_of(service, each) == "good"
    clock.forward(1)
    await service.create(LOGIN)
    for each in (first, renewed):
        assert await code_of(service, each) == "session_revoked"
    for each in others:
        assert await code_of(service, each) == "good"


# What cannot be renewed


@pytest.mark.parametrize("is_old", [True, False])
async def test_ending_either_ends_both(service: SessionService, is_old: bool) -> None:
    """And neither is renewed any more."""
    old = await service.create(LOGIN)
    new = await service.renew(old.session)
    for each in (old, new):
        await service.authenticate(each.token)
    ended = await service.end((old if is_old else new).session.key)
    assert set(ended) == {old.session.key, new.session.key}
    for each in (old, new):
        assert await code_of(service, each) == "session_revoked"
        assert (await refusal(service, each)).code == "session_revoked"


async def test_unknown(service: SessionService) -> None:
    """A session that the store never had, or has lost, has expired."""
    made_up = Issued("", make_session(1, ALICE), "")
    assert (await refusal(service, made_up)).code == "session_expired"


async def test_a_store_that_is_away(clock: HandClock) -> None:
    """503: the client asks again, and gets the successor if there is one."""
    service = build(open_store("redis://127.0.0.1:1", clock), clock)
    await service.open()
    made_up = Issued("", make_session(1, ALICE), "")
    assert (await refusal(service, made_up)).code == "store_unavailable"
    await service.close()


async def test_a_successor_sealed_by_a_newer_key(store: SessionStore, clock: HandClock) -> None:
    """While keys are rolled out a process may not have it yet: 503, nobody is logged out."""
    async with (
        opened(build(store, clock, encryption_key=b"n" * 32)) as newer,
        opened(build(store, clock)) as older,
    ):
        old = await newer.create(LOGIN)
        new = await newer.renew(old.session)
        assert (await refusal(older, old)).code == "store_unavailable"
        assert await code_of(older, new) == "good"


async def test_a_successor_kept_under_another_key(store: SessionStore, clock: HandClock) -> None:
    """What was sealed for one session opens for no other."""
    async with opened(build(store, clock)) as service:
        old = await service.create(LOGIN)
        sealed = KeyRing([b"e" * 32]).seal("a" * 24, "successor.v1:" + "x" * 43)
        successor = replace(old.session, key=make_session(9).key)
        assert await store.renew(old.session.key, successor, sealed, clock() + 60) == sealed
        assert (await refusal(service, old)).code == "store_unavailable"


# Not too often


async def test_one_login_in_a_loop(service: SessionService, clock: HandClock) -> None:
    """The successor counts with its origin; another login is not held up."""
    issued = other = await service.create(LOGIN)
    other = await service.create(LOGIN)
    for _ in range(RENEWALS_PER_MINUTE):
        issued = await service.renew(issued.session)
    error = await refusal(service, issued)
    assert (error.code, error.retry_after_s) == ("rate_limited", 60)
    await service.renew(other.session)
    clock.forward(60)
    await service.renew(issued.session)


async def test_a_store_that_is_away_uses_no_renewal_up(clock: HandClock, tmp_path: Path) -> None:
    """We say "try again": who does is not refused for it when the store is back."""
    service = build(SqliteStore(tmp_path / "gateway.db", clock), clock)
    async with opened(service):
        issued = await service.create(LOGIN)
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                assert (await refusal(service, issued)).code == "store_unavailable"
        for _ in range(RENEWALS_PER_MINUTE):
            issued = await service.renew(issued.session)


async def test_a_successor_renewed_elsewhere(clock: HandClock, tmp_path: Path) -> None:
    """Asked again by the old token, before the news has come: its end is told as it is."""
    path = tmp_path / "gateway.db"
    here, there = [build(SqliteStore(path, clock), clock) for _ in range(2)]
    async with opened(here), opened(there):
        first = await here.create(LOGIN)
        second = await there.renew(first.session)
        await there.authenticate(second.token)
        await here.renew(second.session)
        again = await there.renew(first.session)
        assert again.session.key == second.session.key
        assert again.session.expires_at == clock() + RENEW_OVERLAP_S
