"""What is answered is kept: processes killed in the middle of logins lose none that was told.

SQLite, real processes, SIGKILL; what a power cut may take is another matter (`sqlite.file`).
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.commands import running_command
from tests.support.own import bearer
from tests.support.serving import Serving, is_alive, serving, until
from tests.support.together import serve_both

LOGINS = 1000
AT_ONCE = 16
KILLED_AFTER = (200, 500)
MANY = {"limits": {"per_ip": "100000/1m"}}


class Logins:
    """Logins of many users, several at a time; `tokens` are those that were answered."""

    def __init__(self, gateway: Serving) -> None:
        self._gateway = gateway
        self._numbers = iter(range(LOGINS))
        self.tokens: list[str] = []
        self.lost = 0

    async def run(self, meanwhile: Callable[[int], None]) -> None:
        """Run them all; `meanwhile` is told how many are answered after each."""
        await asyncio.gather(*(self._lane(meanwhile) for _ in range(AT_ONCE)))

    async def _lane(self, meanwhile: Callable[[int], None]) -> None:
        for number in self._numbers:
            code = await self._gateway.new_code(f"user-{number}")
            try:
                answer = await self._gateway.login_with(code)
            except (OSError, asyncio.IncompleteReadError, IndexError):
                self.lost += 1  # nobody was told of it
                continue
            assert answer.status == 200, answer
            self.tokens.append(json.loads(answer.body)["token"])
            meanwhile(len(self.tokens))


async def check_all(gateway: Serving, tokens: list[str]) -> None:
    """Every token is good."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def check(token: str) -> int:
        async with gate:
            return (await gateway.get("/orders/1", bearer(token))).status

    statuses = await asyncio.gather(*map(check, tokens))
    assert set(statuses) == {200}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Serving]:
    """A gateway with two workers on SQLite, which may be killed."""
    async with serving(tmp_path, {"login": MANY}) as running:
        running.upstream.script = serve_both
        yield running


@pytest.mark.timeout(240)
async def test_a_worker_killed_in_the_middle_of_logins(gateway: Serving) -> None:
    """Twice, each time another one: the rest go on, and nothing that was answered is lost."""
    killed: list[int] = []

    def kill_one(answered: int) -> None:
        if answered in KILLED_AFTER:
            killed.append(max(gateway.workers - {*killed}))
            os.kill(killed[-1], signal.SIGKILL)

    logins = Logins(gateway)
    await logins.run(kill_one)
    assert len(killed) == len(KILLED_AFTER)
    assert len(logins.tokens) + logins.lost == LOGINS
    assert logins.lost <= len(KILLED_AFTER) * AT_ONCE
    await check_all(gateway, logins.tokens)


@asynccontextmanager
async def started_again(gateway: Serving) -> AsyncIterator[None]:
    """Serve from the same folder once more."""
    async with running_command(gateway.folder, "serve") as command:
        await command.until("listens on")
        yield
        command.process.terminate()
        await command.process.communicate()


@pytest.mark.timeout(240)
async def test_the_whole_gateway_killed_in_the_middle_of_logins(gateway: Serving) -> None:
    """Parent and workers at once: after a new start every login that was answered is there."""

    def kill_all(answered: int) -> None:
        if answered == KILLED_AFTER[-1]:
            for pid in (gateway.pid, *gateway.workers):
                os.kill(pid, signal.SIGKILL)

    workers = gateway.workers
    logins = Logins(gateway)
    await logins.run(kill_all)
    assert KILLED_AFTER[-1] <= len(logins.tokens) < LOGINS
    await until(lambda: not any(map(is_alive, workers)), "a worker outlived SIGKILL")
    async with started_again(gateway):
        await check_all(gateway, logins.tokens)
