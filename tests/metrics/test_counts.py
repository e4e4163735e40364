"""Counting in one process: one cell for each kind of request, and never too many."""

import json
from collections.abc import Iterator

import pytest

from gateway.metrics.catalogue import (
    BOUNDS_S,
    CLIENT_CONNECTIONS,
    LOGINS,
    REQUEST_DURATION,
    REQUESTS,
    RESPONSE_BYTES,
)
from gateway.metrics.counts import METHODS, Counts, Sample
from gateway.routing import METHODS as ROUTABLE
from tests.support.metrics import made_visit

Rows = dict[tuple[str, ...], list[float]]


def rows(counts: Counts, name: str) -> Rows:
    """One metric of a snapshot that went through JSON."""
    snapshot = json.loads(json.dumps(counts.snapshot()))
    return {tuple(labels): numbers for labels, numbers in snapshot.get(name, [])}


def test_a_request_is_counted_under_its_labels() -> None:
    """What is not known is an empty label, which Prometheus takes for none."""
    counts = Counts()
    counts.record(made_visit())
    counts.record(made_visit())
    counts.record(
        made_visit(status=404, upstream=None, route="-", platform=None, error="route_not_found")
    )
    assert rows(counts, REQUESTS.name) == {
        ("/orders/", "orders", "GET", "200", "", "wechat"): [2],
        ("-", "", "GET", "404", "route_not_found", ""): [1],
    }


def test_a_bound_belongs_to_its_own_bucket() -> None:
    """`le` is less or equal; what is longer than all bounds goes to the last."""
    counts = Counts()
    visits = [made_visit(0.0), made_visit(0.25), made_visit(0.251), made_visit(3600.0)]
    for visit in visits:
        counts.record(visit)
    (numbers,) = rows(counts, REQUEST_DURATION.name).values()
    expected = [0] * (len(BOUNDS_S) + 1)
    for bound in (0.00025, 0.25, 0.5):
        expected[BOUNDS_S.index(bound)] = 1
    expected[-1] = 1
    assert numbers[:-1] == expected
    assert numbers[-1] == pytest.approx(3600.501)


def test_time_and_bytes_are_told_by_route() -> None:
    """A histogram has many series: methods and errors are not told apart in it."""
    counts = Counts()
    counts.record(made_visit(0.5, sent_bytes=10))
    counts.record(made_visit(0.25, sent_bytes=20, method="POST", status=201))
    counts.record(made_visit(4.0, sent_bytes=40, status=101))
    durations = rows(counts, REQUEST_DURATION.name)
    sums = {labels: numbers[-1] for labels, numbers in durations.items()}
    assert sums == {("/orders/", "2xx"): 0.75, ("/orders/", "1xx"): 4.0}
    assert rows(counts, RESPONSE_BYTES.name) == {("/orders/",): [70]}


def test_methods_are_those_a_route_can_take() -> None:
    """The two tables say the same."""
    assert frozenset(ROUTABLE) == METHODS


def test_unknown_methods_are_one() -> None:
    """A client may make up as many as it likes (attacks.md D8)."""
    counts = Counts()
    for number in range(50):
        counts.record(made_visit(method=f"M{number}"))
    counts.record(made_visit(method="other"))
    assert rows(counts, REQUESTS.name) == {
        ("/orders/", "orders", "other", "200", "", "wechat"): [51]
    }


@pytest.mark.parametrize("status", [0, 99, 1000, -5])
def test_a_status_that_is_none_is_other(status: int) -> None:
    """Only three digits are written out."""
    counts = Counts()
    counts.record(made_visit(status=status))
    assert list(rows(counts, REQUESTS.name)) == [
        ("/orders/", "orders", "GET", "other", "", "wechat")
    ]
    assert list(rows(counts, REQUEST_DURATION.name)) == [("/orders/", "other")]


def test_there_are_never_more_series_than_the_bound() -> None:
    """What comes too late is counted as other; nothing is lost, and the first go on."""
    counts = Counts(max_series=3)
    for status in range(200, 300):
        counts.record(made_visit(status=status, sent_bytes=1))
    counts.record(made_visit(status=201))
    found = rows(counts, REQUESTS.name)
    assert found == {
        ("/orders/", "orders", "GET", "200", "", "wechat"): [1],
        ("/orders/", "orders", "GET", "201", "", "wechat"): [2],
        ("/orders/", "orders", "GET", "202", "", "wechat"): [1],
        ("other",) * 6: [97],
    }
    assert sum(numbers[0] for numbers in rows(counts, RESPONSE_BYTES.name).values()) == 100


def test_events_are_counted_under_their_labels() -> None:
    """By one, or by several at once; bounded too."""
    counts = Counts(max_series=2)
    counts.count(LOGINS, "wechat", "shop", "ok")
    counts.count(LOGINS, "wechat", "shop", "ok", by=2)
    for name in ("a", "b", "c"):
        counts.count(LOGINS, "wechat", name, "ok")
    assert rows(counts, LOGINS.name) == {
        ("wechat", "shop", "ok"): [3],
        ("wechat", "a", "ok"): [1],
        ("other", "other", "other"): [2],
    }


def test_states_are_read_when_a_snapshot_is_taken() -> None:
    """Not before, and each time anew."""
    counts = Counts()
    connections = [5]

    def read() -> Iterator[Sample]:
        yield CLIENT_CONNECTIONS, (), connections[-1]

    counts.watch(read)
    assert rows(counts, CLIENT_CONNECTIONS.name) == {(): [5]}
    connections.append(7)
    assert rows(counts, CLIENT_CONNECTIONS.name) == {(): [7]}


def test_nothing_counted_is_nothing_told() -> None:
    """A new process has no series."""
    assert Counts().snapshot() == {}


def test_nothing_of_a_client_is_told() -> None:
    """Neither path, address, subject nor session (attacks.md L2)."""
    counts = Counts()
    counts.record(made_visit())
    told = json.dumps(counts.snapshot())
    for private in ("/orders/17", "203.0.113.9", "alice"):
        assert private not in told
