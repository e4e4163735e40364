"""`make bench`: compares the gateway with other proxies and writes docs/performance.md."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.idle import raise_file_limit
from bench.load import LOADS, SMALL_64
from bench.machine import find_program, share, usable_cores
from bench.peers import PEERS
from bench.peers.python import OURS
from bench.plan import Lengths, run_all
from bench.quick import Wish, run_quick
from bench.report import render

QUICK_PEERS = "ours,nginx,goauth"
HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
STEPS = HERE / "steps.md"
NEEDED = ("taskset", "nginx", "wrk")


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first ratio in a minute, printed")
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument("--only", help=f"of {names}; with --quick by default {QUICK_PEERS}")
    names = ",".join(load.name for load in LOADS)
    parser.add_argument("--loads", default=SMALL_64.name, help=f"with --quick: of {names}")
    parser.add_argument("--rounds", type=int, default=3, help="with --quick")
    parser.add_argument("--seconds", type=int, default=3, help="with --quick: of one round")
    parser.add_argument("--sessions", type=int, default=20_000, help="with --quick")
    parser.add_argument("--page", type=Path, default=PAGE, help="without --quick: what is written")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run; return the exit code."""
    asked = read_arguments(argv)
    missing = [name for name in NEEDED if find_program(name) is None]
    if missing:
        print(f"the benchmark needs {', '.join(missing)}", file=sys.stderr)
        return 1
    cores = share(usable_cores())
    os.sched_setaffinity(0, {cores.load})
    raise_file_limit()
    if asked.quick:
        names, loads = (asked.only or QUICK_PEERS).split(","), asked.loads.split(",")
        run_quick(cores, Wish(names, loads, asked.rounds, asked.seconds, asked.sessions))
        return 0
    names = asked.only.split(",") if asked.only else [peer.name for peer in PEERS]
    results = run_all(cores, [peer for peer in PEERS if peer.name in names], Lengths())
    if OURS.name in results.skipped:
        print("no page is written: this gateway itself could not be measured", file=sys.stderr)
        return 1
    asked.page.write_text(render(results, STEPS.read_text()))
    print(f"written: {asked.page}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
