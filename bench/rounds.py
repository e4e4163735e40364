"""Runs proxies in turn, round by round, so that a noisy machine is noisy for all of them.

It must not know what the numbers are compared with.
"""

from collections.abc import Iterable, Mapping

from bench.arena import Standing
from bench.load import Load, WrkResult, run_wrk
from bench.process import cpu_s
from bench.stats import Sample


def run_rounds(
    standing: Iterable[Standing],
    loads: Load | Mapping[str, Load],
    *,
    rounds: int,
    seconds: int,
    core: int,
) -> list[dict[str, Sample]]:
    """Run the load at each proxy in turn, `rounds` times; the order turns with each round.

    Where each has a load of its own, they are given by the proxies' names.
    """
    order = list(standing)
    names = [one.peer.name for one in order]
    load_of = dict.fromkeys(names, loads) if isinstance(loads, Load) else loads
    for one in order:
        run_wrk(load_of[one.peer.name], one.aim, 1, core)
    done = []
    for number in range(rounds):
        turned = order[number % len(order) :] + order[: number % len(order)]
        samples = {
            one.peer.name: run_once(one, load_of[one.peer.name], seconds, core) for one in turned
        }
        done.append({one.peer.name: samples[one.peer.name] for one in order})
    return done


def run_once(one: Standing, load: Load, seconds: int, core: int) -> Sample:
    """Run the load at one proxy."""
    before = cpu_s(one.pids)
    result = run_wrk(load, one.aim, seconds, core)
    return sample_of(result, cpu_s(one.pids) - before)


def sample_of(result: WrkResult, used_s: float) -> Sample:
    """Join what wrk counted and what the proxy used."""
    failed = result.refused + result.broken
    return Sample(result.requests, result.duration_s, result.bytes_read, used_s, failed)
