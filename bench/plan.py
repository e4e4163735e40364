"""The whole benchmark, part after part; what fails is left out by name, and the rest goes on.

It must not know how the report looks.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from redis import RedisError

from bench.arena import Arena, open_arena, standing
from bench.load import LOADS, SMALL_64, Load
from bench.machine import Cores, describe_machine
from bench.parts import run_idle, run_latency, run_sockets
from bench.peers.base import Peer, SkippedError
from bench.peers.nginx import LOGGED, PLAIN
from bench.peers.python import OURS
from bench.process import NotReadyError
from bench.results import LoadResult, Results
from bench.rounds import run_rounds
from bench.stores.run import Sizes, run_stores
from bench.stream import measure_streams
from bench.workers import run_workers
from gateway.errors import GatewayError

_AMISS = (
    *(SkippedError, NotReadyError, ValueError, OSError, EOFError, subprocess.SubprocessError),
    *(GatewayError, RedisError),  # of a store that we fill or ask ourselves
)
_AT_HALF_LOAD = (OURS, PLAIN)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many rounds and of how many seconds: for the first load, and for the others."""

    main_rounds: int = 5
    main_s: int = 4
    other_rounds: int = 3
    other_s: int = 2
    sessions: int = 100_000


def run_all(cores: Cores, peers: Sequence[Peer], lengths: Lengths) -> Results:
    """Run everything; it takes about twenty minutes at the default lengths."""
    results = Results(describe_machine(), cores, lengths.sessions, peers)
    with open_arena(cores, lengths.sessions) as arena:
        with standing(arena, peers):
            for load in LOADS:
                _attempt(results, load.title, partial(_run_load, arena, load, lengths, results))
        results.skipped |= arena.skipped
        _run_parts(arena, lengths, results)
    run_sessions(cores, Sizes(), results)
    return results


def run_sessions(cores: Cores, sizes: Sizes, results: Results) -> None:
    """Measure sessions on each kind of store; what fails is left out by name."""
    results.stores = run_stores(cores, sizes, partial(_attempt, results))


def _run_load(arena: Arena, load: Load, lengths: Lengths, results: Results) -> None:
    is_main = load is SMALL_64
    rounds = lengths.main_rounds if is_main else lengths.other_rounds
    seconds = lengths.main_s if is_main else lengths.other_s
    who = [one for one in arena.standing.values() if is_main or one.peer is not LOGGED]
    done = run_rounds(who, load, rounds=rounds, seconds=seconds, cores=(arena.cores.load,))
    results.loads.append(LoadResult(load, seconds, done))


def _run_parts(arena: Arena, lengths: Lengths, results: Results) -> None:
    def latency() -> None:
        row = results.row(SMALL_64.name, OURS.name)
        if row is None:
            raise SkippedError("the capacity to halve is not known")
        with standing(arena, _AT_HALF_LOAD):
            results.latency = run_latency(arena, int(row.per_s / 2), rounds=lengths.other_rounds)

    def idle() -> None:
        results.idle = run_idle(arena)

    def sockets() -> None:
        results.sockets = run_sockets(arena)

    def streams() -> None:
        results.streams = measure_streams(arena.cores)

    def workers() -> None:
        cores = arena.cores
        ways = ((cores.proxy_pair, cores.beside_pair), ((cores.proxy,), (cores.load,)))
        results.workers = [
            run_workers(arena, own, beside, rounds=lengths.main_rounds, seconds=lengths.main_s)
            for own, beside in ways
        ]

    _attempt(results, "latency at half load", latency)
    _attempt(results, "idle connections", idle)
    _attempt(results, "WebSockets", sockets)
    _attempt(results, "streams", streams)
    _attempt(results, "two workers", workers)


def _attempt(results: Results, name: str, part: Callable[[], None]) -> None:
    """Run one part; where it cannot, keep the reason and go on."""
    print(f"{name} …", end=" ", file=sys.stderr, flush=True)
    began = time.perf_counter()
    try:
        part()
    except _AMISS as reason:
        results.skipped[name] = str(reason)
        print(f"left out: {reason}", file=sys.stderr)
    else:
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
