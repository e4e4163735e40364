"""What a counted store counts; that it keeps the contract, `test_store.py` shows."""

import asyncio
import inspect
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.metrics.catalogue import SESSIONS_CREATED, SESSIONS_ENDED, STORE_CALLS
from gateway.metrics.counts import Counts
from gateway.sessions.counted import CountedStore
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import LOGOUT, REVOKED, SessionStore
from gateway.sessions.token import session_key_of
from tests.support.sessions import HandClock, make_session, make_subject


def told(counts: Counts) -> dict[str, object]:
    """What was counted, by metric."""
    return counts.snapshot()


async def test_beginnings_and_ends_are_counted(sqlite_store: SqliteStore) -> None:
    """By platform and app, and by the reason; who was already gone is not counted again."""
    counts = Counts()
    store = CountedStore(sqlite_store, counts)
    for number in range(4):
        await store.create(make_session(number), None, max_per_subject=3)
    assert await store.end(make_session(3).key, LOGOUT)
    assert not await store.end(make_session(3).key, LOGOUT)
    assert len(await store.end_subject(make_subject(), REVOKED)) == 2
    assert await store.end_subject(make_subject(), REVOKED) == ()
    found = told(counts)
    assert found[SESSIONS_CREATED.name] == [(("wechat", make_session(0).app), [4])]
    assert found[SESSIONS_ENDED.name] == [
        (("pushed_out",), [1]),
        ((LOGOUT,), [1]),
        ((REVOKED,), [2]),
    ]


async def test_calls_are_counted_by_how_they_ended(sqlite_store: SqliteStore) -> None:
    """A store that is away fails with our code, as ever."""
    counts = Counts()
    store = CountedStore(sqlite_store, counts)
    await store.get(session_key_of("nobody"))
    await store.close()
    for call in (store.get(session_key_of("nobody")), store.ping()):
        with pytest.raises(GatewayError, match="store_unavailable"):
            await call
    assert told(counts)[STORE_CALLS.name] == [
        (("get", "ok"), [1]),
        (("get", "store_unavailable"), [1]),
        (("ping", "store_unavailable"), [1]),
    ]


async def test_a_login_that_was_not_kept_is_no_session(sqlite_store: SqliteStore) -> None:
    """Only what the store has taken has begun."""
    counts = Counts()
    store = CountedStore(sqlite_store, counts)
    await store.close()
    with pytest.raises(GatewayError):
        await store.create(make_session(1), None, 3)
    assert SESSIONS_CREATED.name not in told(counts)


class Silent(SqliteStore):
    """A store that never answers."""

    async def ping(self) -> None:
        await asyncio.Event().wait()


async def test_a_call_that_was_given_up_by_its_caller_is_not_counted(
    tmp_path: Path, clock: HandClock
) -> None:
    """It says nothing of the store."""
    counts = Counts()
    silent = CountedStore(Silent(tmp_path / "gateway.db", clock), counts)
    task = asyncio.create_task(silent.ping())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert told(counts) == {}


def test_every_call_goes_on() -> None:
    """A call that the contract gains is one here too."""
    promised = {name for name, _ in inspect.getmembers(SessionStore, inspect.isfunction)}
    there = {name for name, _ in inspect.getmembers(CountedStore, inspect.isfunction)}
    assert {name for name in promised if not name.startswith("_")} <= there
