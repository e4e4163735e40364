"""Runs proxies in turn, round by round, so that a noisy machine is noisy for all of them.

It must not know what the numbers are compared with.
"""

from collections.abc import Iterable, Sequence

from bench.arena import Standing
from bench.load import Load, WrkResult, run_wrk
from bench.process import cpu_s
from bench.stats import Sample


def run_rounds(
    standing: Iterable[Standing],
    load: Load,
    *,
    rounds: int,
    seconds: int,
    cores: Sequence[int],
) -> list[dict[str, Sample]]:
    """Run the load at each proxy in turn, `rounds` times; the order turns with each round."""
    order = list(standing)
    for one in order:
        run_wrk(load, one.aim, 1, *cores)
    done = []
    for number in range(rounds):
        turned = order[number % len(order) :] + order[: number % len(order)]
        samples = {one.peer.name: run_once(one, load, seconds, cores) for one in turned}
        done.append({one.peer.name: samples[one.peer.name] for one in order})
    return done


def run_once(one: Standing, load: Load, seconds: int, cores: Sequence[int]) -> Sample:
    """Run the load at one proxy."""
    before = cpu_s(one.pids)
    result = run_wrk(load, one.aim, seconds, *cores)
    return sample_of(result, cpu_s(one.pids) - before)


def sample_of(result: WrkResult, used_s: float) -> Sample:
    """Join what wrk counted and what the proxy used."""
    failed = result.refused + result.broken
    return Sample(result.requests, result.duration_s, result.bytes_read, used_s, failed)
