"""Shows that each fuzzer finds a planted fault of its kind, and how soon."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.attack.fuzz.faults import FAULTS, WIRE
from tests.attack.fuzz.hunting import TOP, hunt
from tests.attack.fuzz.wire import wired
from tests.attack.fuzz.wiring import hunt_for
from tests.attack.stage import on_stage

LIMIT_S = 300.0
"""Within minutes: who needs longer has not found it."""
_PLANTING = Path(__file__).parent / "planting"


@dataclass(frozen=True, slots=True)
class FoundFault:
    """How a planted fault was found; `finding` None: it was not."""

    name: str
    executions: int
    seconds: float
    finding: str | None


def planting_in(name: str) -> dict[str, str]:
    """The environment in which a gateway starts with this fault."""
    return {"PYTHONPATH": f"{_PLANTING}:{TOP}", "ATTACK_FAULT": name}


def find_all() -> Iterator[FoundFault]:
    """Plant each fault and hunt for it."""
    for name, fault in FAULTS.items():
        yield _find_on_wire(name) if fault.fuzzer == WIRE else _find(name)


def _find(name: str) -> FoundFault:
    with tempfile.TemporaryDirectory(prefix="fuzz-planted-") as folder:
        ran = hunt(FAULTS[name].fuzzer, LIMIT_S, Path(folder), fault=name)
    return FoundFault(name, ran.executions, ran.seconds, ran.finding)


def _find_on_wire(name: str) -> FoundFault:
    """Hunt on a gateway with the fault; the time is that of the hunt, without its start."""
    begun = time.time_ns()  # another first seed each time, as libFuzzer does
    stage = on_stage(f"planted-{name}", {}, b"gw.test", planting_in(name))
    with stage as running, wired(running) as wire:
        found = hunt_for(wire, LIMIT_S, first_seed=begun % 1_000_000)
    told = found.finding and found.finding.partition(" (seed")[0]
    return FoundFault(name, found.first_found or found.examples, found.seconds, told)
