"""The text Prometheus reads: both formats, parsed back strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics.catalogue import BOUNDS_S, CATALOGUE
from gateway.metrics.exposition import Table, render
from tests.support.metrics import OPENMETRICS, PLAIN, families, samples

ODD = 'odd "name" \\ with\na line, {braces} and 中文'


def full_table(number: float = 2) -> dict[str, dict[tuple[str, ...], list[float]]]:
    """One series of every metric; each label's value is hard to write."""
    width = len(BOUNDS_S) + 2
    return {
        metric.name: {
            tuple(ODD for _ in metric.all_labels): [number]
            * (width if metric.kind == "histogram" else 1)
        }
        for metric in CATALOGUE
    }


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_every_metric_is_read_back(accept: str) -> None:
    """With its kind, its help and its labels, in both formats."""
    text, content_type = render(full_table(), accept)
    read = {family.name: family for family in families(text, content_type)}
    for metric in CATALOGUE:
        family = read[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.all_labels)
            assert {sample.labels[name] for name in metric.all_labels} <= {ODD}


def test_openmetrics_are_told_the_units() -> None:
    """And end with EOF, so that half an answer is none."""
    text, content_type = render(full_table(), "application/openmetrics-text; version=1.0.0")
    assert content_type == OPENMETRICS
    assert text.endswith(b"# EOF\n")
    units = {family.name: family.unit for family in families(text, content_type)}
    assert units["gateway_request_duration_seconds"] == "seconds"


def test_buckets_add_up() -> None:
    """Each holds all before it; the last is the count."""
    (metric,) = (each for each in CATALOGUE if each.kind == "histogram")
    numbers = [float(number) for number in range(len(BOUNDS_S) + 1)]
    table: Table = {metric.name: {("/a/", "2xx"): [*numbers, 12.5]}}
    text, _ = render(table, "")
    labels = (("route", "/a/"), ("status_class", "2xx"))
    found = samples(text)
    buckets = [n for (name, _), n in found.items() if name == f"{metric.name}_bucket"]
    assert buckets == [sum(numbers[: index + 1]) for index in range(len(numbers))]
    assert found[f"{metric.name}_count", labels] == sum(numbers)
    assert found[f"{metric.name}_sum", labels] == 12.5
    bounds = [
        dict(labels)["le"]
        for (name, labels) in found
        if name == "gateway_request_duration_seconds_bucket"
    ]
    assert [float(bound) for bound in bounds] == [*BOUNDS_S, float("inf")]


def test_a_metric_without_series_is_not_told() -> None:
    """Only this process's own usage is always there."""
    names = {family.name for family in families(*render({}, ""))}
    assert names
    assert all(name.startswith("process_") for name in names)


PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "begins"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html, */*;q=0.1", PLAIN),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0;"),
        ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0;"),
        ("application/openmetrics-text; version=9.0.0", PLAIN),
        ("application/openmetrics-text; version=x", PLAIN),
        ("application/openmetrics-text; version=", PLAIN),
        ("application/openmetrics-text; version=1.0.0\udcff", PLAIN),
        ("text/plain; version=1.0.0", "text/plain; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_chosen_by_accept(accept: str, begins: str) -> None:
    """A version we do not write is not promised; nothing a client says is repeated."""
    text, content_type = render(full_table(), accept)
    assert content_type.startswith(begins)
    assert families(text, content_type)


@given(st.text(st.sampled_from("aptox/-=;,.*0123 éߐ\udcff"), max_size=40))
def test_no_accept_breaks_it(noise: str) -> None:
    """Whatever a client asks for, it gets a format."""
    for accept in (noise, f"application/openmetrics-text;version={noise}", f"text/plain;{noise}"):
        content_type = render({}, accept)[1]
        assert content_type.isascii()
        assert content_type.partition(";")[0] in ("text/plain", "application/openmetrics-text")
