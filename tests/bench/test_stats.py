"""The arithmetic of the benchmark: medians, ratios of the same round, percentiles."""

import math

import pytest

from bench.stats import Sample, divide, percentile, ratios_of, summarise


def sample(per_s: float, cpu_us: float = 10.0, failed: int = 0) -> Sample:
    """One second of a proxy."""
    requests = int(per_s)
    return Sample(requests, 1.0, requests * 100, requests * cpu_us / 1e6, failed)


ROUNDS = [
    {"ours": sample(40, 20.0), "nginx": sample(100)},
    {"ours": sample(30, 40.0, failed=2), "nginx": sample(50)},
    {"ours": sample(50, 25.0, failed=1), "nginx": sample(100)},
]


def test_a_ratio_is_the_median_of_ratios_of_the_same_round() -> None:
    """Not the ratio of medians: a slow moment is slow for both."""
    row = summarise(ROUNDS, "nginx")["ours"]
    assert row.ratio == pytest.approx(0.5)
    assert row.spread == (0.4, 0.6)
    assert row.per_s == 40


def test_more_is_better_by_cpu_time_too() -> None:
    """Twice the CPU time of a request is half the measure."""
    rows = summarise(ROUNDS, "nginx")
    assert rows["ours"].cpu_us == pytest.approx(25.0)
    assert rows["ours"].cpu_ratio == pytest.approx(0.4)
    assert rows["nginx"].cpu_ratio == pytest.approx(1.0)


def test_failures_are_summed_up() -> None:
    """None is lost in a median."""
    assert summarise(ROUNDS, "nginx")["ours"].failed == 3


def test_a_proxy_that_missed_a_round_has_no_row() -> None:
    """Its median would be of other moments."""
    rounds = [*ROUNDS, {"nginx": sample(100)}]
    assert set(summarise(rounds, "nginx")) == {"nginx"}


def test_without_the_measure_there_are_numbers_but_no_ratios() -> None:
    """Not a number stands for them."""
    row = summarise([{"ours": sample(40)}], "nginx")["ours"]
    assert row.per_s == 40
    assert math.isnan(row.ratio)
    assert math.isnan(row.cpu_ratio)


def test_two_peers_are_compared_round_by_round() -> None:
    """In the order of the rounds."""
    assert ratios_of(ROUNDS, "ours", "nginx") == [0.4, 0.6, 0.5]


def test_a_sample_knows_its_rates() -> None:
    """Per second, per request, and of a core."""
    one = Sample(requests=1000, duration_s=2.0, bytes_read=4000, cpu_s=1.0, failed=0)
    assert (one.per_s, one.bytes_per_s, one.cpu_us, one.busy) == (500.0, 2000.0, 1000.0, 0.5)


def test_no_request_at_all_is_no_crash() -> None:
    """A proxy that answered nothing still has a row."""
    assert Sample(0, 1.0, 0, 0.5, 7).cpu_us == 500_000.0


def test_nothing_to_divide_by_is_not_a_number() -> None:
    """Rather than an exception in the middle of a report."""
    assert math.isnan(divide(1.0, 0.0))
    assert divide(1.0, 4.0) == 0.25


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.5, 50.0, id="the fiftieth of a hundred"),
        pytest.param(0.99, 99.0, id="the last but one"),
        pytest.param(1.0, 100.0, id="the greatest"),
        pytest.param(0.0, 1.0, id="the least"),
    ],
)
def test_percentiles_are_of_the_nearest_rank(share: float, expected: float) -> None:
    """Always a value that was measured."""
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    """Whoever asks is told."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
