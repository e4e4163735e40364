"""Logins, look-ups and the hot path: what each costs on one store.

It must not know which store that is.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle, islice
from statistics import median

import uvloop

from bench.peers.base import SMALL_PATH
from bench.process import cpu_s
from bench.stores.asking import Asker, at_once, post
from bench.stores.backends import Backend
from bench.stores.filling import fill, make_sessions
from bench.stores.found import Cost, HotPath, LookUps, Room
from bench.stores.own import APP_ID, Ours, Setting, run_gateway, run_simulator
from bench.warm import request_bytes

CONNECTIONS = 32
_WARM_UP = 200


def measure_logins(setting: Setting, *, count: int, rounds: int) -> Cost:
    """Log in against the simulator; its codes are fetched before. Raises: ValueError, OSError."""
    with (
        run_simulator(setting.folder, setting.cores.origin) as simulator_port,
        run_gateway(setting, simulator_port) as ours,
    ):
        uvloop.run(_log_in(ours, simulator_port, _WARM_UP, "warm"))
        found = [
            uvloop.run(_log_in(ours, simulator_port, count, str(number)))
            for number in range(rounds)
        ]
    return middle(found)


async def _log_in(ours: Ours, simulator_port: int, count: int, name: str) -> Cost:
    codes: list[str] = []

    async def fetch(asker: Asker, number: int) -> None:
        user = {"platform": "wechat", "app_id": APP_ID, "user": f"{name}-{number}"}
        answer = await asker.ask(post("/_sim/codes", json.dumps(user).encode()))
        codes.append(json.loads(answer.body)["code"])

    async def log_in(asker: Asker, code: str) -> None:
        body = json.dumps({"app": "bench", "code": code}).encode()
        _expect(200, (await asker.ask(post("/login", body))).status)

    await at_once(simulator_port, CONNECTIONS, range(count), fetch)
    return await _timed(ours, count, lambda: at_once(ours.port, CONNECTIONS, codes, log_in))


def measure_look_ups(
    setting: Setting, *, count: int, rounds: int, requests: int
) -> tuple[LookUps, HotPath]:
    """Ask once with each session, twice; then so many requests with remembered sessions.

    Each round has a new gateway, which remembers none. Raises: ValueError, OSError.
    """
    tokens = [made.token for made in make_sessions(setting.store, setting.keys, count)]
    cold, warm = [], []
    for _ in range(rounds):
        with run_gateway(setting) as ours:
            cold.append(uvloop.run(_ask(ours, tokens)))
            warm.append(uvloop.run(_ask(ours, tokens)))
            hot_path = _watch(ours, tokens, requests)
    return LookUps(middle(cold), middle(warm)), hot_path


def _watch(ours: Ours, tokens: Sequence[str], requests: int) -> HotPath:
    """Count the store's calls over some requests, in the worker and in the parent."""
    before = ours.store_calls()
    if not before.get("get"):
        raise ValueError("the look-ups just made are not counted, so a count of none says nothing")
    asked = list(islice(cycle(tokens), requests))
    uvloop.run(_ask(ours, asked))
    calls = {name: count - before.get(name, 0) for name, count in ours.store_calls().items()}
    return HotPath(requests, {name: count for name, count in calls.items() if count})


async def _ask(ours: Ours, tokens: Sequence[str]) -> Cost:
    async def ask(asker: Asker, token: str) -> None:
        _expect(200, (await asker.ask(request_bytes(SMALL_PATH, token))).status)

    return await _timed(ours, len(tokens), lambda: at_once(ours.port, CONNECTIONS, tokens, ask))


def measure_room(backend: Backend, count: int) -> Room:
    """Fill an empty store, and look how big it is."""
    fill(backend.url, count)
    return Room(count, backend.size_bytes())


async def _timed(ours: Ours, count: int, work: Callable[[], Awaitable[None]]) -> Cost:
    """Do some work, and return what one piece of it cost."""
    used, began = cpu_s([ours.pid]), time.perf_counter()
    await work()
    took = time.perf_counter() - began
    return Cost(count / took, (cpu_s([ours.pid]) - used) / count * 1e6)


def middle(found: Sequence[Cost]) -> Cost:
    """Return the medians of several rounds."""
    return Cost(median(one.per_s for one in found), median(one.cpu_us for one in found))


def _expect(status: int, found: int) -> None:
    if found != status:
        raise ValueError(f"a request was answered by {found}, not by {status}")
