"""What the tests of sessions share: a clock moved by hand, a real Redis, both kinds of store."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.metrics.counts import Counts
from gateway.sessions.counted import CountedStore
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SessionStore
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sessions import HandClock


@pytest.fixture
def clock() -> HandClock:
    """A clock that moves only by hand."""
    return HandClock()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for the whole run; it is killed at the end."""
    yield from running_redis(tmp_path_factory.mktemp("redis"))


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """The shared Redis, emptied."""
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone, which it may stop, freeze and start."""
    yield from running_redis(tmp_path)


@pytest.fixture
async def sqlite_store(tmp_path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    """An open SQLite store."""
    store = SqliteStore(tmp_path / "data" / "gateway.db", clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def redis_store(redis_server: RedisServer, clock: HandClock) -> AsyncIterator[RedisStore]:
    """An open Redis store."""
    store = RedisStore(open_link(redis_server.url), clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def counted_store(sqlite_store: SqliteStore) -> CountedStore:
    """A store whose calls are counted."""
    return CountedStore(sqlite_store, Counts())


@pytest.fixture(params=["sqlite", "redis", "counted"])
def store(request: pytest.FixtureRequest) -> SessionStore:
    """Each kind of store in turn."""
    found: SessionStore = request.getfixturevalue(f"{request.param}_store")
    return found
