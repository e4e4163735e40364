"""Counts in memory: windows, and their bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints.memory_counters import MemoryCounters
from tests.support.sessions import START_AT, HandClock

WINDOW_S = 60


@pytest.fixture
def clock() -> HandClock:
    """A clock that moves only by hand."""
    return HandClock()


async def test_a_window(clock: HandClock) -> None:
    """It counts, tells its end, and is over then."""
    counters = MemoryCounters(clock)
    assert (await counters.get("a"), await counters.get_expiry("a")) == (0, START_AT)
    assert [await counters.incr("a", WINDOW_S), await counters.incr("a", WINDOW_S, 2)] == [1, 3]
    clock.forward(WINDOW_S - 1)
    assert (await counters.get("a"), await counters.get_expiry("a")) == (3, START_AT + WINDOW_S)
    clock.forward(1)
    assert await counters.get("a") == 0
    assert await counters.incr("a", WINDOW_S) == 1


async def test_a_clock_that_is_set_back(clock: HandClock) -> None:
    """No window lasts longer than it should."""
    counters = MemoryCounters(clock)
    await counters.incr("a", WINDOW_S)
    clock.forward(-1000)
    assert await counters.incr("a", WINDOW_S) == 1
    assert await counters.get_expiry("a") == START_AT - 1000 + WINDOW_S


async def test_memory_is_bounded(clock: HandClock) -> None:
    """Who was counted longest ago is forgotten; who comes again and again is not (S11, D8)."""
    counters = MemoryCounters(clock, max_counters=10)
    for number in range(100):
        await counters.incr("total", WINDOW_S)
        await counters.incr(f"address-{number}", WINDOW_S)
    assert len(counters) == 10
    assert await counters.get("total") == 100
    assert await counters.get("address-99") == 1
    assert await counters.get("address-0") == 0


async def test_forgetting(clock: HandClock) -> None:
    """One window, or all."""
    counters = MemoryCounters(clock)
    for name in "abc":
        await counters.incr(name, WINDOW_S)
    await counters.clear("a")
    assert (await counters.get("a"), len(counters)) == (0, 2)
    assert await counters.reset() == 2
    assert (len(counters), await counters.check(), counters.base_exceptions) == (
        0,
        True,
        MemoryError,
    )


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 100)), max_size=50))
async def test_counts_are_those_of_the_window(steps: list[tuple[str, float]]) -> None:
    """Against a plain model: when each name's window began, and what came since."""
    clock = HandClock()
    counters = MemoryCounters(clock)
    windows: dict[str, tuple[float, int]] = {}
    for name, pause_s in steps:
        clock.forward(pause_s)
        ends_at, count = windows.get(name, (0.0, 0))
        windows[name] = (ends_at, count + 1) if ends_at > clock() else (clock() + WINDOW_S, 1)
        assert await counters.incr(name, WINDOW_S) == windows[name][1]
        assert await counters.get_expiry(name) == windows[name][0]
