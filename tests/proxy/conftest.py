"""Runs the data path's tests on both event loops: production runs on uvloop, which differs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from logging import ERROR

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loops each asynchronous test here runs on."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_errors_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test in which a task's exception was lost, or aiohttp met one it does not know."""
    yield
    errors = [each.getMessage() for each in caplog.get_records("call") if each.levelno >= ERROR]
    # A TLS service of a test says so when we refuse its certificate, as we should.
    assert not [error for error in errors if not error.startswith("Error on transport creation")]
