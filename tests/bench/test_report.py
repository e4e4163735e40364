"""The page that the benchmark writes."""

import re
from dataclasses import replace

import pytest

from bench.goals import find_goals
from bench.idle import IdleCost
from bench.latency import Latency
from bench.load import LARGE, SMALL_64
from bench.machine import Cores
from bench.parts import SERVICE, FixedRate
from bench.peers import PEERS
from bench.report import render
from bench.results import LoadResult, Results
from bench.sockets import SocketsResult
from bench.stats import Sample, summarise
from bench.stores.found import Room, StoreResult
from bench.stream import ALLOWED_GROWTH_BYTES, StreamResult
from bench.workers import WorkersResult

STEPS = "## What was tried\n\nNothing yet.\n"
MIB = 1024**2


def sample(per_s: int, busy: float = 0.99) -> Sample:
    """One second of a proxy."""
    return Sample(per_s, 1.0, per_s * 100, busy, 0)


def empty() -> Results:
    """A run in which nothing could be measured."""
    return Results({"processor": "made up"}, Cores(0, 1, 1, (0, 1), (0, 1)), 100_000, PEERS)


def full() -> Results:
    """A run in which everything was measured."""
    results = empty()
    rounds = [{"ours": sample(30), "nginx": sample(100), "goauth": sample(20)}] * 2
    results.loads = [LoadResult(SMALL_64, 4, rounds), LoadResult(LARGE, 2, rounds)]
    results.latency = FixedRate(15, {SERVICE: Latency(0.1, 0.2, 9), "ours": Latency(0.3, 1.2, 9)})
    results.idle = IdleCost(10_000, 10_000 * 9 * 1024, 10_000 * 8 * 1024)
    results.sockets = {
        SERVICE: SocketsResult(9, 9, 1.0, 0.1),
        "ours": SocketsResult(9, 8, 1.0, 0.1),
    }
    results.streams = [
        StreamResult("upload", True, MIB, MIB),
        StreamResult("slow", True, 1, 0, MIB),
    ]
    row = summarise(rounds, "nginx")["ours"]
    rows = {1: row, 2: replace(row, cpu_us=row.cpu_us * 1.05)}
    results.workers = [WorkersResult((0, 1), (0, 1), rows), WorkersResult((0,), (1,), rows)]
    results.stores = [StoreResult("SQLite", room=Room(10, 6000))]
    results.skipped = {"oauth2-proxy": "it could not\nbe built | today"}
    return results


def headings(page: str) -> list[str]:
    """The page's headings of the second level."""
    return re.findall(r"^## (.+)$", page, re.MULTILINE)


def test_ratios_come_before_raw_numbers_and_the_machine() -> None:
    """And what was tried is taken over as it stands."""
    page = render(full(), STEPS)
    told = [
        "What was asked, and what was measured",
        "Ratios",
        "Latency at half load: 15 requests a second",
        "10,000 idle client connections",
        "WebSockets",
        "Streams in constant memory",
        "Two workers",
        "Sessions",
        "Left out",
        "What was tried",
        "Raw numbers",
        "How it is measured",
        "The machine",
        "To repeat it",
    ]
    assert headings(page) == told
    assert "Nothing yet." in page


def test_a_run_without_results_still_makes_a_page() -> None:
    """With all goals open."""
    page = render(empty(), STEPS)
    assert "not measured" in page
    assert "WebSockets" not in headings(page)


def test_the_first_table_has_a_row_for_each_peer_that_ran() -> None:
    """Ours in bold, with its ratio to nginx and to Go."""
    page = render(full(), STEPS)
    row = next(line for line in page.splitlines() if line.startswith("| **this gateway"))
    assert "| 0.30 | 0.30 – 0.30 | 0.30 | 1.50 |" in row


def test_tables_are_whole() -> None:
    """Each row has as many cells as its head, whatever a reason holds."""
    page = render(full(), STEPS)
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_what_was_left_out_is_named_with_its_reason() -> None:
    """By the peer's title."""
    assert "| oauth2-proxy | it could not be built / today |" in render(full(), STEPS)


def test_a_load_that_was_held_back_is_told() -> None:
    """Its ratios of throughput are too high."""
    results = full()
    rounds = [{"ours": sample(30), "nginx": sample(40, busy=0.4)}]
    results.loads = [LoadResult(SMALL_64, 4, rounds)]
    assert "nginx did not fill its core (40% busy)" in render(results, STEPS)
    assert "did not fill" not in render(full(), STEPS)


def goals(results: Results) -> list[tuple[float | None, bool | None]]:
    """What was measured, and whether it will do."""
    return [
        (None if goal.measured is None else round(goal.measured, 2), goal.is_met)
        for goal in find_goals(results)
    ]


def test_each_goal_is_compared_with_what_was_measured() -> None:
    """In the order of the page."""
    assert goals(full()) == [
        (0.3, True),
        (0.3, True),
        (1.5, True),
        (1.5, True),
        (0.3, False),
        (1.05, True),
        (0.2, True),
        (1.0, True),
        (8.0, True),
        (1.0, True),
    ]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    """Also where only the measure is missing."""
    assert {met for _, met in goals(empty())} == {None}
    results = empty()
    results.loads = [LoadResult(SMALL_64, 4, [{"ours": sample(30)}])]
    assert {met for _, met in goals(results)} == {None}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(StreamResult("", True, 1, MIB), True, id="whole and small"),
        pytest.param(StreamResult("", False, 1, MIB), False, id="cut short"),
        pytest.param(StreamResult("", True, 1, ALLOWED_GROWTH_BYTES), False, id="too much kept"),
    ],
)
def test_a_stream_is_constant_when_whole_and_small(result: StreamResult, expected: bool) -> None:
    """Half an answer in little memory proves nothing."""
    assert result.is_constant is expected
