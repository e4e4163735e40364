"""wrk as the load: how it is called, and how its result is read.

It must not know which proxy is behind the port.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "wrk.lua"
_MARK = "bench "
_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for: a path below /bench/, on so many connections, with a body of that size."""

    name: str
    title: str
    path: str
    connections: int = 64
    method: str = "GET"
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WrkResult:
    """What wrk counted. `refused`: answers of 400 and above; `broken`: everything else amiss."""

    requests: int
    duration_s: float
    bytes_read: int
    refused: int
    broken: int

    @property
    def per_s(self) -> float:
        return self.requests / self.duration_s

    @property
    def bytes_per_s(self) -> float:
        return self.bytes_read / self.duration_s


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the load goes: a port, the tokens each request draws from, a Cookie header or none."""

    port: int
    tokens: Path | None
    cookie: str = ""


SMALL_64 = Load("small-64", "about 100 bytes of JSON, 64 connections", "/bench/small")
SMALL_512 = Load("small-512", "about 100 bytes of JSON, 512 connections", "/bench/small", 512)
MEDIUM = Load("10k", "answers of 10 KiB, 64 connections", "/bench/10k")
LARGE = Load("1m", "answers of 1 MiB, 64 connections", "/bench/1m")
POST = Load("post", "POST of 1 KiB, 64 connections", "/bench/post", 64, "POST", 1024)
LOADS = (SMALL_64, SMALL_512, MEDIUM, LARGE, POST)


def run_wrk(load: Load, aim: Aim, seconds: int, *cores: int) -> WrkResult:
    """Run wrk, one thread for each of these cores. Raises: ValueError when it gives no result."""
    argv = [
        *("taskset", "-c", ",".join(map(str, cores)), "wrk", f"-t{len(cores)}"),
        *(f"-c{load.connections}", f"-d{seconds}s"),
        *("--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{aim.port}{load.path}", "--"),
        *(str(aim.tokens or "-"), load.method, str(load.body_bytes), aim.cookie),
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds + _GRACE_S, check=False
    )
    return read_wrk(done.stdout + done.stderr)


def read_wrk(output: str) -> WrkResult:
    """Read the line that `wrk.lua` writes. Raises: ValueError when there is none."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            return WrkResult(
                found["requests"],
                found["duration_us"] / 1e6,
                found["bytes"],
                found["refused"],
                found["broken"],
            )
    raise ValueError(f"wrk gave no result: {output.strip()[-300:]}")
