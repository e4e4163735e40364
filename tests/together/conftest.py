"""A real Redis for several gateways."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of its own for each test."""
    folder = tmp_path / "redis"
    folder.mkdir()
    yield from running_redis(folder)
