"""One worker and two under the same load: what a request costs each.

It must not know how the report looks.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from bench.arena import Arena, Standing, run_peer
from bench.load import SMALL_64, Aim
from bench.peers.base import Peer, Place
from bench.peers.python import Change, gateway
from bench.process import Program
from bench.rounds import run_rounds
from bench.stats import Row, divide, summarise

SMALL_128 = replace(SMALL_64, name="small-128", connections=128)
FEW_TOKENS = 2000
"""For two workers: drawn at random, each worker has seen all of them within a second or two."""


@dataclass(frozen=True, slots=True)
class WorkersResult:
    """One worker and two under the same load: the cores of both, the load's, rows by workers."""

    own: Sequence[int]
    beside: Sequence[int]
    rows: Mapping[int, Row]

    @property
    def cpu_ratio(self) -> float:
        """CPU time of a request with two workers over that with one."""
        return divide(self.rows[2].cpu_us, self.rows[1].cpu_us)


def run_workers(
    arena: Arena, own: Sequence[int], beside: Sequence[int], *, rounds: int, seconds: int
) -> WorkersResult:
    """Compare one worker and two under the same load, gateway and load on the same cores.

    Where cores are shared with the load, one worker shares them as two do: nothing but `workers`
    differs. Raises: SkippedError where two are refused.
    """
    names = {count: f"workers-{count}" for count in (1, 2)}
    with ExitStack() as stack:
        ours = [
            Peer(name, "", "", partial(_gateway, Change(workers=count), own))
            for count, name in names.items()
        ]
        started = [stack.enter_context(run_peer(arena, peer)) for peer in ours]
        few = [_aimed(one, arena) for one in started]
        done = run_rounds(few, SMALL_128, rounds=rounds, seconds=seconds, cores=beside)
        rows = summarise(done, names[1])
        return WorkersResult(own, beside, {count: rows[name] for count, name in names.items()})


def _gateway(change: Change, cores: Sequence[int], place: Place) -> list[Program]:
    return [gateway(place, tuple(cores), change)]


def _aimed(one: Standing, arena: Arena) -> Standing:
    return replace(one, aim=Aim(one.aim.port, few_tokens(arena)))


def few_tokens(arena: Arena) -> Path:
    """Write a shorter list of tokens."""
    path = arena.folder / "few-tokens.txt"
    with arena.sessions.tokens.open() as lines:
        path.write_text("".join(islice(lines, FEW_TOKENS)))
    return path
