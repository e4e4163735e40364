"""Reads metrics back as Prometheus would, strictly; and makes visits to count."""

from collections.abc import Iterator

from prometheus_client import parser
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics_parser

from gateway.observe import Visit
from tests.support.raw import ask

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


def made_visit(
    elapsed_s: float = 0.25,
    *,
    route: str = "/orders/",
    method: str = "GET",
    status: int = 200,
    sent_bytes: int = 0,
    upstream: str | None = "orders",
    error: str | None = None,
    platform: str | None = "wechat",
) -> Visit:
    """A request that has ended."""
    return Visit(
        0.0,
        8.0,
        route=route,
        method=method,
        status=status,
        sent_bytes=sent_bytes,
        ended_s=8.0 + elapsed_s,
        upstream=upstream,
        error=error,
        path="/orders/17",
        client="203.0.113.9",
        subject="wechat:wx1:o-alice",
        platform=platform,
        app="shop",
    )


def families(text: bytes, content_type: str) -> list[Family]:
    """Parse an exposition as its content type says; what is malformed raises."""
    if content_type.startswith("application/openmetrics-text"):
        read = openmetrics_parser.text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call] # the library's parser has no types
    else:
        read = parser.text_string_to_metric_families(text.decode())
    return list(read)


def _samples(text: bytes, content_type: str) -> Iterator[tuple[tuple[str, Labels], float]]:
    for family in families(text, content_type):
        for sample in family.samples:
            yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value


def samples(text: bytes, content_type: str = PLAIN) -> dict[tuple[str, Labels], float]:
    """Every sample by name and labels; none may be there twice (promtool refuses that too)."""
    found = list(_samples(text, content_type))
    assert len(dict(found)) == len(found)
    return dict(found)


def value(text: bytes, name: str, **labels: str) -> float:
    """One sample's value; 0 for one that is not there yet, as `increase()` takes it."""
    return samples(text).get((name, tuple(sorted(labels.items()))), 0.0)


async def no_metrics(accept: str) -> tuple[bytes, str]:
    """A source for tests that never ask it."""
    return b"", PLAIN


async def scrape(port: int) -> bytes:
    """Ask an admin listener for its metrics."""
    answer = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: gw\r\n\r\n")
    assert (answer.status, answer.value("Content-Type")) == (200, PLAIN)
    return answer.body
