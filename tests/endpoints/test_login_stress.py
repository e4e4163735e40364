"""Many logins with one code at once, over two processes, on both stores (attacks.md S8)."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.gateway import problem
from tests.support.metrics import scrape, value
from tests.support.raw import Message, ask
from tests.support.redis_server import RedisServer, running_redis
from tests.support.serving import Serving, serving

MANY = 200
KEY = "Idempotency-Key: the-clients-own-key"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


@pytest.fixture(params=["sqlite", "redis"])
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Serving]:
    """A gateway of two worker processes on one store."""
    changes: dict[str, object] = {"login": {"timeout": "2s"}}
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        changes["session"] = {"store": server.url}
    async with serving(tmp_path, changes) as served:
        yield served


async def simulate(two: Serving, what: str, **fields: object) -> dict[str, object]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{two.simulator_url}/_sim/{what}", json=fields) as response,
    ):
        answer: dict[str, object] = await response.json()
        return answer


async def fresh_code(two: Serving) -> str:
    given = await simulate(two, "codes", platform="wechat", app_id="wxshop", user="alice")
    return str(given["code"])


async def exchanges(two: Serving) -> int:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{two.simulator_url}/_sim/calls") as response,
    ):
        return int((await response.json())["platforms"]["wechat"]["login"])


async def log_in(two: Serving, code: str, *headers: str) -> Message:
    """Log in on a connection of its own, so that the kernel spreads them over the workers."""
    body = json.dumps({"app": "shop-wechat", "code": code}).encode()
    about = ("Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    lines = ["POST /login HTTP/1.1", "Host: gw", *about, "", ""]
    return await ask(two.port, "\r\n".join(lines).encode() + body)


async def log_in_often(two: Serving, code: str, *headers: str) -> list[Message]:
    return await asyncio.gather(*(log_in(two, code, *headers) for _ in range(MANY)))


def outcomes(answers: list[Message]) -> Counter[str]:
    return Counter("ok" if a.status == 200 else str(problem(a)["code"]) for a in answers)


def session_ids(answers: list[Message]) -> set[str]:
    """The sessions that tokens name; each token is signed for itself."""
    return {str(json.loads(a.body)["token"]).split(".")[1] for a in answers if a.status == 200}


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
async def test_one_code_is_exchanged_once(two: Serving, delay_s: float) -> None:
    """One session; everybody else is told that the code is used, however slow the platform is."""
    if delay_s:
        await simulate(two, "faults", platform="wechat", kind="slow", seconds=delay_s)
    answers = await log_in_often(two, await fresh_code(two))
    assert outcomes(answers) == {"ok": 1, "code_invalid": MANY - 1}
    assert await exchanges(two) == 1


async def test_with_the_key_all_get_the_same_session(two: Serving) -> None:
    """A lost reply is no lost login; without the key the code is used."""
    code = await fresh_code(two)
    answers = await log_in_often(two, code, KEY)
    assert outcomes(answers) == {"ok": MANY}
    assert len(session_ids(answers)) == 1
    later = await log_in(two, code, KEY)
    assert session_ids([later]) == session_ids(answers)
    assert outcomes([await log_in(two, code)]) == {"code_invalid": 1}
    assert await exchanges(two) == 1


async def test_losers_get_the_winners_timeout(two: Serving) -> None:
    """The code may have arrived: nobody sends it again, with or without the key."""
    await simulate(two, "faults", platform="wechat", kind="slow", seconds=10)
    code = await fresh_code(two)
    answers = await log_in_often(two, code, KEY)
    assert outcomes(answers) == {"platform_timeout": MANY}
    assert outcomes([await log_in(two, code)]) == {"platform_timeout": 1}
    assert await exchanges(two) == 1


async def test_a_busy_platform_leaves_the_code_fresh(two: Serving) -> None:
    """All who came at once are told so; the same code is good a moment later."""
    await simulate(two, "faults", platform="wechat", kind="busy", times=1)
    code = await fresh_code(two)
    answers = await asyncio.gather(*(log_in(two, code) for _ in range(10)))
    assert outcomes(answers) == {"platform_busy": 10}
    assert await exchanges(two) == 1
    async with asyncio.timeout(10):
        while (answer := await log_in(two, code)).status != 200:
            assert outcomes([answer]) == {"platform_busy": 1}
    assert await exchanges(two) == 2


async def test_both_processes_take_part(two: Serving) -> None:
    """Else the tests above would show nothing. Each asks the store once for all its clients."""
    await simulate(two, "faults", platform="wechat", kind="slow", seconds=1)
    await log_in_often(two, await fresh_code(two))
    labels = {"call": "keep_note", "outcome": "ok"}
    claims = value(await scrape(two.admin_port), "gateway_session_store_calls_total", **labels)
    assert 2 <= (claims or 0) < MANY
