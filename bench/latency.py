"""Latency at a fixed rate, by h2load over HTTP/1.1: percentiles from its log of every request.

Its clients start one after another: started at once, they would send in bursts of all, and the
queue of a burst would be measured instead of the proxy.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.peers.base import SMALL_PATH
from bench.stats import percentile

CLIENTS = 64
SKIP_S = 1.0
"""What is left out at the beginning: connecting, and the first requests of each connection."""
_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one run, in milliseconds, and how many requests they are of."""

    p50_ms: float
    p99_ms: float
    requests: int


def measure_latency(
    ports: Mapping[str, int], token: str, folder: Path, *, rate: int, rounds: int, core: int
) -> dict[str, Latency]:
    """Run each port in turn at `rate` requests a second; return medians over the rounds."""
    found: dict[str, list[Latency]] = {name: [] for name in ports}
    for _ in range(rounds):
        for name, port in ports.items():
            found[name].append(_run(port, token, folder / f"{name}.tsv", rate, core))
    return {name: middle(each) for name, each in found.items()}


def _run(port: int, token: str, log: Path, rate: int, core: int, seconds: int = 5) -> Latency:
    argv = [
        *("taskset", "-c", str(core), "h2load", "--h1", "-t1", f"-c{CLIENTS}"),
        *(f"--rps={rate / CLIENTS}", f"-n{rate * seconds}", "-r1", "--rate-period=1ms"),
        *(f"--log-file={log}", "-H", f"Authorization: Bearer {token}"),
        f"http://127.0.0.1:{port}{SMALL_PATH}",
    ]
    log.unlink(missing_ok=True)
    subprocess.run(argv, capture_output=True, timeout=seconds + _GRACE_S, check=True)
    return latency_of(log.read_text())


def latency_of(log: str, skip_s: float = SKIP_S) -> Latency:
    """Read h2load's log: start in us, status, time in us, tabs between.

    Raises: ValueError where a request was not answered by 200, or none is left.
    """
    rows = [tuple(map(int, line.split("\t"))) for line in log.splitlines()]
    if any(status != 200 for _, status, _ in rows):
        raise ValueError("not all requests at the fixed rate were answered by 200")
    begin = min((row[0] for row in rows), default=0) + skip_s * 1e6
    times = [float(time_us) for start, _, time_us in rows if start >= begin]
    return Latency(percentile(times, 0.50) / 1000, percentile(times, 0.99) / 1000, len(times))


def middle(runs: Sequence[Latency]) -> Latency:
    """Return the medians of several runs, and all their requests."""
    return Latency(
        median(run.p50_ms for run in runs),
        median(run.p99_ms for run in runs),
        sum(run.requests for run in runs),
    )
