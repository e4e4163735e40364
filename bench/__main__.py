"""`make bench`: compares the gateway with other proxies and writes docs/performance.md."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.idle import raise_file_limit
from bench.load import LOADS, SMALL_64
from bench.machine import Cores, describe_machine, find_program, share, usable_cores
from bench.peers import PEERS
from bench.peers.python import OURS
from bench.plan import Lengths, run_all, run_sessions
from bench.quick import Wish, run_quick
from bench.report import render
from bench.results import Results
from bench.stores.page import put, render_sessions
from bench.stores.run import QUICK, Sizes

QUICK_PEERS = "ours,nginx,goauth"
SESSIONS = "sessions"
"""With `--only`: the part on sessions alone."""
HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
STEPS = HERE / "steps.md"
NEEDED = ("taskset", "nginx", "wrk")


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first ratio in a minute, printed")
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument(
        "--only", help=f"{SESSIONS}, or of {names}; with --quick by default {QUICK_PEERS}"
    )
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
    alone = asked.only == SESSIONS
    missing = [name for name in (NEEDED[:1] if alone else NEEDED) if find_program(name) is None]
    if missing:
        print(f"the benchmark needs {', '.join(missing)}", file=sys.stderr)
        return 1
    cores = share(usable_cores())
    os.sched_setaffinity(0, {cores.load})
    raise_file_limit()
    if alone:
        return sessions_alone(cores, asked.page, is_quick=asked.quick)
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


def sessions_alone(cores: Cores, page: Path, *, is_quick: bool) -> int:
    """Run the part on sessions and put its section into the page, or print it."""
    results = Results(describe_machine(), cores, 0, ())
    run_sessions(cores, QUICK if is_quick else Sizes(), results)
    section = render_sessions(results.stores)
    if is_quick:
        print(section)
    else:
        page.write_text(put(page.read_text(), section))
        print(f"written: {page}, its section on sessions", file=sys.stderr)
    return 1 if results.skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
