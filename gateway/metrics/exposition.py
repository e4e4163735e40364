"""Writes merged series as text that Prometheus reads. prometheus-client knows the formats.

Formats: Prometheus text 0.0.4 and OpenMetrics 1.0, chosen by `Accept`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway.metrics.catalogue import BOUNDS_S, CATALOGUE, Metric

Series = Mapping[tuple[str, ...], Sequence[float]]
"""Numbers by label values; a histogram's are its buckets, each for itself, and the sum."""
Table = Mapping[str, Series]
"""Series by a metric's name."""

_BOUNDS = (*(str(bound) for bound in BOUNDS_S), "+Inf")
_VERSIONS = ("0.0.4", "1.0.0", None)
"""The text format's versions 0.0.4 and 1.0.0, OpenMetrics 1.0.0; none said means the oldest."""


def render(table: Table, accept: str) -> tuple[bytes, str]:
    """Write all series, and this process's own usage; return the text and its content type."""
    encode, content_type = choose_encoder(_known(accept))
    return encode(_Collector(table)), content_type


def _known(accept: str) -> str:
    """Leave the formats we write: the library fails on a strange version, or promises it."""
    parts = accept.split(",")
    return ",".join(part for part in parts if _version(part) in _VERSIONS)


def _version(part: str) -> str | None:
    said = (each.strip() for each in part.split(";"))
    return next((each.removeprefix("version=") for each in said if each[:8] == "version="), None)


class _Collector(Collector):
    """One look at the table, as prometheus-client wants it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def collect(self) -> Iterable[Family]:
        yield from families(self._table)
        # In a registry of its own: this text is the only place where it is told.
        yield from ProcessCollector(registry=CollectorRegistry()).collect()


def families(table: Table) -> Iterator[Family]:
    """Build the family of each metric that has any series, in the catalogue's order."""
    for metric in CATALOGUE:
        if series := table.get(metric.name):
            yield _family(metric, series)


def _family(metric: Metric, series: Series) -> Family:
    if metric.kind == "histogram":
        return _histogram(metric, series)
    shape = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = shape(metric.name, metric.help, labels=metric.all_labels, unit=metric.unit)
    for labels, (number,) in sorted(series.items()):
        family.add_metric(labels, number)
    return family


def _histogram(metric: Metric, series: Series) -> Family:
    family = HistogramMetricFamily(
        metric.name, metric.help, labels=metric.all_labels, unit=metric.unit
    )
    for labels, (*buckets, total) in sorted(series.items()):
        family.add_metric(labels, list(zip(_BOUNDS, accumulate(buckets), strict=True)), total)
    return family
