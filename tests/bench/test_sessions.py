"""Sessions of the benchmark are real ones, and the peers' checks know their tokens."""

import asyncio
import base64
from pathlib import Path

from bench.peers.verifier import is_signed
from bench.sessions import make_sessions
from gateway.clock import now
from gateway.sessions.model import Session
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.token import TokenSigner, session_key_of


def test_each_token_names_a_session_of_the_store(tmp_path: Path) -> None:
    """As many as asked for, each once, where the gateway will look."""
    made = make_sessions(tmp_path, 20)
    tokens = made.tokens.read_text().split()
    signer = TokenSigner([made.signing_key])
    keys = [session_key_of(signer.read(token, now(), 60.0)) for token in tokens]
    assert len(set(keys)) == 20
    assert made.first_token() == tokens[0]
    assert {type(one) for one in asyncio.run(_look_up(made.store, keys))} == {Session}


async def _look_up(path: Path, keys: list[str]) -> list[object]:
    store = SqliteStore(path, now)
    await store.open()
    try:
        return [await store.get(key) for key in keys]
    finally:
        await store.close()


def test_the_peers_check_is_the_same_signature(tmp_path: Path) -> None:
    """With the derived key; another key, another prefix or a changed token is refused."""
    made = make_sessions(tmp_path, 1)
    key, token = bytes.fromhex(made.token_key()), made.first_token()
    assert is_signed(key, f"Bearer {token}")
    assert not is_signed(key, f"Basic {token}")
    assert not is_signed(key, f"Bearer {token[:-4]}AAAA")
    assert not is_signed(bytes(32), f"Bearer {token}")
    assert not is_signed(key, "")


def test_nothing_secret_is_in_its_repr(tmp_path: Path) -> None:
    """The report prints what it likes of it."""
    made = make_sessions(tmp_path, 1)
    assert made.signing_key not in repr(made)
    assert base64.b64decode(made.encryption_key)
    assert made.encryption_key not in repr(made)
