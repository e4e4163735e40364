"""What the tests of the admin side share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.admin import READ_TOKEN, REVOKE_TOKEN
from tests.support.gateway import RunningGateway, run_gateway


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with three admin tokens."""
    tokens = [
        {"name": "ops", "token": "admin-token-for-tests", "scopes": ["read", "revoke"]},
        {"name": "reader", "token": READ_TOKEN, "scopes": ["read"]},
        {"name": "revoker", "token": REVOKE_TOKEN, "scopes": ["revoke"]},
    ]
    async with run_gateway(tmp_path, {"admin": {"tokens": tokens}}) as running:
        yield running
