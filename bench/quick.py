"""A first ratio in a minute: a few rounds, printed; no page is written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.arena import Arena, open_arena, standing
from bench.load import LOADS, Load
from bench.machine import Cores
from bench.peers import PEERS
from bench.peers.nginx import PLAIN
from bench.rounds import run_rounds
from bench.stats import FULL, Row, summarise


@dataclass(frozen=True, slots=True)
class Wish:
    """What is run: proxies and loads by name, how often and how long, with how many sessions."""

    peers: Collection[str]
    loads: Collection[str]
    rounds: int
    seconds: int
    sessions: int


def run_quick(cores: Cores, wish: Wish) -> None:
    """Run what is wished and print it."""
    with open_arena(cores, wish.sessions) as arena:
        with standing(arena, [peer for peer in PEERS if peer.name in wish.peers]):
            for load in LOADS:
                if load.name in wish.loads:
                    _print_load(arena, load, wish)
        for name, reason in arena.skipped.items():
            print(f"skipped: {name}: {reason}")


def _print_load(arena: Arena, load: Load, wish: Wish) -> None:
    rounds = run_rounds(
        arena.standing.values(),
        load,
        rounds=wish.rounds,
        seconds=wish.seconds,
        cores=(arena.cores.load,),
    )
    print(f"\n{load.title}; {wish.rounds} rounds of {wish.seconds} s, medians")
    rows = summarise(rounds, PLAIN.name)
    for line in plain_table(rows):
        print(line)
    if PLAIN.name in rows and rows[PLAIN.name].busy < FULL:
        print("nginx did not fill its core: the load was short of CPU; go by CPU time")


def plain_table(rows: Mapping[str, Row]) -> list[str]:
    """Return the rows as lines for a terminal."""
    lines = [
        "proxy           ÷ nginx     (range)   ÷ nginx by CPU  requests/s  CPU us   busy  failed"
    ]
    for name, row in rows.items():
        low, high = row.spread
        lines.append(
            f"{name:14} {row.ratio:8.3f}  {low:5.3f}-{high:5.3f}  {row.cpu_ratio:12.3f}"
            f"  {row.per_s:12,.0f}  {row.cpu_us:7.1f}  {row.busy:4.0%}  {row.failed:6}"
        )
    return lines
