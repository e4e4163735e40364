"""A session that ends through one process is refused by all, and what it has open is closed.

Two gateways on one Redis, and one with two workers on SQLite; real processes and sockets. The bound
is one second on a quiet machine (`bench/` measures it); here 5 s are allowed.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.own import bearer, head
from tests.support.raw import Message, RawClient
from tests.support.redis_server import RedisServer
from tests.support.serving import Serving, serving
from tests.support.together import close_code, connect_to, get, open_socket, serve_both

REPEATS = 100
WITHIN_S = 5.0
SESSION_ENDED = 4401


@dataclass(frozen=True, slots=True)
class Process:
    """A gateway, or one worker of it."""

    gateway: Serving
    worker: int | None = None

    async def connect(self) -> RawClient:
        """Connect to this very process."""
        return await connect_to(self.gateway, self.worker)


Pair = tuple[Process, Process]
"""Two processes on one store: where a session ends, and where it is used."""
Revoke = Callable[[Process, str, str], Awaitable[Message]]
"""Given where it is done, the token and the user's openid."""
SHOWN = {"expose_openid": True}
KEYS = {
    "signing_keys": ["a signing key of two gateways, not a secret"],
    "encryption_keys": ["dHdvIGdhdGV3YXlzIGhhdmUgdGhpcyBrZXkgaW4gaXQ="],
}


@pytest.fixture(params=["two gateways on Redis", "two workers on SQLite"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """Each of the ways in which two processes share a store."""
    async with AsyncExitStack() as stack:

        async def serve(folder: Path, **changes: object) -> Serving:
            gateway = await stack.enter_async_context(serving(folder, changes))
            gateway.upstream.script = serve_both
            return gateway

        if request.param == "two workers on SQLite":
            both = await serve(tmp_path, session=SHOWN)
            first, second = sorted(both.workers)
            yield Process(both, first), Process(both, second)
            return
        redis: RedisServer = request.getfixturevalue("redis_server")
        session = {"store": redis.url, **KEYS, **SHOWN}
        folders = [tmp_path / "here", tmp_path / "there"]
        for folder in folders:
            folder.mkdir()
        here, there = [
            Process(await serve(folder, session=session, server={"workers": 1}))
            for folder in folders
        ]
        yield here, there


# -- the ways a session ends ----------------------------------------------------------------------


async def ask_here(process: Process, line: str, token: str) -> Message:
    """Ask this very process, for whoever has this token."""
    client = await process.connect()
    await client.send(head(line, bearer(token), "Content-Length: 0"))
    answer = await client.answer("POST")
    await client.close()
    return answer


async def log_out(process: Process, token: str, _: str) -> Message:
    """`POST /logout`."""
    return await ask_here(process, "POST /logout", token)


async def log_out_everywhere(process: Process, token: str, _: str) -> Message:
    """`POST /logout?everywhere=true`."""
    return await ask_here(process, "POST /logout?everywhere=true", token)


async def revoke_subject(process: Process, _: str, openid: str) -> Message:
    """`POST /api/subjects/revoke`; of two workers, their parent does it."""
    return await process.gateway.command_admin("POST /api/subjects/revoke", **named(openid))


async def block_subject(process: Process, _: str, openid: str) -> Message:
    """`POST /api/subjects/block`; of two workers, their parent does it."""
    fields = named(openid) | {"reason": "a test"}
    return await process.gateway.command_admin("POST /api/subjects/block", **fields)


def named(openid: str) -> dict[str, object]:
    """A subject as the admin API takes it."""
    return {"platform": "wechat", "app": "shop-wechat", "openid": openid}


WAYS: tuple[Revoke, ...] = (log_out, log_out_everywhere, revoke_subject, block_subject)


# -- the test -------------------------------------------------------------------------------------


async def log_in(gateway: Serving, user: str) -> tuple[str, str]:
    """Log in; the token and the openid."""
    answer = await gateway.login_with(await gateway.new_code(user))
    assert answer.status == 200, answer
    said = json.loads(answer.body)
    return said["token"], said["openid"]


async def refused(client: RawClient, token: str) -> str:
    """Ask until it is refused; the code."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            answer = await get(client, token)
            if answer.status != 200:
                return answer.value("X-Gateway-Error") or ""
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_revoked_everywhere(pair: Pair) -> None:
    """A hundred times, each way in turn: the other process refuses, its WebSocket gets 4401."""
    here, there = pair
    asking = await there.connect()
    for number in range(REPEATS):
        token, openid = await log_in(here.gateway, f"user-{number}")
        assert (await get(asking, token)).status == 200
        socket = await there.connect()
        await open_socket(socket, token)
        revoke = WAYS[number % len(WAYS)]
        assert (await revoke(here, token, openid)).status in (200, 204), revoke.__doc__
        assert await refused(asking, token) == "session_revoked"
        assert await close_code(socket, WITHIN_S) == SESSION_ENDED
        await socket.close()
    await asking.close()
