"""What takes logins is built over the store in use, and closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.clock import now
from gateway.errors import GatewayError
from gateway.loader import load
from gateway.login_side import build_limits
from gateway.settings import Settings
from tests.support.gateway import merge, problem, run_gateway, settings_of
from tests.support.redis_server import RedisServer, running_redis

RATES = {"login": {"limits": {"per_ip": None, "per_app": "1/1m", "total": None}}}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


def settings(folder: Path, changes: dict[str, object]) -> Settings:
    path = folder / "gateway.yaml"
    written = merge(merge(settings_of(9000, "http://127.0.0.1:9"), RATES), changes)
    path.write_text(yaml.safe_dump(written))
    return load(path, {}).settings


async def is_limited(limited: Settings) -> bool:
    """Whether a new process's first login is one too many."""
    limits = build_limits(limited, now)
    try:
        await limits.count_app("shop-wechat")
    except GatewayError as error:
        return error.code == "rate_limited"
    finally:
        await limits.close()
    return False


async def test_with_redis_all_processes_count_together(tmp_path: Path, redis: RedisServer) -> None:
    """And each gives its connections up."""
    shared = settings(tmp_path, {"session": {"store": redis.url}})
    assert [await is_limited(shared) for _ in range(2)] == [False, True]


async def test_with_sqlite_each_counts_for_itself(tmp_path: Path) -> None:
    """In its memory."""
    alone = settings(tmp_path, {})
    assert [await is_limited(alone) for _ in range(2)] == [False, False]


async def test_without_redis_a_login_is_refused_at_once(tmp_path: Path, redis: RedisServer) -> None:
    """503 before any call, so that its code is not lost: it is good when Redis is back."""
    async with run_gateway(tmp_path, {"session": {"store": redis.url}}) as running:
        code = await running.code()
        redis.stop()
        answer = await running.post("/login", {"app": "shop-wechat", "code": code})
        assert (answer.status, problem(answer)["code"]) == (503, "store_unavailable")
        assert answer.value("Retry-After") is not None
        redis.start()
        answer = await running.post("/login", {"app": "shop-wechat", "code": code})
        assert answer.status == 200
