"""The sessions that are measured are as logins make them."""

import asyncio
import base64
from pathlib import Path

import pytest

from bench.stores.filling import fill, make_sessions
from bench.stores.own import APP_ID, Keys
from gateway.clock import now
from gateway.sessions.model import Session
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Wanted, subject_key_of
from gateway.sessions.token import TokenSigner, is_session_key, session_key_of

KEYS = Keys("s" * 40, base64.b64encode(b"e" * 32).decode())


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file of this test alone."""
    return f"sqlite:{tmp_path / 'gateway.db'}"


def test_sessions_come_with_their_tokens(url: str) -> None:
    """Signed with the key that the gateway gets."""
    made = make_sessions(url, KEYS, 20)
    signer = TokenSigner([KEYS.signing])
    assert len({one.key for one in made}) == 20
    for one in made:
        assert session_key_of(signer.read(one.token, now(), 3600)) == one.key
        assert one.token not in repr(one)


def test_rows_are_those_of_logins(url: str, tmp_path: Path) -> None:
    """Each session is of a subject of its own, on its slot, and has its sealed key."""
    fill(url, 20)
    found, sealed = _read(tmp_path)
    assert len({session.subject for session in found}) == len(found) == 20
    assert {session.subject.app_id for session in found} == {APP_ID}
    assert all(session.key[0] == subject_key_of(session.subject)[0] for session in found)
    assert all(is_session_key(session.key) for session in found)
    assert sealed == [1] * 20


def _read(folder: Path) -> tuple[tuple[Session, ...], list[int]]:
    """All sessions of the file, and how many sealed keys each one's subject has."""

    async def read() -> tuple[tuple[Session, ...], list[int]]:
        store = SqliteStore(folder / "gateway.db", now)
        await store.open()
        found = (await store.find(Wanted(), 100, None)).sessions
        sealed = [len(await store.session_keys(session.subject)) for session in found]
        await store.close()
        return found, sealed

    return asyncio.run(read())
