"""The catalogue of metrics: conventional names, bounded labels, and the page that tells it."""

import re
from pathlib import Path

import pytest

from gateway.metrics.catalogue import BOUNDS_S, CATALOGUE, Metric

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
EACH = pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
BOUNDED_LABELS = {
    "route": "a route's name in the settings, or an own endpoint's",
    "upstream": "a name in the settings",
    "target": "an address in the settings",
    "method": "eight words",
    "status": "three digits",
    "status_class": "nine classes",
    "error": "codes of ours",
    "platform": "platforms of ours",
    "app": "a name in the settings",
    "outcome": "codes of ours",
    "reason": "words of ours",
    "call": "calls of a store",
    "state": "in_use or idle",
    "worker": "places of workers",
    "version": "one",
    "python": "one",
}


@EACH
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    """Our prefix, lower case; counters and only they end in _total (Prometheus, "naming")."""
    assert re.fullmatch(r"gateway_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|kb|count|sum|bucket|created)\b", metric.name)
    assert metric.kind != "histogram" or metric.unit == "seconds"


@EACH
def test_a_help_is_a_sentence(metric: Metric) -> None:
    """It is what a person sees beside the name."""
    assert re.fullmatch(r"[A-Z].*\.", metric.help)
    assert "\n" not in metric.help


@EACH
def test_labels_are_bounded(metric: Metric) -> None:
    """No label takes what a client writes (attacks.md D8)."""
    assert set(metric.all_labels) <= set(BOUNDED_LABELS)


@EACH
def test_what_must_not_add_up_does_not(metric: Metric) -> None:
    """A minimum is for gauges: a counter's or a histogram's would go up and down."""
    assert metric.kind == "gauge" or metric.merge == "sum"


def test_units_are_base_units() -> None:
    """They are told to OpenMetrics."""
    units = {metric.name: metric.unit for metric in CATALOGUE if metric.unit}
    assert units == {
        "gateway_request_duration_seconds": "seconds",
        "gateway_response_body_bytes_total": "bytes",
        "gateway_worker_cpu_seconds_total": "seconds",
        "gateway_worker_resident_memory_bytes": "bytes",
    }


def test_names_are_there_once() -> None:
    """The ledger finds a metric by its name."""
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)


def test_the_bounds_reach_from_a_quarter_millisecond_to_a_minute() -> None:
    """Ascending; our own time is below the first milliseconds."""
    assert (BOUNDS_S[0], BOUNDS_S[-1]) == (0.00025, 60)
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))


def test_every_metric_is_told_with_its_kind_and_labels() -> None:
    """docs/metrics.md has one row for each, and none besides."""
    rows = re.findall(r"^\| `(gateway_\w+)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    told = {name: (kind, tuple(re.findall("`([a-z_]+)`", labels))) for name, kind, labels in rows}
    assert told == {metric.name: (metric.kind, metric.all_labels) for metric in CATALOGUE}
    assert len(rows) == len(told)


def test_every_label_is_told() -> None:
    """Each has a row that says what it may hold."""
    rows = PAGE.partition("## Labels")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([a-z_]+)`", rows, re.MULTILINE))
    assert told == {label for metric in CATALOGUE for label in metric.all_labels}
    assert told == set(BOUNDED_LABELS)
