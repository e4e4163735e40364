"""`make attack`: runs the suite, prints it, and writes docs/attack-report.md."""

import argparse
import sys
from collections.abc import Callable, Mapping

from tests.attack import (
    agreement,
    chains,
    comparison,
    folding,
    leakage,
    legitimate,
    slow,
    target,
)
from tests.attack.catalogue import FAMILIES
from tests.attack.report import PAGE, Section, put
from tests.attack.rows_run import run_rows, section

PARTS: Mapping[str, Callable[[], Section]] = {
    "explain": agreement.measure,
    "legitimate": legitimate.measure,
    "folding": folding.measure,
    "leakage": leakage.measure,
    "comparison": comparison.measure,
    "chains": chains.measure,
    "slow": slow.measure,
}
"""Beside the rows. Fuzzing has a command of its own: `make fuzz`."""
HEAD = """# Attack report

Written by `make attack` and `make fuzz`; edit `tests/attack/` instead. The rows are those of a
checklist of what went wrong in other gateways; they are data in `tests/attack/rows/`, and can be
pointed at any other gateway: `python -m tests.attack --target HOST:PORT --upstream-port PORT`.
"""


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for; 1 if anything failed."""
    asked = _read_arguments(argv)
    if asked.target is not None:
        return target.run_against(asked.target, asked.upstream_port, asked.family)
    families = asked.family or list(FAMILIES)
    sections = []
    if "rows" in asked.only:
        sections.append(section(run_rows(families, with_tests=not asked.quick)))
    for name, measure in PARTS.items():
        if name in asked.only:
            print(f"{name} …", file=sys.stderr, flush=True)
            sections.append(measure())
    for each in sections:
        print(f"\n## {each.title}\n\n{each.text}")
    failures = [line for each in sections for line in each.failures]
    if not (asked.quick or asked.family):
        _write(sections)
    print(f"{len(failures)} failed" if failures else "nothing failed")
    return 1 if failures else 0


def _write(sections: list[Section]) -> None:
    page = PAGE.read_text() if PAGE.exists() else HEAD
    for each in sections:
        page = put(page, each)
    PAGE.write_text(page)
    print(f"written: {PAGE}", file=sys.stderr)


def _read_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parts = ["rows", *PARTS]
    parser.add_argument("--only", action="append", choices=parts, help="this part (again for more)")
    parser.add_argument(
        "--family", action="append", choices=list(FAMILIES), help="these rows; nothing is written"
    )
    parser.add_argument("--quick", action="store_true", help="rows alone, nothing is written")
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        help="play the rows at a gateway that sends all of the host gw.test here",
    )
    parser.add_argument(
        "--upstream-port", type=int, help="this program's port: that gateway's service"
    )
    asked = parser.parse_args(argv)
    if (asked.target is None) != (asked.upstream_port is None):
        parser.error("--target and --upstream-port belong together")
    if asked.quick or asked.family:
        asked.only = ["rows"]
    asked.only = asked.only or parts
    return asked


if __name__ == "__main__":
    sys.exit(main())
