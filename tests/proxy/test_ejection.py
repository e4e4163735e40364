"""A target that fails is left alone for longer and longer, and asked once in between."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.proxy.ejection import Ejection, EjectionPolicy

POLICY = EjectionPolicy(failures=3, first_s=1.0, longest_s=60.0, jitter=0.0)


def failing(ejection: Ejection, times: int, now_s: float = 0.0) -> list[bool]:
    """Fail so often."""
    return [ejection.note_failure(now_s) for _ in range(times)]


def test_failures_in_a_row_eject() -> None:
    """Not one, nor two with a success between."""
    ejection = Ejection(POLICY, float)
    assert failing(ejection, 2) == [False, False]
    ejection.note_success()
    assert failing(ejection, 3) == [False, False, True]
    assert (ejection.is_ejected, ejection.ejections) == (True, 1)


def test_the_back_off_doubles_up_to_its_bound() -> None:
    """Each probe that fails begins a longer one; a success forgets them all."""
    ejection, now_s, waited = Ejection(POLICY, float), 0.0, []
    failing(ejection, 3)
    for _ in range(9):
        step_s = next(s for s in (1, 2, 4, 8, 16, 32, 60) if ejection.is_due(now_s + s))
        assert not ejection.is_due(now_s + step_s - 0.001)
        now_s += step_s
        waited.append(step_s)
        ejection.begin_probe(now_s)
        assert ejection.note_failure(now_s)
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert ejection.ejections == 10
    ejection.note_success()
    assert (ejection.is_ejected, ejection.failures) == (False, 0)
    failing(ejection, 3, now_s)
    assert ejection.is_due(now_s + 1)


def test_one_probe_at_a_time() -> None:
    """The next only after a back-off, also where nothing was heard of the first."""
    ejection = Ejection(POLICY, float)
    failing(ejection, 3)
    ejection.begin_probe(1.0)
    assert not ejection.is_due(1.5)
    assert ejection.is_due(2.0)


def test_requests_that_were_under_way_count_once() -> None:
    """Ninety-seven more failures of one death do not make the back-off longer."""
    ejection = Ejection(POLICY, float)
    assert sum(failing(ejection, 100)) == 1
    assert ejection.is_due(1.0)


def test_the_last_one_stays() -> None:
    """Its failures are counted; the first after another has come back ejects."""
    ejection = Ejection(POLICY, float)
    for _ in range(10):
        assert not ejection.note_failure(0.0, may_eject=False)
    assert not ejection.is_ejected
    assert ejection.note_failure(0.0)


@pytest.mark.parametrize(("drawn", "until_s"), [(0.0, 1.0), (0.5, 1.125), (1.0, 1.25)])
def test_jitter_only_lengthens(drawn: float, until_s: float) -> None:
    """By a quarter at most."""
    ejection = Ejection(EjectionPolicy(), lambda: drawn)
    failing(ejection, 3)
    assert not ejection.is_due(until_s - 0.001)
    assert ejection.is_due(until_s)


class Life(RuleBasedStateMachine):
    """Any order of failures, successes, probes and time."""

    def __init__(self) -> None:
        super().__init__()
        self.ejection = Ejection(POLICY, float)
        self.now_s = 0.0
        self.in_a_row = 0

    @rule(past_s=st.floats(0, 100))
    def wait(self, past_s: float) -> None:
        self.now_s += past_s

    @rule(may_eject=st.booleans())
    def fail(self, may_eject: bool) -> None:
        was_ejected, before = self.ejection.is_ejected, self.ejection.ejections
        self.in_a_row += 1
        began = self.ejection.note_failure(self.now_s, may_eject=may_eject)
        assert began == (self.ejection.ejections == before + 1)
        if not was_ejected:
            assert began == (may_eject and self.in_a_row >= POLICY.failures)

    @rule()
    def succeed(self) -> None:
        self.ejection.note_success()
        self.in_a_row = 0
        assert not self.ejection.is_ejected

    @precondition(lambda self: self.ejection.is_due(self.now_s))
    @rule()
    def probe(self) -> None:
        self.ejection.begin_probe(self.now_s)
        assert not self.ejection.is_due(self.now_s)

    @invariant()
    def it_ends(self) -> None:
        """Nobody is out for longer than the longest back-off."""
        due = self.ejection.is_due(self.now_s + POLICY.longest_s)
        assert due == self.ejection.is_ejected

    @invariant()
    def failures_are_seen(self) -> None:
        assert (self.ejection.failures > 0) == (self.in_a_row > 0)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=40)
