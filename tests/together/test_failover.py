"""Two gateways on a Redis that loses its primary, or moves its slots, while clients come and go.

Real servers and processes. What was acknowledged stays: no session is refused, no ending is undone.
What cannot be known is told as 503 `store_unavailable`; a session in use does not even see that.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from gateway.sessions.redis.records import record_name
from tests.support.own import bearer
from tests.support.raw import Message
from tests.support.redis_cluster import Cluster, running_cluster
from tests.support.redis_sentinels import Sentinels, running_sentinels
from tests.support.serving import Serving, serving
from tests.support.together import serve_both

LANES = 4
AWAY = "store_unavailable"
LOGIN = {"limits": {"per_ip": None, "per_app": None, "total": None}}
KEYS = {
    "signing_keys": ["a signing key of two gateways, not a secret"],
    "encryption_keys": ["dHdvIGdhdGV3YXlzIGhhdmUgdGhpcyBrZXkgaW4gaXQ="],
}
EVERY = 3
"""Of so many users one logs out again."""


def code_of(answer: Message) -> str:
    return "good" if answer.status < 300 else answer.value("X-Gateway-Error") or ""


class Clients:
    """Users who log in at one gateway and call through the other; some log out again."""

    def __init__(self, here: Serving, there: Serving) -> None:
        self._here, self._there = here, there
        self._numbers = count()
        self.living: list[str] = []
        self.ended: list[str] = []
        self.codes: dict[str, set[str]] = {"login": set(), "first": set(), "in use": set()}

    async def call(self, token: str) -> str:
        """Call a service that wants a session."""
        return code_of(await self._there.get("/orders/1", bearer(token)))

    @asynccontextmanager
    async def coming_and_going(self) -> AsyncIterator[None]:
        """Go on with it for as long as the block lasts."""
        lanes = [asyncio.create_task(self._lane()) for _ in range(LANES)]
        try:
            yield
        finally:
            for lane in lanes:
                lane.cancel()
            outcomes = await asyncio.gather(*lanes, return_exceptions=True)
        faults = [one for one in outcomes if not isinstance(one, asyncio.CancelledError)]
        assert not faults, faults

    async def made_progress(self, more: int) -> None:
        """Wait until so many more logins were answered."""
        goal = len(self.living) + len(self.ended) + more
        async with asyncio.timeout(30):
            while len(self.living) + len(self.ended) < goal:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    async def _lane(self) -> None:
        in_use: list[str] = []
        while True:
            number = next(self._numbers)
            answer = await self._here.login_with(await self._here.new_code(f"user-{number}"))
            self.codes["login"].add(code_of(answer))
            for token in in_use[-5:]:
                self.codes["in use"].add(await self.call(token))
            if answer.status == 200:
                await self._come(number, str(json.loads(answer.body)["token"]), in_use)

    async def _come(self, number: int, token: str, in_use: list[str]) -> None:
        first = await self.call(token)
        self.codes["first"].add(first)
        if number % EVERY:
            self.living.append(token)
            if first == "good":
                in_use.append(token)
            return
        if (await self._there.request("POST /logout", bearer(token))).status == 204:
            self.ended.append(token)

    async def check(self) -> None:
        """Each session that was answered is good at both, each that was ended at neither."""
        for gateway in (self._here, self._there):
            for token in self.living:
                assert (await gateway.get("/orders/1", bearer(token))).status == 200
            for token in self.ended:
                answer = await gateway.get("/orders/1", bearer(token))
                assert code_of(answer) == "session_revoked"
        assert self.codes["login"] <= {"good", AWAY}
        assert self.codes["first"] <= {"good", AWAY}
        assert self.codes["in use"] == {"good"}


@asynccontextmanager
async def two_gateways(folder: Path, url: str) -> AsyncIterator[Clients]:
    """Two gateways on this Redis, and their clients."""
    session = {"store": url, **KEYS}
    async with AsyncExitStack() as stack:
        found = []
        for name in ("here", "there"):
            (folder / name).mkdir()
            changes = {"session": session, "server": {"workers": 1}, "login": LOGIN}
            gateway = await stack.enter_async_context(serving(folder / name, changes))
            gateway.upstream.script = serve_both
            found.append(gateway)
        yield Clients(*found)


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """A primary, its replicas, and three who watch."""
    (tmp_path / "redis").mkdir()
    yield from running_sentinels(tmp_path / "redis")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three primaries and their replicas."""
    (tmp_path / "redis").mkdir()
    yield from running_cluster(tmp_path / "redis")


@pytest.mark.timeout(150)
async def test_a_primary_is_killed(sentinels: Sentinels, tmp_path: Path) -> None:
    """Sentinel makes a replica primary; nothing that was acknowledged is lost."""
    async with two_gateways(tmp_path, sentinels.url) as clients:
        async with clients.coming_and_going():
            await clients.made_progress(60)
            sentinels.primary.stop()
            await asyncio.to_thread(sentinels.wait_for_failover)
            await clients.made_progress(60)
        await clients.check()
        assert AWAY in clients.codes["login"], "nobody met the loss"


@pytest.mark.timeout(150)
async def test_slots_move(cluster: Cluster, tmp_path: Path) -> None:
    """Half of all slots with sessions go to another primary, key by key."""
    async with two_gateways(tmp_path, cluster.url) as clients:
        async with clients.coming_and_going():
            await clients.made_progress(60)
            for tag in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef":
                await asyncio.to_thread(move, cluster, record_name(tag + "x" * 42))
            await clients.made_progress(60)
        await clients.check()


def move(cluster: Cluster, name: str) -> None:
    """Move the slot of a name to the next primary."""
    source = cluster.owner_of(name)
    nodes = cluster.primaries
    target = nodes[(nodes.index(source) + 1) % len(nodes)]
    cluster.begin_move(name, source, target)
    while cluster.move_keys(name, source, target, 10):
        pass
    cluster.end_move(name, source, target)
