"""Runs every row on its stage and counts by family: passed, failed, not applicable.

It must not know how the counts are shown.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.catalogue import FAMILIES, TITLES
from tests.attack.judge import run, variants
from tests.attack.model import Case, Check, Entry, NotApplicable, Proven
from tests.attack.report import Section, table
from tests.attack.stages import Stages

TOP = Path(__file__).parents[2]
TESTS_S = 900.0
_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(slots=True)
class Tally:
    """What came of a family: how many cases passed, what failed, what does not apply and why."""

    cases: int = 0
    checks: int = 0
    tests: int = 0
    failures: list[str] = field(default_factory=list)
    left_out: list[NotApplicable] = field(default_factory=list)


def run_rows(families: Iterable[str], *, with_tests: bool) -> dict[str, Tally]:
    """Run these families; `with_tests`: also the tests elsewhere that hold rows."""
    found = {}
    with Stages() as stages:
        for family in families:
            tally = Tally()
            for entry in FAMILIES[family].entries():
                _run_entry(entry, stages, tally)
            if with_tests:
                _run_tests(sorted(set(_tests_of(family))), tally)
            found[family] = tally
            print(_line(family, tally), file=sys.stderr, flush=True)
    return found


def _run_entry(entry: Entry, stages: Stages, tally: Tally) -> None:
    match entry:
        case Case():
            for variant in variants(entry):
                tally.cases += 1
                amiss = run(variant, stages.get(entry.stage))
                tally.failures += [f"{variant.name}: {each}" for each in amiss]
        case Check():
            tally.checks += 1
            amiss = entry.run(stages.get(entry.stage))
            tally.failures += [f"{entry.row} {entry.title}: {each}" for each in amiss]
        case NotApplicable():
            tally.left_out.append(entry)
        case Proven():
            pass  # run together, behind the family


def _tests_of(family: str) -> Iterator[str]:
    for entry in FAMILIES[family].entries():
        if isinstance(entry, Proven):
            yield from entry.tests


def _run_tests(tests: list[str], tally: Tally) -> None:
    """Run tests elsewhere in one pytest; what it skipped is no failure, but told."""
    if not tests:
        return
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *tests],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=TESTS_S,
        check=False,
    )
    counts = {word: int(number) for number, word in _COUNTS.findall(done.stdout)}
    tally.tests += counts.get("passed", 0)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    tally.failures += lines
    if done.returncode not in (0, 1) or (done.returncode == 1 and not lines):
        tally.failures.append(f"pytest ended with {done.returncode}")


# -- shown ----------------------------------------------------------------------------------------


def _line(family: str, tally: Tally) -> str:
    failed = f", {len(tally.failures)} FAILED" if tally.failures else ""
    counts = f"{tally.cases} cases, {tally.checks} checks, {tally.tests} tests{failed}"
    return f"{family}  {TITLES[family]}: {counts}"


def section(found: dict[str, Tally]) -> Section:
    """Write what was found as a section of the report."""
    head = ("family", "rows", "cases", "checks", "tests elsewhere", "failed", "not applicable")
    rows = [
        (
            f"**{family}** {TITLES[family]}",
            len({each.row for each in FAMILIES[family].entries()}),
            *(tally.cases, tally.checks, tally.tests, len(tally.failures), len(tally.left_out)),
        )
        for family, tally in found.items()
    ]
    total = [sum(int(row[at]) for row in rows) for at in range(1, len(head))]
    text = table(head, [*rows, ("all", *total)]) + _WORDS
    left_out = [each for tally in found.values() for each in tally.left_out]
    if left_out:
        text += "\nNot applicable:\n\n"
        text += table(("row", "what", "why"), ((e.row, e.title, e.reason) for e in left_out))
    failures = tuple(each for tally in found.values() for each in tally.failures)
    if failures:
        text += "\nFailed:\n\n" + "".join(f"- {each}\n" for each in failures)
    return Section("Rows", text, failures)


_WORDS = """
A case is one connection's bytes and what may come of them, on one kind of route with one kind of
session; after each, a harmless request must get its own answer. A check takes more than one
connection. Tests elsewhere are those of the rest of the test suite that hold a row.
"""
