"""Programs on pinned cores: started, waited for, stopped; their CPU time and memory from /proc.

It must not know which programs they are.
"""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_READY_S = 30.0
_STOP_S = 10.0


class NotReadyError(Exception):
    """A program did not come up; the text says which and its last words."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command line, what its environment has besides ours, and on which cores it runs."""

    argv: tuple[str, ...]
    cores: tuple[int, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def running(program: Program, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its output goes to `log`."""
    cores = ",".join(map(str, program.cores))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *program.argv],
            env={**os.environ, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it; its children end with it."""
    children = [pid for pid in tree(process.pid) if pid != process.pid]
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_ready(
    port: int, path: str, headers: Mapping[str, str], process: subprocess.Popen[bytes], log: Path
) -> None:
    """Return once GET `path` is answered by 200. Raises: NotReadyError."""
    deadline = time.monotonic() + _READY_S
    said = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            said = str(get_status(port, path, headers))
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        if said == "200":
            return
        time.sleep(0.05)
    words = log.read_text(errors="replace")[-1000:]
    raise NotReadyError(f"GET {path} was answered by {said}; it said: {words}")


def get_status(port: int, path: str, headers: Mapping[str, str]) -> int:
    """Send one GET and return its status. Raises: OSError, http.client.HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


# -- what they cost -------------------------------------------------------------------------------


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            for task in tasks:
                found.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU time, user and system, that processes and all below them have used."""
    return sum(_cpu_s(each) for pid in pids for each in tree(pid))


def _cpu_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()  # proc(5): utime is field 14, stime 15
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def memory_bytes(pids: Sequence[int]) -> tuple[int, int]:
    """Return resident and unshared memory of processes and all below them (RSS, USS)."""
    rss = uss = 0
    for each in (each for pid in pids for each in tree(pid)):
        sizes = _rollup(each)
        rss += sizes.get("Rss", 0)
        uss += sizes.get("Private_Clean", 0) + sizes.get("Private_Dirty", 0)
    return rss, uss


def _rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
