"""What only SQLite's listing does: a page looks at a part of the file."""

import pytest

from gateway.sessions.model import Session
from gateway.sessions.sqlite import find as sqlite_find
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Wanted
from tests.support.sessions import make_session

MANY = 1000


async def test_find_looks_at_a_part(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that found nothing in its part of the keys is short, and names where to go on."""
    monkeypatch.setattr(sqlite_find, "SCAN_ROWS", 2)
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
