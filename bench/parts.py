"""The parts that run ours alone: latency, idle connections, WebSockets, two workers.

They share the arena; each starts what it needs and stops it.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from bench.arena import Arena, Standing, run_peer
from bench.idle import IdleCost, measure_idle
from bench.latency import Latency, measure_latency
from bench.load import SMALL_64, Aim, Load, run_wrk
from bench.peers.base import SMALL_PATH, Peer, Place, python_env
from bench.peers.python import Change, gateway
from bench.process import Program
from bench.rounds import run_rounds
from bench.sockets import SOCKETS, SocketsResult, measure_sockets
from bench.stats import Row, summarise

FEW_TOKENS = 2000
"""For two workers: drawn at random, each worker has seen all of them within a second or two."""
_ROOM = 2 * SOCKETS
"""Connections to one target: more than there are WebSockets; the default is 512."""
SERVICE = "service"
"""The service behind, without a proxy."""


@dataclass(frozen=True, slots=True)
class FixedRate:
    """Latencies by name, `SERVICE` among them, at so many requests a second."""

    rate: int
    latencies: Mapping[str, Latency]


def run_latency(arena: Arena, rate: int, *, rounds: int) -> FixedRate:
    """Run the fixed rate at the service and at what stands."""
    ports = {SERVICE: arena.origin_port}
    ports |= {name: one.aim.port for name, one in arena.standing.items()}
    token = arena.sessions.first_token()
    found = measure_latency(
        ports, token, arena.folder, rate=rate, rounds=rounds, core=arena.cores.load
    )
    return FixedRate(rate, found)


def run_idle(arena: Arena) -> IdleCost:
    """Put idle connections to a fresh gateway, after a second of load."""
    with run_peer(arena, _ours("idle", Change())) as one:
        few = replace(one.aim, tokens=_few_tokens(arena))
        run_wrk(SMALL_64, few, 1, arena.cores.load)
        token = arena.sessions.first_token()
        return measure_idle(one.aim.port, SMALL_PATH, token, one.pids)


def run_sockets(arena: Arena) -> dict[str, SocketsResult]:
    """Echo over WebSockets, directly and through a gateway."""
    token = arena.sessions.first_token()
    with ExitStack() as stack:
        behind = stack.enter_context(run_peer(arena, Peer("echo", "", "", _echo)))
        through = _ours("sockets", Change(connections=_ROOM), behind.aim.port)
        ours = stack.enter_context(run_peer(arena, through))
        pairs = {SERVICE: behind, "ours": ours}
        return {
            name: measure_sockets(one.aim.port, SMALL_PATH, token, one.pids)
            for name, one in pairs.items()
        }


def run_workers(arena: Arena, *, rounds: int, seconds: int) -> dict[int, Row]:
    """Compare one worker and two, each worker with as many connections.

    On one core two take turns: with the same connections for both, each would find half as many
    requests at its turn, and the processor's caches cold. Raises: SkippedError where two are
    refused.
    """
    names = {count: f"workers-{count}" for count in (1, 2)}
    with ExitStack() as stack:
        ours = [_ours(name, Change(workers=count)) for count, name in names.items()]
        started = [stack.enter_context(run_peer(arena, peer)) for peer in ours]
        few = [_aimed(one, arena) for one in started]
        core = arena.cores.load
        loads = {name: _widened(SMALL_64, count) for count, name in names.items()}
        done = run_rounds(few, loads, rounds=rounds, seconds=seconds, core=core)
        rows = summarise(done, names[1])
        return {count: rows[name] for count, name in names.items()}


def _widened(load: Load, workers: int) -> Load:
    return replace(load, connections=load.connections * workers)


def _ours(name: str, change: Change, origin_port: int | None = None) -> Peer:
    return Peer(name, "", "", partial(_gateway, change, origin_port))


def _gateway(change: Change, origin_port: int | None, place: Place) -> list[Program]:
    if origin_port is not None:
        place = replace(place, origin_port=origin_port)
    cores = place.cores.proxy_pair if change.workers > 1 else (place.cores.proxy,)
    return [gateway(place, cores, change)]


def _echo(place: Place) -> list[Program]:
    argv = (sys.executable, "-m", "bench.echo", str(place.port))
    return [Program(argv, (place.cores.origin,), python_env())]


def _aimed(one: Standing, arena: Arena) -> Standing:
    return replace(one, aim=Aim(one.aim.port, _few_tokens(arena)))


def _few_tokens(arena: Arena) -> Path:
    """Write a shorter list of tokens."""
    path = arena.folder / "few-tokens.txt"
    with arena.sessions.tokens.open() as lines:
        path.write_text("".join(islice(lines, FEW_TOKENS)))
    return path
