"""What one login may ask for in a minute: it slides, is told truly, and its memory is bounded."""

import pytest

from gateway.errors import GatewayError
from gateway.sessions.minute_limit import MAX_COUNTED, MinuteLimit
from tests.support.sessions import HandClock

MOST = 10


def limited(clock: HandClock) -> MinuteLimit:
    return MinuteLimit(MOST, "too often", clock)


def test_the_limit_slides() -> None:
    """Ten in any minute; the wait is told, and a refusal does not lengthen it."""
    clock = HandClock()
    limit = limited(clock)
    for _ in range(MOST):
        limit.take("a")
        clock.forward(1)
    for left_s in (50, 50):
        with pytest.raises(GatewayError) as caught:
            limit.take("a")
        assert caught.value.retry_after_s == left_s
    limit.take("b")
    clock.forward(50)
    limit.take("a")
    with pytest.raises(GatewayError) as caught:
        limit.take("a")
    assert caught.value.retry_after_s == 1


def test_the_limit_s_memory_is_bounded() -> None:
    """A minute's logins at most, and of those so many."""
    clock = HandClock()
    limit = limited(clock)
    for number in range(MAX_COUNTED + 5):
        limit.take(str(number))
    assert len(limit) == MAX_COUNTED
    clock.forward(61)
    limit.take("x")
    assert len(limit) == 1


def test_one_given_back_is_not_counted() -> None:
    """What came to nothing may be asked for again."""
    clock = HandClock()
    limit = limited(clock)
    for _ in range(MOST + 5):
        limit.take("a")
        limit.give_back("a")
    limit.give_back("nobody")
    for _ in range(MOST):
        limit.take("a")
    with pytest.raises(GatewayError) as caught:
        limit.take("a")
    assert caught.value.code == "rate_limited"
