"""What the suite's tests share: gateways that run, each started once."""

from collections.abc import Iterator

import pytest

from tests.attack.stages import Stages


@pytest.fixture(scope="session")
def stages() -> Iterator[Stages]:
    """The stages; each is started when a row first asks."""
    with Stages() as running:
        yield running
