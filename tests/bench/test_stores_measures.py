"""What is made of several rounds."""

from bench.stores.found import Cost
from bench.stores.measures import middle


def test_rounds_give_their_medians() -> None:
    """Each figure for itself: one bad round does not count."""
    assert middle([Cost(1.0, 30.0), Cost(9.0, 10.0), Cost(2.0, 20.0)]) == Cost(2.0, 20.0)
