"""Retries: a hundred in ten seconds are always there, in the long run a fifth of the requests."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.budget import BudgetPolicy, RetryBudget


def take_all(budget: RetryBudget, now_s: float, requests: int, at_most: int = 100_000) -> int:
    """Take retries until there are none."""
    return next(n for n in range(at_most) if not budget.take(now_s, requests))


def test_a_hundred_at_once() -> None:
    """A target that dies with as many requests in flight costs none of them."""
    budget = RetryBudget()
    assert take_all(budget, 5.0, 100) == 120  # and a fifth of the hundred
    assert (budget.taken, budget.refused) == (120, 1)


def test_it_fills_with_time() -> None:
    """Ten a second, up to a hundred."""
    budget = RetryBudget()
    take_all(budget, 0.0, 0)
    assert take_all(budget, 1.0, 0) == 10
    assert take_all(budget, 1.0, 0) == 0
    assert take_all(budget, 1000.0, 0) == 100


def test_it_fills_with_requests() -> None:
    """One for each five, while they are recent."""
    budget = RetryBudget()
    take_all(budget, 0.0, 0)
    assert take_all(budget, 0.0, 1000) == 200


def test_old_requests_do_not_count() -> None:
    """A quiet hour does not save up a storm: only what came in the last ten seconds counts."""
    budget = RetryBudget()
    take_all(budget, 0.0, 0)
    assert take_all(budget, 3600.0, 36_000) == 100 + 20  # ten a second


def test_a_share_only_where_so_configured() -> None:
    """Both numbers are the policy's."""
    budget = RetryBudget(BudgetPolicy(per_second=1.0, share=0.5))
    assert take_all(budget, 0.0, 0) == 10
    assert take_all(budget, 0.0, 10) == 5


Steps = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500), st.integers(0, 300)), max_size=30)


@given(Steps)
def test_never_more_than_it_was_given(steps: list[tuple[float, int, int]]) -> None:
    """The first fill, ten a second, and a fifth of the requests: that is all there ever is."""
    budget, now_s, requests = RetryBudget(), 0.0, 0
    for past_s, new, wanted in steps:
        now_s, requests = now_s + past_s, requests + new
        for _ in range(wanted):
            budget.take(now_s, requests)
        assert budget.taken <= 100 + 10 * now_s + 0.2 * requests + 1e-6


@given(Steps)
def test_after_ten_calm_seconds_a_hundred_are_there(steps: list[tuple[float, int, int]]) -> None:
    """Whatever went before."""
    budget, now_s, requests = RetryBudget(), 0.0, 0
    for past_s, new, wanted in steps:
        now_s, requests = now_s + past_s, requests + new
        for _ in range(wanted):
            budget.take(now_s, requests)
    assert take_all(budget, now_s + 10.001, requests) >= 100
