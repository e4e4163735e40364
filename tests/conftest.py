"""What all tests share: a gateway on real sockets."""

import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, run_gateway


def pytest_collection_finish() -> None:
    """Take the thousands of tests themselves out of every garbage collection: it halts servers."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with the usual settings, its simulator and its raw upstream."""
    async with run_gateway(tmp_path) as gateway:
        yield gateway
