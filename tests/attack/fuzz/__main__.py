"""`python -m tests.attack.fuzz [--time 30m] [--planted] [--only NAME] [--print]`.

Without a switch: the planted faults, then all fuzzers for so long in total, then the section
"Fuzzing" of docs/attack-report.md. Ends with 1 where something was found.
"""

import argparse
import re
import sys
from pathlib import Path

from tests.attack.fuzz.faults import FAULTS, WIRE
from tests.attack.fuzz.fuzzers import FUZZERS
from tests.attack.fuzz.hunting import TOP, hunt
from tests.attack.fuzz.page import hunt_wire, measure
from tests.attack.fuzz.planted import find_all
from tests.attack.report import PAGE, put

KEPT = TOP / "build" / "fuzz"
_UNITS_S = {"s": 1, "m": 60, "h": 3600}


def main() -> int:
    """Run what is asked for; 1: something was found, or a planted fault was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack.fuzz")
    parser.add_argument("--time", type=_seconds, default="30m", help="in total: 90s, 30m, 2h")
    parser.add_argument("--planted", action="store_true", help="only find the planted faults")
    parser.add_argument("--only", choices=[*FUZZERS, WIRE], help="run one fuzzer, print only")
    parser.add_argument("--print", action="store_true", help="print the section, write no page")
    asked = parser.parse_args()
    if asked.planted:
        return _planted()
    if asked.only:
        return _only(asked.only, asked.time)
    written = measure(asked.time, KEPT)
    if asked.print:
        _say(written.text)
    else:
        page = PAGE.read_text() if PAGE.exists() else "# Attack report\n"
        PAGE.write_text(put(page, written))
    for failure in written.failures:
        _say(f"FOUND {failure}")
    return 1 if written.failures else 0


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]+)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError("a number and s, m or h")
    return float(match[1]) * _UNITS_S[match[2]]


def _planted() -> int:
    missed = 0
    for each in find_all():
        what = each.finding or "NOT FOUND"
        said = f"{each.seconds:6.1f} s {each.executions:8,} inputs: {what}"
        _say(f"{each.name:14} {FAULTS[each.name].fuzzer:14} {said}")
        missed += each.finding is None
    return 1 if missed else 0


def _only(name: str, seconds: float) -> int:
    if name == WIRE:
        found = hunt_wire(seconds)
        _say(f"{found.examples:,} examples, {found.requests:,} requests, {found.arrived:,} arrived")
        _say(found.finding or "nothing found")
        return 1 if found.finding else 0
    ran = hunt(name, seconds, KEPT / name)
    _say(f"{ran.executions:,} inputs, cov {ran.edges}, ft {ran.features}, corpus {ran.inputs}")
    _say(f"{ran.finding}: {ran.found!r}" if ran.finding else "nothing found")
    return 1 if ran.finding else 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    Path(KEPT).mkdir(parents=True, exist_ok=True)
    sys.exit(main())
