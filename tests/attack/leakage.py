"""Leakage: real gateways with known markers for secrets, faults everywhere, every output searched.

`python -m tests.attack.leakage` prints what was injected, searched and found.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import OUTCOMES
from tests.attack.leakage_commands import refusals, run_commands
from tests.attack.leakage_faults import FAULTS
from tests.attack.leakage_processes import crashes, exhaustion
from tests.attack.leakage_search import Output, leaks
from tests.attack.leakage_stores import redis_faults, sqlite_faults
from tests.attack.leakage_world import World, known_markers, running
from tests.attack.report import Section, table
from tests.support.redis_server import RedisServer, find_redis_server


@dataclass(frozen=True, slots=True)
class Found:
    """One run: what was injected, how much was searched for how many markers, what leaked.

    `outcomes`: the error codes that came of it, `crash` and `traceback` for traces.
    """

    name: str
    injected: int
    outputs: int
    searched_bytes: int
    markers: int
    outcomes: frozenset[str]
    leaked: tuple[str, ...]


def on_sqlite() -> Found:
    """JSON logs, the store a file."""
    markers = known_markers()
    with running("json", None, markers) as world:
        _inject(world, sqlite_faults)
    return _found("SQLite, JSON log", world)


def on_redis() -> Found | None:
    """Logs in text, the store a Redis with a password; None where there is no Redis."""
    binary = find_redis_server()
    if binary is None:
        return None
    markers = known_markers()
    folder = Path(tempfile.mkdtemp(prefix="leakage-"))
    server = RedisServer(binary, folder)
    server.start()
    try:
        password = markers["store password"]
        server.command("CONFIG", "SET", "requirepass", password)
        url = f"redis://:${{LEAK_STORE_PASSWORD}}@127.0.0.1:{server.port}/0"
        with running("text", url, markers) as world:
            _inject(world, lambda each: redis_faults(each, server))
    finally:
        server.stop()
        shutil.rmtree(folder)
    return _found("Redis, text log", world)


def in_commands() -> Found:
    """Every command: good settings, refused ones, a store that is away, a port that is taken."""
    markers = known_markers()
    outputs = run_commands(markers)
    return _judge("commands", len(outputs), outputs, markers)


def in_settings() -> Found:
    """Refusals of settings with a secret in every wrong place."""
    markers = known_markers()
    outputs = list(refusals(markers))
    return _judge("settings refused", len(outputs), outputs, markers)


def _inject(world: World, store: Callable[[World], None]) -> None:
    for fault in (*FAULTS, crashes, exhaustion, store):
        fault(world)


def _found(name: str, world: World) -> Found:
    return _judge(name, len(world.injected), world.outputs, world.markers)


def _judge(name: str, injected: int, outputs: list[Output], markers: dict[str, str]) -> Found:
    size = sum(len(each.data) for each in outputs)
    leaked = tuple(sorted(set(leaks(outputs, markers))))
    said = b"".join(each.data for each in outputs)
    seen = {code for code in OUTCOMES if code.encode() in said}
    traces = {"crash": b"Fatal Python error", "traceback": b"Traceback (most recent call last)"}
    seen |= {name for name, words in traces.items() if words in said}
    return Found(name, injected, len(outputs), size, len(markers), frozenset(seen), leaked)


def measure() -> Section:
    """Run all, and write what was found."""
    runs = [
        each for each in (on_sqlite(), on_redis(), in_commands(), in_settings()) if each is not None
    ]
    head = ("run", "faults", "outputs searched", "kB", "markers", "found")
    rows = [
        (e.name, e.injected, e.outputs, e.searched_bytes // 1000, e.markers, len(e.leaked))
        for e in runs
    ]
    failures = tuple(f"{each.name}: {leak}" for each in runs for leak in each.leaked)
    return Section("Leakage", table(head, rows) + _WORDS, failures)


_WORDS = """
Markers stand for app secret, next secret, signing and encryption keys, admin token, store password,
login codes, tokens, tickets, session_key, openid, unionid, phone number, idempotency key, cookies
and what a platform says. They are looked for as they are, in other cases, reversed, in hex, base64
and URL encoding, and in UTF-16. Searched: both streams, access log, audit log, every answer of both
listeners, `/metrics`, crash traces, and every file in the work folder. A client's own token is
excepted in the answer that gives it, the openid where operators ask for it and in the store.
"""


if __name__ == "__main__":
    section = measure()
    print(section.text, *section.failures, sep="\n")
    sys.exit(1 if section.failures else 0)
