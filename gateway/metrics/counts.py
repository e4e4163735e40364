"""Counts of one process: requests as they end, events as they happen, states when asked.

It decides how a request is counted, and bounds how many series there can be. It must not know who
else counts, nor the text that Prometheus reads (`ledger`, `exposition`). Plain Python on the event
loop's thread, without locks: prometheus-client's own counters cost several microseconds a request.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.metrics.catalogue import (
    BOUNDS_S,
    REQUEST_DURATION,
    REQUESTS,
    RESPONSE_BYTES,
    Metric,
)
from gateway.observe import Visit

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods that are told apart (those a route can take); a client may send any other word."""
OTHER: Final = "other"
MAX_SERIES: Final = 10_000
"""Series of one metric in one process; what comes later is counted as `other`. No settings of
this size are known; a Prometheus server takes millions in all."""

Sample = tuple[Metric, tuple[str, ...], float]
"""A metric, values of its labels in their order, and the number."""
Reading = Callable[[], Iterable[Sample]]
"""Reads states when a snapshot is taken."""

_Key = tuple[str, str | None, str, int, str | None, str | None]
"""Route, upstream, method, status, error, platform."""
_FOLDED: _Key = (OTHER, OTHER, OTHER, 0, OTHER, OTHER)


@dataclass(slots=True)
class _Cell:
    """Requests with the same labels: seconds, bytes, and how many ended within each bound."""

    seconds: float = 0.0
    sent_bytes: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))


class Counts:
    """What one process has counted since it began."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._max_series = max_series
        self._cells: dict[_Key, _Cell] = {}
        self._counted: dict[str, dict[tuple[str, ...], float]] = {}
        self._readings: list[Reading] = []

    def record(self, visit: Visit) -> None:
        """Count a request that has ended. Every line here is paid by every request."""
        cell = self._cells.get(
            (
                visit.route,
                visit.upstream,
                visit.method,
                visit.status,
                visit.error,
                visit.platform,
            )
        )
        if cell is None:
            cell = self._cell_for(visit)
        elapsed_s = visit.ended_s - visit.began_s
        cell.seconds += elapsed_s
        cell.sent_bytes += visit.sent_bytes
        cell.buckets[bisect_left(BOUNDS_S, elapsed_s)] += 1

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter; `labels` are values in the metric's order."""
        series = self._counted.setdefault(metric.name, {})
        if labels not in series and len(series) >= self._max_series:
            labels = (OTHER,) * len(labels)
        series[labels] = series.get(labels, 0) + by

    def watch(self, read: Reading) -> None:
        """Ask `read` at each snapshot for gauges, and for counters that somebody else keeps."""
        self._readings.append(read)

    def snapshot(self) -> dict[str, object]:
        """Write all down as JSON can: metric's name -> [[label values, numbers], …].

        A histogram's numbers are its buckets, each for itself, and the sum; others have one.
        """
        rows: dict[str, list[tuple[tuple[str, ...], list[float]]]] = {
            REQUESTS.name: [(_labels(key), [sum(c.buckets)]) for key, c in self._cells.items()],
            REQUEST_DURATION.name: list(self._durations().items()),
            RESPONSE_BYTES.name: [(labels, [n]) for labels, n in self._sent_bytes().items()],
        }
        for name, series in self._counted.items():
            rows.setdefault(name, []).extend((labels, [n]) for labels, n in series.items())
        for metric, labels, number in (sample for read in self._readings for sample in read()):
            rows.setdefault(metric.name, []).append((labels, [number]))
        return {name: found for name, found in rows.items() if found}

    # -- requests -------------------------------------------------------------------------------

    def _cell_for(self, visit: Visit) -> _Cell:
        """Find the cell of a request whose words are seen for the first time, or are no method."""
        method = visit.method if visit.method in METHODS else OTHER
        key: _Key = (
            visit.route,
            visit.upstream,
            method,
            visit.status,
            visit.error,
            visit.platform,
        )
        if key not in self._cells and len(self._cells) >= self._max_series:
            key = _FOLDED
        return self._cells.setdefault(key, _Cell())

    def _durations(self) -> dict[tuple[str, ...], list[float]]:
        """Add the cells up by route and class of status: a histogram has 19 series for each."""
        found: dict[tuple[str, ...], list[float]] = {}
        for (route, _, _, status, *_), cell in self._cells.items():
            labels = (route, _status_class(status))
            numbers = found.setdefault(labels, [0.0] * (len(BOUNDS_S) + 2))
            for index, number in enumerate((*cell.buckets, cell.seconds)):
                numbers[index] += number
        return found

    def _sent_bytes(self) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for (route, *_), cell in self._cells.items():
            found[(route,)] = found.get((route,), 0) + cell.sent_bytes
        return found


def _labels(key: _Key) -> tuple[str, ...]:
    route, upstream, method, status, error, platform = key
    return route, upstream or "", method, _status(status), error or "", platform or ""


def _status(status: int) -> str:
    """Write a status; it has three digits (RFC 9110 15)."""
    return str(status) if 100 <= status <= 999 else OTHER


def _status_class(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status <= 999 else OTHER
