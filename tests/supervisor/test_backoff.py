"""How long a dead worker's place stays empty."""

from gateway.supervisor.backoff import FIRST_S, MAX_S, YOUNG_S, Backoff


def test_a_worker_that_had_lived_is_followed_at_once() -> None:
    """One fault in an hour costs nobody anything."""
    backoff = Backoff()
    assert [backoff.after(3600.0) for _ in range(3)] == [0.0] * 3


def test_early_deaths_are_followed_by_growing_pauses() -> None:
    """Twice as long each time, up to a bound."""
    backoff = Backoff()
    pauses = [backoff.after(0.5) for _ in range(10)]
    assert pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert pauses[-2:] == [MAX_S, MAX_S]


def test_a_life_that_was_long_enough_forgives() -> None:
    """The next early death is a first one."""
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0.0)
    assert backoff.after(YOUNG_S) == 0.0
    assert backoff.after(0.0) == FIRST_S
