"""Reading h2load's log of requests."""

import pytest

from bench.latency import Latency, latency_of, middle

SECOND_US = 1_000_000


def log(*rows: tuple[int, int, int]) -> str:
    """A log with these rows: start, status, time."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def test_percentiles_are_in_milliseconds() -> None:
    """The log's are in microseconds."""
    rows = [(SECOND_US + n, 200, n * 10) for n in range(1, 101)]
    assert latency_of(log(*rows), skip_s=0.0) == Latency(0.5, 0.99, 100)


def test_the_beginning_is_left_out() -> None:
    """Counted from the earliest request, which need not be the first line."""
    rows = [(5 * SECOND_US, 200, 300), (3 * SECOND_US, 200, 9000), (4 * SECOND_US, 200, 100)]
    assert latency_of(log(*rows), skip_s=1.0) == Latency(0.1, 0.3, 2)


def test_a_refused_request_spoils_the_run() -> None:
    """A fast refusal would look like a fast answer."""
    with pytest.raises(ValueError, match="200"):
        latency_of(log((1, 200, 5), (2, 503, 1)))


def test_an_empty_log_is_no_measurement() -> None:
    """And no zero either."""
    with pytest.raises(ValueError, match="no values"):
        latency_of("")


def test_several_runs_become_one() -> None:
    """Medians of the percentiles, all requests."""
    runs = [Latency(1.0, 5.0, 10), Latency(3.0, 4.0, 10), Latency(2.0, 9.0, 10)]
    assert middle(runs) == Latency(2.0, 5.0, 30)
