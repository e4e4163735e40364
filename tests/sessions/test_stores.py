"""Which store a URL names."""

from pathlib import Path

import pytest

from gateway.sessions.redis.store import RedisStore
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.stores import open_store
from tests.support.sessions import HandClock, make_session


async def test_sqlite(tmp_path: Path, clock: HandClock) -> None:
    """`sqlite:` and a path is a store in that file."""
    store = open_store(f"sqlite:{tmp_path}/data/gateway.db", clock)
    assert isinstance(store, SqliteStore)
    await store.open()
    await store.create(make_session(1), None, 1)
    await store.close()
    assert (tmp_path / "data" / "gateway.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "rediss://user:pass@127.0.0.1:1/0",
        "redis+sentinel://127.0.0.1:1/main",
        "rediss+sentinel://127.0.0.1:1/main",
        "redis+cluster://127.0.0.1:1,127.0.0.1:2",
        "rediss+cluster://127.0.0.1:1",
    ],
)
async def test_redis(url: str, clock: HandClock) -> None:
    """Each kind of Redis, which need not be there yet."""
    store = open_store(url, clock)
    assert isinstance(store, RedisStore)
    await store.open()
    await store.close()


@pytest.mark.parametrize(
    "url", ["", "sqlite", "sqlite:", "redis", "redis:x", "redis+x://u:pw@host", "mysql://u:pw@host"]
)
def test_anything_else(url: str, clock: HandClock) -> None:
    """Anything else is refused, without quoting what may hold a password."""
    with pytest.raises(ValueError, match="redis://") as caught:
        open_store(url, clock)
    assert "pw" not in str(caught.value)
