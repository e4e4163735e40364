"""Whose turn it is: everybody's in turn, or the least busy one's."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.balance import Balance, LeastRequests, RoundRobin


@dataclass(slots=True, eq=False)
class Busy:
    """Something with requests in flight."""

    in_flight: int = 0


def test_round_robin_takes_turns() -> None:
    """In order, from the first."""
    balance, targets = RoundRobin(), [Busy(), Busy(), Busy()]
    assert [targets.index(balance.pick(targets)) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_round_robin_stays_even_while_one_is_missing() -> None:
    """Those that are left share alike."""
    balance, targets = RoundRobin(), [Busy(), Busy(), Busy()]
    picked = Counter(targets.index(balance.pick(targets[1:])) for _ in range(10))
    assert picked == {1: 5, 2: 5}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 10))
def test_the_least_busy_is_picked(loads: list[int], turns: int) -> None:
    """Whatever turn it is."""
    balance, targets = LeastRequests(), [Busy(load) for load in loads]
    for _ in range(turns):
        balance.pick(targets)
    assert balance.pick(targets).in_flight == min(loads)


def test_equally_busy_ones_take_turns() -> None:
    """An idle gateway spreads its requests too."""
    balance, targets = LeastRequests(), [Busy(), Busy(), Busy(3)]
    picked = Counter(targets.index(balance.pick(targets)) for _ in range(30))
    assert set(picked) == {0, 1}
    assert min(picked.values()) >= 10


def test_a_slow_target_gets_fewer() -> None:
    """Requests pile up there, so the next go elsewhere."""
    balance, slow, quick = LeastRequests(), Busy(), Busy()
    picked = Counter[int]()
    for _ in range(20):
        chosen = balance.pick([slow, quick])
        picked[[slow, quick].index(chosen)] += 1
        if chosen is slow:
            slow.in_flight += 1  # it never answers; the other at once
    assert picked[0] == 1


@pytest.mark.parametrize("balance", [RoundRobin(), LeastRequests()])
def test_a_turn_can_be_given_back(balance: Balance) -> None:
    """The same one is picked again."""
    targets = [Busy(), Busy(), Busy()]
    first = balance.pick(targets)
    balance.undo()
    assert balance.pick(targets) is first
    assert balance.pick(targets) is not first
