"""Processes that die, and processes that may have nothing more: no files, no memory."""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.attack.asking import until
from tests.attack.leakage_faults import NoLoginError, session_of
from tests.attack.leakage_world import World

LONG_S = 8.0
USE_S = 1.5


def workers_of(world: World) -> list[int]:
    """The process ids of the gateway's workers."""
    parent = world.stage.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(each) for each in children.split()]


def is_serving(world: World) -> bool:
    """Whether a request is answered."""
    told = world.ask("GET /public/alive")
    return told is not None and told.status == 200


@contextlib.contextmanager
def limited(pids: Sequence[int], kind: int, bound: Callable[[int], int]) -> Iterator[None]:
    """Let processes have no more of something than `bound` says, until the block ends."""
    before = {pid: resource.prlimit(pid, kind) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, kind, (bound(pid), hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):  # one that drained has ended by now
                resource.prlimit(pid, kind, limits)


# -- deaths ---------------------------------------------------------------------------------------


def crashes(world: World) -> None:
    """The worker dies in several ways, two of them with a stack of every thread."""
    for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV):
        world.ask("GET /api/x", token=session_of(world))
        _end_workers(world, number)
        world.note(f"a worker's {number.name}")
    os.kill(world.stage.process.pid, signal.SIGHUP)
    until(lambda: is_serving(world))
    world.note("SIGHUP")


def _end_workers(world: World, number: signal.Signals) -> None:
    old = workers_of(world)
    for pid in old:
        os.kill(pid, number)
    until(lambda: not set(old) & set(workers_of(world)), within_s=LONG_S)
    until(lambda: is_serving(world), within_s=LONG_S)


# -- nothing more ---------------------------------------------------------------------------------


def exhaustion(world: World) -> None:
    """The workers may open no more files, then have no more memory: what no line expects."""
    for why, kind, bound in (
        ("no more files", resource.RLIMIT_NOFILE, _open_files),
        ("no more memory", resource.RLIMIT_AS, _memory_bytes),
    ):
        token = session_of(world)
        with limited(workers_of(world), kind, bound):
            _use(world, token, why)
        _end_workers(world, signal.SIGTERM)


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir())) + 1


def _memory_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def _use(world: World, token: str, why: str) -> None:
    """Ask for all kinds of things, as long as it takes little: who has nothing may hang."""
    large = {"app": "scripted", "code": f"{world.markers['login code']} {'x' * 60_000}"}
    ends_s = time.monotonic() + USE_S
    for line in ("POST /login", "GET /api/x", "GET /session", "POST /session/renew") * 3:
        if time.monotonic() > ends_s:
            break
        with contextlib.suppress(NoLoginError):
            session_of(world)
        world.ask(line, token=token)
        world.ask(line, token=token, body=large)
        world.ask("GET /gone/x")
    world.note(why)
