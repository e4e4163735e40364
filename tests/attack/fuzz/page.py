"""What the fuzzers came to, as a section of the attack report.

It must not know how they work, only how long they ran and what they found.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.attack.fuzz.faults import FAULTS, WIRE
from tests.attack.fuzz.fuzzers import FUZZERS
from tests.attack.fuzz.hunting import Ran, covered, hunt
from tests.attack.fuzz.planted import LIMIT_S, FoundFault, find_all
from tests.attack.fuzz.wire import wired
from tests.attack.fuzz.wiring import Hunt, hunt_for
from tests.attack.report import Section, table
from tests.attack.stage import on_stage

TITLE = "Fuzzing"
HOUR_HALF_S = 1800.0


@dataclass(frozen=True, slots=True)
class Results:
    """All there is to tell; `branches` by module: taken, and there are."""

    runs: Sequence[Ran]
    wire: Hunt
    branches: Mapping[str, tuple[int, int]]
    faults: Sequence[FoundFault]


def measure(seconds: float = HOUR_HALF_S, folder: Path | None = None) -> Section:
    """Find the planted faults, then run all fuzzers on the real code for so long in total.

    `folder` keeps what they learn, so that the next run goes on from there.
    """
    faults = list(find_all())
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        kept = folder or Path(temporary)
        share_s = seconds / (len(FUZZERS) + 1)
        runs = [hunt(name, share_s, kept / name) for name in FUZZERS]
        found = [covered(name, kept / name) for name in FUZZERS]
    return section(Results(runs, hunt_wire(share_s), best_of(found), faults))


def best_of(found: Sequence[Mapping[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Take for each module the figures of the fuzzer that reached most of it."""
    best: dict[str, tuple[int, int]] = {}
    for each in found:
        for module, figures in each.items():
            best[module] = max(best.get(module, figures), figures)
    return best


def hunt_wire(seconds: float) -> Hunt:
    """Run the wire's fuzzer on a gateway of its own."""
    with on_stage("fuzzed", {}, b"gw.test") as stage, wired(stage) as wire:
        return hunt_for(wire, seconds, first_seed=time.time_ns() % 1_000_000)


def section(results: Results) -> Section:
    """Write the section; a finding, or a planted fault that was not found, is a failure."""
    failures = [
        *(f"{each.name}: {each.finding}: {each.found!r}" for each in results.runs if each.finding),
        *([f"wire: {results.wire.finding}"] if results.wire.finding else []),
        *(f"planted: {each.name} was not found" for each in results.faults if not each.finding),
    ]
    parts = (_runs(results), _branches(results.branches), _faults(results.faults), _cases())
    return Section(TITLE, "\n".join(parts), tuple(failures))


def _runs(results: Results) -> str:
    rows: list[Sequence[object]] = [
        (
            each.name,
            FUZZERS[each.name].title,
            f"{each.executions:,}",
            f"{each.seconds:.0f}",
            each.edges,
            each.features,
            each.inputs,
            each.finding or "none",
        )
        for each in results.runs
    ]
    wire = results.wire
    what = f"pipelines over sockets to a gateway that runs: {wire.requests:,} requests, "
    what += f"{wire.arrived:,} of them arrived at a service"
    finding = wire.finding or "none"
    rows.append((WIRE, what, f"{wire.examples:,}", f"{wire.seconds:.0f}", "", "", "", finding))
    total_s = sum(each.seconds for each in results.runs) + wire.seconds
    head = ("fuzzer", "tries", "inputs", "seconds", "cov", "ft", "corpus", "findings")
    return f"""\
Command: `make fuzz` (`TIME=30m`), {total_s / 60:.1f} minutes in this run. All but `wire` are
coverage-guided (atheris, libFuzzer): `cov` are the code edges and `ft` the features they reached.
`wire` draws with hypothesis and compares what services saw with a strict reading of what was sent;
a few hundred of its examples, and every input below, run in `make test`.

{table(head, rows)}"""


def _branches(branches: Mapping[str, tuple[int, int]]) -> str:
    rows = [
        (f"`{module}`", f"{taken} of {all_}", f"{100 * taken / all_:.0f} %" if all_ else "")
        for module, (taken, all_) in sorted(branches.items())
    ]
    return f"""\
Branches reached, by coverage.py over the corpus they built; where two fuzzers try a module, of the
one that reached more. What only start-up or another part calls is not reached from here:

{table(("module", "branches", "reached"), rows)}"""


def _faults(faults: Sequence[FoundFault]) -> str:
    rows = [
        (
            FAULTS[each.name].title,
            FAULTS[each.name].fuzzer,
            f"{each.seconds:.1f}",
            f"{each.executions:,}",
            each.finding or f"not found in {LIMIT_S:.0f} s",
        )
        for each in faults
    ]
    head = ("planted fault", "fuzzer", "seconds", "inputs", "what it said")
    return f"""\
Faults planted into a running process, to see that each fuzzer finds one of its kind; it is given
neither the input nor what was found before (`python -m tests.attack.fuzz --planted`):

{table(head, rows)}"""


def _cases() -> str:
    rows = [(name, case.replace("-", " ")) for name in FUZZERS for case, _ in FUZZERS[name].cases()]
    return f"""\
What they have found so far; all of it is mended, and each input is a case in `make test`
(`tests/attack/fuzz/cases`):

{table(("fuzzer", "found"), rows)}"""
