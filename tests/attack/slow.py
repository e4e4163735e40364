"""Slow clients: slowhttptest in its four modes, and thousands of half-open connections.

Meanwhile a visitor from another address asks all the time; all his requests must be answered. The
gateway has its usual limits and one worker. `python -m tests.attack.slow` runs it alone.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.asking import until
from tests.attack.crowd import Visits, crowd, visiting
from tests.attack.report import Section, table
from tests.attack.slow_service import serving
from tests.attack.stage import Stage, ask, on_stage

HOST = b"gw.test"
LENGTH_S = 30
CONNECTIONS, RATE = 4000, 1000
HALF_OPEN = 10_000
PARTIAL = b"GET /slow/x HTTP/1.1\r\nHost: gw.test\r\nX-A: "
VISITED = b"/slow/visit"
ATTACKER = ("127.0.0.1",)
MANY = tuple(f"127.0.1.{number}" for number in range(1, 101))
HEADERS_S = 10.0
"""`server.timeouts.headers`, as it is by default."""
MODES: Mapping[str, tuple[str, ...]] = {
    "headers (-H)": ("-H", "-i", "10", "-x", "24"),
    "body (-B)": ("-B", "-t", "POST", "-s", "8192", "-i", "10", "-x", "10"),
    "read (-X)": ("-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "1"),
    "range (-R)": ("-R", "-t", "HEAD", "-a", "10", "-b", "3000"),
}
_COUNTS = re.compile(r"(pending|connected|error|closed|service available):\s+(\w+)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(slots=True)
class Attack:
    """What one attack came to. Memory in MiB; `gone_s`: until the gateway held none of it."""

    name: str
    visits: Visits
    words: str = ""
    most_open: int = 0
    before_mib: float = 0.0
    after_mib: float = 0.0
    gone_s: float | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[object, ...]:
        visits, gone = self.visits, "no" if self.gone_s is None else f"{self.gone_s:.0f} s"
        latency = f"{visits.percentile_ms(0.5):.1f} / {visits.percentile_ms(0.99):.1f} ms"
        answered = len(visits.latencies_s)
        return (
            *(self.name, f"{answered} of {answered + len(visits.failures)}", latency),
            *(self.most_open, f"{self.before_mib:.0f} → {self.after_mib:.0f}", gone, self.words),
        )


def measure() -> Section:
    """Run all attacks, one after the other, on one gateway."""
    attacks: list[Attack] = []
    with serving() as port, on_stage("slow", settings(port), HOST) as stage:
        attacks += [run_tool(stage, name) for name in MODES if shutil.which("slowhttptest")]
        attacks.append(half_open(stage, "half-open, one address", ATTACKER, HALF_OPEN))
        attacks.append(half_open(stage, "half-open, 100 addresses", MANY, HALF_OPEN))
    return _section(attacks)


def settings(port: int) -> dict[str, object]:
    """A public route to the service on this port, beside those of every stage."""
    routes = [
        {"path": "/slow/", "upstream": "slow", "session": "none"},
        {"path": "/api/", "upstream": "main", "strip_prefix": "/api"},
    ]
    return {"upstreams": {"slow": {"targets": [f"http://127.0.0.1:{port}"]}}, "routes": routes}


# -- attacks --------------------------------------------------------------------------------------


def run_tool(stage: Stage, name: str) -> Attack:
    """Run slowhttptest in one mode."""
    path = "/slow/big" if "-X" in MODES[name] else "/slow/x"
    words = ["slowhttptest", *MODES[name], "-c", str(CONNECTIONS), "-r", str(RATE)]
    words += ["-l", str(LENGTH_S), "-p", "5", "-u", f"http://127.0.0.1:{stage.port}{path}"]
    said: list[str] = []

    def act(look: Callable[[], int]) -> None:
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, errors="replace") as tool:
            while tool.poll() is None:
                look()
                time.sleep(0.5)
            assert tool.stdout is not None
            said.append(tool.stdout.read())

    found = attack(stage, name, act)
    found.words = _summary("".join(said))
    return found


def half_open(stage: Stage, name: str, sources: tuple[str, ...], count: int) -> Attack:
    """Open so many connections, send part of a head on each, and a byte a second on all."""
    left = 0

    def act(look: Callable[[], int]) -> None:
        nonlocal left
        with crowd(stage.port) as many:
            many.join(count, sources, PARTIAL)
            ends_at = time.monotonic() + HEADERS_S + 2
            while look() and time.monotonic() < ends_at:
                many.send(b"a")
                time.sleep(1)
            left = many.count()

    found = attack(stage, name, act)
    found.words = f"{count} opened, {left} left after the deadline of {HEADERS_S:.0f} s"
    if left:
        found.failures.append(f"{left} half-open connections outlived their deadline")
    return found


def attack(stage: Stage, name: str, act: Callable[[Callable[[], int]], None]) -> Attack:
    """Watch one attack; `act` is given a look at how many connections the gateway holds."""
    with visiting(stage.port, stage.host, VISITED) as visits:
        found = Attack(name, visits, before_mib=memory_mib(stage))

        def look() -> int:
            held = held_connections(stage)
            found.most_open = max(found.most_open, held)
            return held

        act(look)
        began_s = time.monotonic()
        is_gone = until(lambda: held_connections(stage) <= FEW, within_s=90)
        found.gone_s = time.monotonic() - began_s if is_gone else None
        found.after_mib = memory_mib(stage)
    found.failures += visits.failures[:3]
    if not visits.latencies_s:
        found.failures.append("the visitor was never answered")
    return found


FEW = 3
"""The visitor's own connections, and one that has just been closed."""


