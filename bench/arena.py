"""The place of a comparison: service, sessions and proxies started, warmed, and stopped in turn.

It must not know what is asked of them.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Aim
from bench.machine import Cores
from bench.peers.base import SMALL_PATH, Peer, Place, SkippedError
from bench.peers.nginx import origin
from bench.process import NotReadyError, free_port, running, wait_ready
from bench.sessions import SessionSet, make_sessions
from bench.warm import warm


@dataclass(frozen=True, slots=True)
class Standing:
    """A proxy that runs: its processes' ids, and where load goes."""

    peer: Peer
    pids: tuple[int, ...]
    aim: Aim
    folder: Path


@dataclass(slots=True)
class Arena:
    """What runs: service, sessions, proxies by name; and who was left out, with the reason."""

    cores: Cores
    folder: Path
    origin_port: int
    sessions: SessionSet
    standing: dict[str, Standing] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def place(self, name: str) -> Place:
        """Return a new place for a proxy of this name."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        return Place(folder, free_port(), self.origin_port, self.cores, self.sessions)


@contextmanager
def open_arena(cores: Cores, sessions: int) -> Iterator[Arena]:
    """Start the service and make the sessions; everything is gone when the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        port = free_port()
        log = folder / "origin.log"
        process = stack.enter_context(running(origin(folder, port, cores.origin), log))
        wait_ready(port, SMALL_PATH, {}, process, log)
        yield Arena(cores, folder, port, make_sessions(folder, sessions))


@contextmanager
def standing(arena: Arena, peers: Sequence[Peer]) -> Iterator[None]:
    """Run these proxies in the arena until the block ends; whoever cannot is noted as skipped."""
    with ExitStack() as stack:
        for peer in peers:
            try:
                started = stack.enter_context(run_peer(arena, peer))
            except (SkippedError, NotReadyError) as reason:
                arena.skipped[peer.name] = str(reason)
            else:
                arena.standing[peer.name] = started
        try:
            yield
        finally:
            arena.standing.clear()


@contextmanager
def run_peer(arena: Arena, peer: Peer) -> Iterator[Standing]:
    """Run one proxy until the block ends. Raises: SkippedError, NotReadyError."""
    place = arena.place(peer.name)
    token = arena.sessions.first_token()
    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as stack:
        pids = []
        for number, program in enumerate(peer.programs(place)):
            log = place.folder / f"{number}.log"
            process = stack.enter_context(running(program, log))
            pids.append(process.pid)
        wait_ready(place.port, peer.ready_path, headers, process, log)
        cookie = peer.cookie(place)
        if peer.keeps_sessions:
            _warm(place.port, arena.sessions)
        yield Standing(
            peer, tuple(pids), Aim(place.port, arena.sessions.tokens, cookie), place.folder
        )


def _warm(port: int, sessions: SessionSet) -> None:
    try:
        warm(port, SMALL_PATH, sessions.tokens)
    except (ValueError, OSError, EOFError) as error:
        raise NotReadyError(f"its sessions could not be warmed: {error}") from error
