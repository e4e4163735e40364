"""Holds the floor of branch coverage: `branches.py FLOOR NAME PATTERN…`, over .coverage.

coverage's own percentage counts lines too, and would hide branches behind them.
"""

import json
import subprocess
import sys
from fnmatch import fnmatch


def main(floor: float, name: str, patterns: list[str]) -> int:
    """Print the share of branches taken in the files named; return 1 below the floor."""
    command = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    report = subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603 - our own words
    summaries = [
        file["summary"]
        for path, file in json.loads(report)["files"].items()
        if any(fnmatch(path, pattern) for pattern in patterns)
    ]
    taken = sum(each["covered_branches"] for each in summaries)
    there = sum(each["num_branches"] for each in summaries)
    share = 100 * taken / there if there else 0.0
    print(f"{name}: {taken} of {there} branches, {share:.1f} % (at least {floor:g})")  # noqa: T201 - its purpose
    return 0 if share >= floor else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
