"""What a peer is: a name, what is said of it, and the programs that make it run.

It must not know any one of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.machine import Cores
from bench.process import Program, free_port
from bench.sessions import SessionSet

TOP = Path(__file__).parents[2]
CACHE = TOP / "bench" / ".cache"
"""What is built once and kept: Go's programs. Outside git."""


class SkippedError(Exception):
    """This peer cannot run here; the text says why, for the report."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one peer runs: its own folder and port, the service behind, the cores, the sessions."""

    folder: Path
    port: int
    origin_port: int
    cores: Cores
    sessions: SessionSet

    def on_proxy_core(self, *argv: str | Path, env: Mapping[str, str] | None = None) -> Program:
        """Return a program on the one core that proxies get."""
        return Program(tuple(map(str, argv)), (self.cores.proxy,), env or {})

    def write(self, name: str, text: str) -> Path:
        """Write a file of settings into the peer's folder and return its path."""
        path = self.folder / name
        path.write_text(text)
        return path

    def spare_port(self) -> int:
        """Return a port for a helper of this peer."""
        return free_port()


SMALL_PATH = "/bench/small"
"""About 100 bytes of JSON."""


def no_cookie(_place: Place) -> str:
    """Sign nobody in."""
    return ""


@dataclass(frozen=True, slots=True)
class Peer:
    """One proxy to compare with.

    `programs` writes settings and returns what to start, helpers first; Raises: SkippedError.
    `cookie` signs in once it runs, and returns the Cookie header that every request then bears.
    GET `ready_path` answers 200 when it is up. One that `keeps_sessions` at hand is warmed.
    """

    name: str
    title: str
    note: str
    programs: Callable[[Place], Sequence[Program]]
    cookie: Callable[[Place], str] = no_cookie
    ready_path: str = SMALL_PATH
    keeps_sessions: bool = False


def python_env() -> dict[str, str]:
    """Return what lets our own programs find their packages from any folder."""
    return {"PYTHONPATH": str(TOP)}


def quoted(path: Path) -> str:
    """Return a path as programs' settings take it. Raises: SkippedError for odd characters."""
    text = str(path)
    if quote(text, safe="/-_.~") != text:
        raise SkippedError("the temporary folder's name has characters that settings cannot hold")
    return text
