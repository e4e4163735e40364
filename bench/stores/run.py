"""Runs all that is measured about sessions, store after store; what fails is left out by name.

It must not know how the report looks.
"""

import base64
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.machine import Cores
from bench.stores.backends import BACKENDS, Backend, Opener
from bench.stores.found import StoreResult
from bench.stores.measures import measure_logins, measure_look_ups, measure_room
from bench.stores.own import Keys, Setting, run_origin
from bench.stores.revocation import measure_revocation

Attempt = Callable[[str, Callable[[], None]], None]
"""Runs a part under a name; where it fails, keeps the reason and goes on."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: at the defaults, some eight minutes in all."""

    rounds: int = 3
    logins: int = 2000
    look_ups: int = 20_000
    requests: int = 10_000
    revocations: int = 100
    sessions: int = 1_000_000


QUICK = Sizes(rounds=1, logins=300, look_ups=2000, revocations=10, sessions=20_000)


def run_stores(cores: Cores, sizes: Sizes, attempt: Attempt) -> list[StoreResult]:
    """Measure each kind of store."""
    found = [StoreResult(name) for name in BACKENDS]
    for result in found:
        opener = BACKENDS[result.name]
        for title, part in _PARTS.items():
            attempt(f"{title} on {result.name}", partial(part, opener, cores, sizes, result))
    return found


# -- the parts; each has a store of its own --------------------------------------------------------


def _logins(opener: Opener, cores: Cores, sizes: Sizes, result: StoreResult) -> None:
    with _setting(opener, cores) as setting:
        result.logins = measure_logins(setting, count=sizes.logins, rounds=sizes.rounds)


def _look_ups(opener: Opener, cores: Cores, sizes: Sizes, result: StoreResult) -> None:
    with _setting(opener, cores) as setting:
        result.look_ups, result.hot_path = measure_look_ups(
            setting, count=sizes.look_ups, rounds=sizes.rounds, requests=sizes.requests
        )


def _revocations(opener: Opener, cores: Cores, sizes: Sizes, result: StoreResult) -> None:
    with _setting(opener, cores) as setting:
        result.revocation = measure_revocation(setting, sizes.revocations)


def _room(opener: Opener, cores: Cores, sizes: Sizes, result: StoreResult) -> None:
    with _backend(opener, cores) as (backend, _):
        result.room = measure_room(backend, sizes.sessions)


_PARTS = {
    "logins": _logins,
    "look-ups": _look_ups,
    "revocations": _revocations,
    "room for sessions": _room,
}


@contextmanager
def _backend(opener: Opener, cores: Cores) -> Iterator[tuple[Backend, Path]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with opener(folder, cores.origin) as backend:
            yield backend, folder


@contextmanager
def _setting(opener: Opener, cores: Cores) -> Iterator[Setting]:
    """Open a new store, and a service behind."""
    keys = Keys(secrets.token_urlsafe(48), base64.b64encode(secrets.token_bytes(32)).decode())
    with (
        _backend(opener, cores) as (backend, folder),
        run_origin(folder, cores.origin) as origin_port,
    ):
        yield Setting(cores, folder, backend.url, keys, origin_port)
