"""Asks targets whether they live, each over a short connection of its own.

It decides what a good check is and how many change the verdict; what follows is the upstream's.
Each process checks for itself: no process has to believe another, and a network that is cut off
from one worker's view is seen as it is. One target's checks never overlap.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.pool import Pool
from gateway.proxy.upstream import Upstream, draw_evenly

FALL = 2
"""Failed checks in a row that take a target out: one may be a lost packet."""
RISE = 1
"""Good checks that bring it back: an answer is proof, and failures eject it soon enough."""
JITTER = 0.1
"""Share of the interval by which checks wander, so that processes do not ask all at once."""


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """What is asked, how often, and how long a check may take; seconds."""

    path: str
    interval_s: float = 5.0
    timeout_s: float = 5.0


class Verdict:
    """Counts one target's checks. Pure."""

    def __init__(self) -> None:
        self.is_up = True
        self._in_a_row = 0

    def note(self, *, is_good: bool) -> bool:
        """Count a check; return whether the target is up."""
        self._in_a_row = 0 if is_good is self.is_up else self._in_a_row + 1
        if self._in_a_row >= (RISE if is_good else FALL):
            self.is_up, self._in_a_row = is_good, 0
        return self.is_up


@dataclass(frozen=True, slots=True)
class Checked:
    """An upstream whose targets are checked."""

    upstream: Upstream
    policy: HealthPolicy


class HealthChecks:
    """Runs the checks of all upstreams until the block ends."""

    def __init__(
        self,
        checked: Sequence[Checked],
        dialer: Dialer,
        draw: Callable[[], float] = draw_evenly,
    ) -> None:
        self._checked = tuple(checked)
        self._dialer = dialer
        self._draw = draw
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._watch(each, pool))
            for each in self._checked
            for pool in each.upstream.pools
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _watch(self, checked: Checked, pool: Pool) -> None:
        """Check one target over and over; the first time at once."""
        policy, verdict = checked.policy, Verdict()
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            is_good = await check(self._dialer, pool.address, policy)
            checked.upstream.note_check(pool, is_up=verdict.note(is_good=is_good))
            every_s = policy.interval_s * (1 + JITTER * (2 * self._draw() - 1))
            await asyncio.sleep(max(began_s + every_s - loop.time(), 0.0))


async def check(dialer: Dialer, address: TargetAddress, policy: HealthPolicy) -> bool:
    """Ask once; 2xx and 3xx are good, anything else within the time is not, nor is silence."""
    try:
        async with asyncio.timeout(policy.timeout_s):
            connection = await dialer.dial(address)
            try:
                return await _ask(connection, address, policy.path)
            finally:
                connection.abort()
    except (OSError, TimeoutError, GatewayError):  # ssl.SSLError is an OSError
        return False


async def _ask(connection: UpstreamConnection, address: TargetAddress, path: str) -> bool:
    connection.begin("GET")
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {address.authority}\r\n"
        "User-Agent: gateway-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    connection.write(head.encode("ascii"))
    answer = await connection.head
    return 200 <= answer.status < 400
