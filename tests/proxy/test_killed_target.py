"""Killing a target under load: no GET is lost, and no POST is sent twice.

The targets are processes of their own. They log each whole request before they answer it, so that
what they received is known after their death.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from gateway.proxy.ejection import EjectionPolicy
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import Message, RawClient, connect
from tests.support.target_process import TargetProcess, target_process

CLIENTS = 100
GOES_ON = 300
"""Answers to wait for after the kill: enough that every client has had some."""
REPORTS = {
    (502, "upstream_error"),
    (503, "upstream_unavailable"),
    (504, "upstream_timeout"),
}


@asynccontextmanager
async def targets_behind(
    folder: Path, names: str, **more: object
) -> AsyncIterator[tuple[RunningGateway, list[TargetProcess]]]:
    """A gateway before services of these names, one letter each."""
    with ExitStack() as stack:
        targets = [stack.enter_context(target_process(folder, name)) for name in names]
        main = {"targets": [each.url for each in targets], **more}
        async with run_gateway(folder, {"upstreams": {"main": main}}) as gateway:
            yield gateway, targets


@dataclass(slots=True)
class Load:
    """Clients that send one request after the other, half of them GETs and half POSTs.

    `answers` holds them by what was sent: method and path.
    """

    port: int
    numbers: "count[int]" = field(default_factory=count)
    on_answer: Callable[[int], None] = lambda _: None
    answers: dict[str, Message] = field(default_factory=dict)
    is_over: bool = False

    async def run(self, clients: int, each: int | None = None) -> None:
        """Send until it is over, or so many each."""
        async with asyncio.TaskGroup() as group:
            for index in range(clients):
                group.create_task(self._client("GET" if index % 2 else "POST", each))

    async def _client(self, method: str, each: int | None) -> None:
        client = await connect(self.port)
        try:
            for turn in count():
                if self.is_over or turn == each:
                    return
                await self._ask(client, method, f"/public/{next(self.numbers)}")
        finally:
            await client.close()

    async def _ask(self, client: RawClient, method: str, path: str) -> None:
        body = "Content-Length: 2\r\n\r\nhi" if method == "POST" else "\r\n"
        await client.send(f"{method} {path} HTTP/1.1\r\nHost: gw\r\n{body}".encode())
        self.answers[f"{method} {path}"] = await client.answer()
        self.on_answer(len(self.answers))


async def run_and_kill(port: int, victims: list[TargetProcess], killed_after: int) -> Load:
    """Keep 100 requests in flight; kill after so many answers, and go on for a while."""
    load = Load(port)

    def note(answered: int) -> None:
        if answered == killed_after:
            for victim in victims:
                victim.kill()
        load.is_over = answered >= killed_after + GOES_ON

    load.on_answer = note
    await load.run(CLIENTS)
    return load


def check_gets(answers: dict[str, Message]) -> None:
    """Each has the answer to its own question."""
    for request, answer in answers.items():
        method, path = request.split(" ")
        if method == "GET":
            assert (answer.status, answer.body) == (200, path.encode()), (request, answer)


def check_posts(answers: dict[str, Message], targets: list[TargetProcess]) -> int:
    """Each is answered or reported, and reached at most one target, once; return the reported.

    One that could not be delivered reached none.
    """
    received = Counter(line for target in targets for line in target.received)
    reported = 0
    for request, answer in answers.items():
        method, path = request.split(" ")
        if method != "POST":
            continue
        assert received[request] <= 1, request
        if answer.status == 200:
            assert (answer.body, received[request]) == (path.encode(), 1)
            continue
        reported += 1
        code = answer.value("X-Gateway-Error")
        assert (answer.status, code) in REPORTS
        assert code != "upstream_unavailable" or received[request] == 0
    return reported


async def test_killing_a_target_under_load(tmp_path: Path) -> None:
    """At several moments: every GET succeeds, each POST is answered or reported, none doubled."""
    reported = 0
    for killed_after in (CLIENTS, 173, 264, 391):
        async with targets_behind(tmp_path / str(killed_after), "ab") as (gateway, targets):
            load = await run_and_kill(gateway.port, targets[:1], killed_after)
            check_gets(load.answers)
            reported += check_posts(load.answers, targets)
            dead, alive = targets
            assert 0 < len(dead.received) < len(alive.received)
    assert 0 < reported <= 4 * CLIENTS // 2  # what was on its way to the dead, nothing later


async def test_a_killed_target_with_many_idle_connections(tmp_path: Path) -> None:
    """Pooled connections that died with it cost no GET its answer, and no POST is sent twice."""
    async with targets_behind(tmp_path / "t", "ab") as (gateway, targets):
        await Load(gateway.port).run(CLIENTS, each=2)
        assert min(len(target.received) for target in targets) > CLIENTS // 2
        targets[0].kill()  # its connections may still look alive when the next requests come
        load = Load(gateway.port, count(1000))
        await load.run(CLIENTS, each=2)
        check_gets(load.answers)
        check_posts(load.answers, targets)


async def test_three_targets_of_which_two_are_killed(tmp_path: Path) -> None:
    """The first retry may meet the other dead one; the dead are left alone as soon as known."""
    async with targets_behind(tmp_path / "t", "abc", retries=2) as (gateway, targets):
        load = await run_and_kill(gateway.port, targets[:2], CLIENTS)
        check_gets(load.answers)
        check_posts(load.answers, targets)


@pytest.mark.parametrize("balance", ["round_robin", "least_requests"])
async def test_a_target_that_hangs_is_left_alone_and_comes_back(
    tmp_path: Path, balance: str
) -> None:
    """What it was sent times out and is not repeated; others go elsewhere; then it is probed."""
    more = {"timeouts": {"first_byte": "300ms"}, "balance": balance}
    async with targets_behind(tmp_path / "t", "ab", **more) as (gateway, targets):
        await Load(gateway.port).run(4, each=1)
        hanging = targets[0]
        hanging.stop()
        began_s = monotonic()
        hung = Load(gateway.port, count(1000))
        await hung.run(12, each=1)
        late = [each for each in hung.answers.values() if each.status != 200]
        assert {each.value("X-Gateway-Error") for each in late} == {"upstream_timeout"}
        assert len(late) >= 3
        ejected = Load(gateway.port, count(2000))
        await ejected.run(20, each=1)
        # One probe goes through when the first back-off is over: on a machine so slow, no more.
        probes = [each for each in ejected.answers.values() if each.status != 200]
        assert len(probes) <= (monotonic() - began_s) // EjectionPolicy().first_s
        hanging.resume()
        number = count(3000)
        while not any("/public/3" in line for line in hanging.received):
            answer = await gateway.get(f"/public/{next(number)}")
            assert answer.status == 200
            await asyncio.sleep(0.02)  # its back-off of a second must pass
        check_posts({**hung.answers, **ejected.answers}, targets)
