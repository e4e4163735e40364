"""A scripted platform, and the parts under test as the gateway builds them."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from gateway.platforms.api import ApiCaller, open_api_caller
from gateway.platforms.registry import Platforms, build_exchanges
from tests.support.platform_cases import CASES, TOKEN_PATH, Case
from tests.support.platform_server import PlatformServer, json_answer, open_platform_server
from tests.support.sessions import HandClock

# The machine is shared: a slow example says nothing about us.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture
async def server() -> AsyncIterator[PlatformServer]:
    """A platform that answers as the test says."""
    async with open_platform_server() as scripted:
        yield scripted


@pytest.fixture
def platform(server: PlatformServer) -> PlatformServer:
    """The same, giving out access tokens without a script."""
    server.always[TOKEN_PATH] = json_answer({"access_token": "t0ken", "expires_in": 86400})
    return server


@pytest.fixture
async def caller() -> AsyncIterator[ApiCaller]:
    """The caller as the gateway opens it."""
    async with open_api_caller() as opened:
        yield opened


@pytest.fixture
def clock() -> HandClock:
    """Moved by hand."""
    return HandClock()


@pytest.fixture
def platforms(caller: ApiCaller, clock: HandClock) -> Platforms:
    """The exchanges as the gateway builds them."""
    return build_exchanges(caller, clock)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each exchange in turn."""
    assert isinstance(request.param, Case)
    return request.param
