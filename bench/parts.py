"""The parts that run ours alone: latency, idle connections, WebSockets.

They share the arena; each starts what it needs and stops it.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from bench.arena import Arena, run_peer
from bench.idle import IdleCost, measure_idle
from bench.latency import Latency, measure_latency
from bench.load import SMALL_64, run_wrk
from bench.peers.base import SMALL_PATH, Peer, Place, python_env
from bench.peers.python import Change, gateway
from bench.process import Program
from bench.sockets import SOCKETS, SocketsResult, measure_sockets
from bench.workers import few_tokens

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
        few = replace(one.aim, tokens=few_tokens(arena))
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


def _ours(name: str, change: Change, origin_port: int | None = None) -> Peer:
    return Peer(name, "", "", partial(_gateway, change, origin_port))


def _gateway(change: Change, origin_port: int | None, place: Place) -> list[Program]:
    if origin_port is not None:
        place = replace(place, origin_port=origin_port)
    return [gateway(place, (place.cores.proxy,), change)]


def _echo(place: Place) -> list[Program]:
    argv = (sys.executable, "-m", "bench.echo", str(place.port))
    return [Program(argv, (place.cores.origin,), python_env())]
