"""The clock of a head that is still coming: it rings once, counts bytes, and is silent between."""

import asyncio

import pytest

from gateway.head_clock import HeadClock
from gateway.limits import MAX_FIELDS, ProtocolLimits

LIMITS = ProtocolLimits(headers_bytes=100, target_bytes=50, headers_s=0.01)
MOST_BYTES = 100 + 50 + MAX_FIELDS * 4


class Bell:
    """Counts how often it rang."""

    def __init__(self) -> None:
        self.has_rung = asyncio.Event()
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self.has_rung.set()


@pytest.fixture
async def bell() -> Bell:
    """A bell that nobody has heard."""
    return Bell()


@pytest.fixture
async def clock(bell: Bell) -> HeadClock:
    """A clock on this test's loop."""
    return HeadClock(asyncio.get_running_loop(), LIMITS, bell)


async def test_it_rings_when_a_head_is_late(clock: HeadClock, bell: Bell) -> None:
    """D1: and goes on being no quiet place, until the head is there."""
    assert clock.is_quiet
    clock.start()
    await bell.has_rung.wait()
    assert not clock.is_quiet


async def test_starting_again_starts_anew(clock: HeadClock, bell: Bell) -> None:
    """One timer, however often it is started: one ring."""
    for _ in range(3):
        clock.start()
    await bell.has_rung.wait()
    await asyncio.sleep(LIMITS.headers_s * 3)
    assert bell.count == 1


async def test_a_head_that_came_rings_no_bell(clock: HeadClock, bell: Bell) -> None:
    """Nothing is left behind for the next request."""
    assert clock.add(MOST_BYTES)
    clock.stop()
    assert clock.is_quiet
    await asyncio.sleep(LIMITS.headers_s * 3)
    assert bell.count == 0
    assert clock.add(MOST_BYTES), "bytes are counted from the beginning again"
    clock.stop()


async def test_bytes_are_counted(clock: HeadClock, bell: Bell) -> None:
    """D3: the first byte too many is told; bytes start the clock, too."""
    assert clock.add(1)
    assert not clock.is_quiet
    assert clock.add(MOST_BYTES - 1)
    assert not clock.add(1)
    await bell.has_rung.wait()
