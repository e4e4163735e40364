"""What was asked of the gateway's speed, beside what was measured. Pure.

The numbers asked for are those of the issue that built the data plane.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bench.load import LARGE, SMALL_64
from bench.parts import SERVICE
from bench.peers.base import Peer
from bench.peers.golang import GOAUTH
from bench.peers.nginx import PLAIN
from bench.peers.python import OURS
from bench.results import Results
from bench.stats import divide
from bench.text import NONE, hundredth


@dataclass(frozen=True, slots=True)
class Goal:
    """One line: what is asked, what was measured (None: nothing), and the bound.

    `is_floor`: the bound is the least that will do, else the most.
    """

    title: str
    bound: float
    measured: float | None
    is_floor: bool
    aim: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether it is; None where nothing was measured."""
        if self.measured is None or math.isnan(self.measured):
            return None
        return self.measured >= self.bound if self.is_floor else self.measured <= self.bound

    def cells(self) -> tuple[str, ...]:
        """Return the line's cells: what, asked, aimed at, measured, met."""
        asked = f"{'≥' if self.is_floor else '≤'} {self.bound:g}"
        aim = NONE if self.aim is None else f"{self.aim:g}"
        measured = NONE if self.is_met is None else hundredth(self.measured or 0.0)
        met = {None: "not measured", True: "yes", False: "no"}[self.is_met]
        return (self.title, asked, aim, measured, met)


def find_goals(results: Results) -> Iterator[Goal]:
    """Compare the results with what was asked."""
    small = results.load(SMALL_64.name)
    plain = None if small is None else small.ratio(OURS.name, PLAIN.name)
    go = None if small is None else small.ratio(OURS.name, GOAUTH.name)
    yield Goal("small answers, 64 connections ÷ nginx plain proxy", 0.25, plain, True, 0.35)
    yield Goal("the same by CPU time of a request", 0.25, _by_cpu(results, PLAIN), True, 0.35)
    yield Goal("small answers, 64 connections ÷ the minimal Go auth proxy", 1.2, go, True, 1.7)
    yield Goal("the same by CPU time of a request", 1.2, _by_cpu(results, GOAUTH), True, 1.7)
    large = results.row(LARGE.name, OURS.name)
    yield Goal(
        "answers of 1 MiB, bytes a second ÷ nginx plain proxy",
        0.6,
        None if large is None else large.bytes_ratio,
        True,
    )
    yield Goal(
        "two workers on two cores, CPU time of a request ÷ one worker's",
        1.1,
        _workers(results),
        False,
    )
    for percent, bound in ((50, 0.3), (99, 2.0)):
        title = f"latency added at half load, p{percent}, ms"
        yield Goal(title, bound, _added(results, percent), False)
    idle = results.idle
    each = None if idle is None else idle.uss_each_kib
    yield Goal("an idle client connection, KiB", 12.0, each, False)
    grown = max((one.growth_bytes for one in results.streams), default=None)
    title = "1 GiB up, down, and to a slow reader: growth of the peak, MiB"
    yield Goal(title, 32.0, None if grown is None else grown / 1024**2, False)


def _by_cpu(results: Results, peer: Peer) -> float | None:
    """The peer's CPU time of a small request over ours."""
    ours, other = (results.row(SMALL_64.name, name) for name in (OURS.name, peer.name))
    return None if ours is None or other is None else divide(other.cpu_us, ours.cpu_us)


def _workers(results: Results) -> float | None:
    """With a core for each worker; two that take turns on one core are in the page's table."""
    found = (each.cpu_ratio for each in results.workers if len(each.own) > 1)
    return next(found, None)


def _added(results: Results, percent: int) -> float | None:
    """What ours adds to the service's own percentile."""
    if results.latency is None or OURS.name not in results.latency.latencies:
        return None
    ours, alone = (results.latency.latencies[name] for name in (OURS.name, SERVICE))
    return ours.p50_ms - alone.p50_ms if percent == 50 else ours.p99_ms - alone.p99_ms
