"""Sessions open and close with their block, and say where their store is away."""

import secrets
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.opening import open_sessions
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.service import SessionPolicy, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SessionStore
from gateway.sessions.token import TokenSigner
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock


def service_of(store: SessionStore, clock: HandClock) -> SessionService:
    """Sessions over a store that is not open yet."""
    policy = SessionPolicy(1000.0, 1000.0, None, 3)
    signer, keyring = TokenSigner(("k" * 32,)), KeyRing((b"e" * 32,))
    return SessionService(store, signer, keyring, clock, policy, secrets.token_bytes)


async def test_they_live_as_long_as_the_block(tmp_path: Path, clock: HandClock) -> None:
    """The store is open inside, and closed behind."""
    sessions = service_of(SqliteStore(tmp_path / "gateway.db", clock), clock)
    async with open_sessions(sessions) as opened:
        assert opened is sessions
        await sessions.check_ready()
    with pytest.raises(GatewayError):
        await sessions.check_ready()


async def test_a_store_that_is_away_is_told_and_not_waited_for(
    own_redis: RedisServer, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It may come up later."""
    own_redis.stop()
    async with open_sessions(service_of(RedisStore(open_link(own_redis.url), clock), clock)):
        assert "the session store is away" in caplog.text
    own_redis.start()


async def test_a_store_that_cannot_be_opened_is_refused(tmp_path: Path, clock: HandClock) -> None:
    """Nothing of it stays open."""
    with pytest.raises(GatewayError, match="store_unavailable"):
        async with open_sessions(service_of(SqliteStore(tmp_path, clock), clock)):
            pass
