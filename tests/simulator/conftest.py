"""A running simulator with a few apps, a clock moved by hand, and raw HTTP to talk to it."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import pytest

from gateway.simulator.app import SimulatedApp, build_simulator
from gateway.simulator.server import Running, start

APPS = (
    SimulatedApp("wechat", "wx1", "wx1-secret"),
    SimulatedApp("wechat", "wx2", "wx2-secret", is_bound=True),
    SimulatedApp("douyin", "tt1", "tt1-secret"),
    SimulatedApp("douyin", "tt2", "tt2-secret"),
    SimulatedApp("douyin", "ttgame", "ttgame-secret", "mini-game"),
    SimulatedApp("baidu", "bd1", "bd1-secret"),
    SimulatedApp("baidu", "bd2", "bd2-secret"),
    SimulatedApp("kuaishou", "ks1", "ks1-secret"),
    SimulatedApp("kuaishou", "ks2", "ks2-secret"),
    SimulatedApp("kuaishou", "ksgame", "ksgame-secret", "mini-game", is_bound=True),
    SimulatedApp("kuaishou", "ksgame2", "ksgame2-secret", "mini-game"),
)


class HandClock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds


@dataclass(frozen=True, slots=True)
class Told:
    """An answer off the wire."""

    status: int
    content_type: str | None
    body: bytes

    @property
    def json(self) -> Any:  # the edge: tests look into whatever came
        return json.loads(self.body)


class Simulator:
    """Raw HTTP to a running simulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, clock: HandClock) -> None:
        self.session = session
        self.url = url
        self.clock = clock

    async def ask(self, method: str, path: str, **more: Any) -> Told:
        """Send a request, follow nothing, read the answer."""
        more.setdefault("allow_redirects", False)
        async with self.session.request(method, self.url + path, **more) as answer:
            return Told(answer.status, answer.headers.get("Content-Type"), await answer.read())

    async def get(self, path: str, **query: str) -> Told:
        """GET with a query."""
        return await self.ask("GET", path, params=query)

    async def form(self, path: str, **fields: str) -> Told:
        """POST a form."""
        return await self.ask("POST", path, data=fields)

    async def post(self, path: str, fields: object, **more: Any) -> Told:
        """POST JSON."""
        return await self.ask("POST", path, json=fields, **more)

    async def codes(self, platform: str, app_id: str, user: str = "ann", **more: object) -> Any:
        """Mint codes; the whole answer."""
        fields = {"platform": platform, "app_id": app_id, "user": user, **more}
        told = await self.post("/_sim/codes", fields)
        assert told.status == 200, told.body
        return told.json

    async def code(self, platform: str, app_id: str, user: str = "ann", **more: object) -> str:
        """Mint a code."""
        code: str = (await self.codes(platform, app_id, user, **more))["code"]
        return code

    async def fault(self, platform: str, kind: str, **more: object) -> None:
        """Ask for a fault."""
        told = await self.post("/_sim/faults", {"platform": platform, "kind": kind, **more})
        assert told.status == 200, told.body

    async def calls(self, platform: str) -> dict[str, int]:
        """Read the counters of a platform."""
        counters: dict[str, int] = (await self.get("/_sim/calls")).json["platforms"][platform]
        return counters


class UnansweredError(aiohttp.ClientError):
    """The connection ended without an answer."""


async def send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Hide a lost connection from aiohttp's client, which would send a GET again by itself."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise UnansweredError("the connection ended without an answer") from error


class StartSim(Protocol):
    """Starts a simulator; the apps None means any."""

    async def __call__(self, apps: Sequence[SimulatedApp] | None, keep: int = 1000) -> Simulator:
        """Start one more."""
        ...


@pytest.fixture
def clock() -> HandClock:
    """A clock that only a test moves."""
    return HandClock()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client that sends each request once."""
    async with aiohttp.ClientSession(middlewares=[send_once]) as client:
        yield client


@pytest.fixture
async def start_sim(session: aiohttp.ClientSession, clock: HandClock) -> AsyncIterator[StartSim]:
    """Start simulators that know these apps; all are stopped at the end."""
    started: list[Running] = []

    async def begin(apps: Sequence[SimulatedApp] | None, keep: int = 1000) -> Simulator:
        started.append(await start(build_simulator(apps, clock, keep=keep), "127.0.0.1", 0))
        return Simulator(session, started[-1].url, clock)

    yield begin
    for running in started:
        await running.close()


@pytest.fixture
async def sim(start_sim: StartSim) -> Simulator:
    """A simulator that knows `APPS`."""
    return await start_sim(APPS)


@pytest.fixture
async def open_sim(start_sim: StartSim) -> Simulator:
    """A simulator that takes any app id with any secret."""
    return await start_sim(None)