# -- what the gateway holds -----------------------------------------------------------------------


def held_connections(stage: Stage) -> int:
    """Client connections, as its metrics tell them (a second old at most)."""
    _, page = ask(stage.admin_port, "GET", "/metrics", {})
    found = re.search(rb"^gateway_client_connections(?:\{.*\})? ([0-9.]+)$", page, re.MULTILINE)
    return int(float(found[1])) if found is not None else 0


def memory_mib(stage: Stage) -> float:
    """Resident memory of the worker."""
    return max(_resident_mib(each) for each in workers(stage))


def workers(stage: Stage) -> list[int]:
    """The processes that serve."""
    pid = stage.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident_mib(pid: int) -> float:
    line = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(line[1]) / 1024 if line is not None else 0.0


# -- shown ----------------------------------------------------------------------------------------


def _summary(said: str) -> str:
    """The tool's last count of its connections."""
    last = dict(_COUNTS.findall(_COLOURS.sub("", said)))
    return ", ".join(f"{name} {value}" for name, value in last.items()) or "it said nothing"


def _section(attacks: list[Attack]) -> Section:
    head = ("attack", "visitor answered", "p50 / p99", "most open", "MiB", "gone after", "outcome")
    text = _WORDS + table(head, (each.row for each in attacks))
    if not shutil.which("slowhttptest"):
        text += (
            "\nSkipped: slowhttptest is not installed (Debian: `apt-get install slowhttptest`).\n"
        )
    failures = tuple(f"{each.name}: {line}" for each in attacks for line in each.failures)
    return Section("Slow clients", text, failures)


_WORDS = f"""One worker with the usual limits. slowhttptest opens {CONNECTIONS} connections from
127.0.0.1, {RATE} a second, for {LENGTH_S} s. `connections_per_ip` lets 2000 of them in, and refuses
its own probe too, which comes from the same address: then it calls the service not available. The
visitor asks from 127.0.0.2 the whole time, on a kept connection and on fresh ones in turn. "gone
after" counts from the attack's end until the gateway held none of its connections.

"""


@contextmanager
def _alone() -> Iterator[None]:
    began_s = time.monotonic()
    yield
    print(f"{time.monotonic() - began_s:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    with _alone():
        done = measure()
    print(done.text)
    print("\n".join(done.failures) or "nothing failed")
    sys.exit(1 if done.failures else 0)
