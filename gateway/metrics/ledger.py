"""Adds up what the workers of this gateway have counted, so that sums never go down.

It decides how workers' values become one (each metric's `merge`), and what stays of a worker that
has ended. It must not know how snapshots travel, nor what they mean.
"""

import platform
from collections.abc import Iterable, Mapping
from typing import Final, cast

from gateway.metrics.catalogue import (
    BUILD_INFO,
    CATALOGUE,
    WORKER_EXITS,
    WORKERS,
    Merge,
    Metric,
)
from gateway.metrics.counts import Counts
from gateway.metrics.exposition import render

_BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in CATALOGUE}

_Rows = list[tuple[list[str], list[float]]]
_Table = dict[str, dict[tuple[str, ...], list[float]]]


class Ledger:
    """The counts of all workers, living and ended. For one thread; each call is done at once.

    `own` is what this process counts itself, where it is no worker: what operators do.
    """

    def __init__(self, version: str, own: Counts | None = None) -> None:
        self._version = version
        self._counts = own
        self._workers: dict[str, _Table] = {}
        self._past: _Table = {}
        self._exits = 0

    def update(self, worker: str, snapshot: Mapping[str, object]) -> None:
        """Take a worker's newest snapshot (`Counts.snapshot`) in place of its last.

        `worker` is its place (`0`, `1`, …), which a successor takes again: call `retire` between.
        """
        self._workers[worker] = _read(worker, snapshot)

    def retire(self, worker: str) -> None:
        """Keep the counts of a worker that has ended; its gauges go. Call once for each end."""
        self._exits += 1
        table = self._workers.pop(worker, {})
        kept = {name: found for name, found in table.items() if _BY_NAME[name].kind != "gauge"}
        self._past = merge([self._past, kept])

    def render(self, accept: str) -> tuple[bytes, str]:
        """Write everything in the format an `Accept` header asks for; return text, content type."""
        table = merge([self._past, *self._workers.values(), self._own()])
        return render(table, accept)

    def _own(self) -> _Table:
        """What no worker counts."""
        counted = {} if self._counts is None else _read("", self._counts.snapshot())
        return counted | {
            WORKERS.name: {(): [len(self._workers)]},
            WORKER_EXITS.name: {(): [self._exits]},
            BUILD_INFO.name: {(self._version, platform.python_version()): [1]},
        }


def merge(tables: Iterable[_Table]) -> _Table:
    """Make one table of many: each number by its metric's rule."""
    merged: _Table = {}
    for table in tables:
        for name, series in table.items():
            _merge_series(merged.setdefault(name, {}), series, _BY_NAME[name].merge)
    return merged


def _merge_series(
    into: dict[tuple[str, ...], list[float]],
    series: Mapping[tuple[str, ...], list[float]],
    by: Merge,
) -> None:
    for labels, numbers in series.items():
        old = into.get(labels)
        if old is None:
            into[labels] = numbers
        elif by == "min":
            into[labels] = [min(a, b) for a, b in zip(old, numbers, strict=True)]
        else:
            into[labels] = [a + b for a, b in zip(old, numbers, strict=True)]


def _read(worker: str, snapshot: Mapping[str, object]) -> _Table:
    """Read a snapshot, also one that came as JSON; a metric that is not ours is left out."""
    table: _Table = {}
    for name, rows in snapshot.items():
        metric = _BY_NAME.get(name)
        if metric is None:
            continue
        place = (worker,) if metric.by_worker else ()
        into = table.setdefault(name, {})
        for labels, numbers in cast("_Rows", rows):  # `Counts.snapshot` wrote it
            _merge_series(into, {(*labels, *place): list(numbers)}, metric.merge)
    return table
