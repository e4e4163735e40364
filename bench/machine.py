"""What this machine is: its cores and who gets which, its names, the versions of the programs.

It must not know what is measured.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import which

GO = Path("/usr/local/go/bin/go")
"""Where Go's own archive puts it; it is looked for in PATH first."""

_ASK: Mapping[str, tuple[str, ...]] = {
    "nginx": ("-v",),
    "haproxy": ("-v",),
    "caddy": ("version",),
    "wrk": ("-v",),
    "h2load": ("--version",),
    "go": ("version",),
    "redis-server": ("--version",),
}
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the proxy under test on one core, the rest never on that one."""

    proxy: int
    origin: int
    load: int
    proxy_pair: tuple[int, ...]
    """For two workers: two cores, without the load's where there are enough."""
    beside_pair: tuple[int, ...]
    """Where the load for `proxy_pair` runs: a core of its own, or the pair's where none is left."""

    @property
    def count(self) -> int:
        return len({self.proxy, self.origin, self.load, *self.proxy_pair})


def share(cores: Sequence[int]) -> Cores:
    """Share the cores out: proxy, then load, then the service behind, then a second for us.

    Raises: SystemExit where there are fewer than two.
    """
    if len(cores) < 2:
        raise SystemExit("the benchmark needs two cores: one for the proxy, one for the load")
    proxy, load, *more = cores
    origin = more[0] if more else load
    if len(more) > 1:
        return Cores(proxy, origin, load, (proxy, more[1]), (load,))
    return Cores(proxy, origin, load, (proxy, load), (proxy, load))


def usable_cores() -> list[int]:
    """Return the cores this process may use."""
    return sorted(os.sched_getaffinity(0))


def find_program(name: str) -> str | None:
    """Return the program's path, or None."""
    if name == "go" and which("go") is None and GO.exists():
        return str(GO)
    return which(name)


def describe_machine() -> dict[str, str]:
    """Return names of the processor, the kernel and Python, for the report."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": model[1].strip() if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("aiohttp", "uvloop", "httptools")},
        **{name: ask_version(name) for name in _ASK},
    }


def ask_version(name: str) -> str:
    """Return what a program says of its version, or `not installed`."""
    path = find_program(name)
    if path is None:
        return "not installed"
    done = subprocess.run([path, *_ASK[name]], capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"
