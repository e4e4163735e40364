"""The dictionary that drops its oldest entry."""

from gateway.simulator.bounded import Bounded


def test_the_first_written_goes_first() -> None:
    """Rewriting an entry does not make it younger."""
    kept: Bounded[str, int] = Bounded(2)
    kept["a"] = 1
    kept["b"] = 2
    kept["a"] = 3
    kept["c"] = 4
    assert dict(kept) == {"b": 2, "c": 4}
