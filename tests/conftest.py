"""What all tests share: a gateway on real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, run_gateway


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with the usual settings, its simulator and its raw upstream."""
    async with run_gateway(tmp_path) as gateway:
        yield gateway
