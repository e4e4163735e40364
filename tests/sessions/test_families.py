"""Which session stands in another's place: chains of renewals, in both directions, bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions.families import Families


def chain(*keys: str) -> Families:
    """A family whose renewals were told in order."""
    families = Families()
    for key, successor in pairwise(keys):
        families.note(key, successor)
    return families


def test_a_stranger_stands_alone() -> None:
    """What was never renewed is its own latest."""
    families = chain("a", "b")
    assert families.latest("x") == "x"
    assert families.of("x") == {"x"}


def test_a_chain_ends_at_its_latest() -> None:
    """From wherever it is asked, and the family is the same."""
    families = chain("a", "b", "c")
    for key in "abc":
        assert families.latest(key) == "c"
        assert families.of(key) == {"a", "b", "c"}


def test_the_oldest_renewal_is_forgotten() -> None:
    """There is a bound; what is told again counts as new."""
    families = Families(remembered=2)
    families.note("a", "b")
    families.note("x", "y")
    families.note("a", "b")
    families.note("k", "l")
    assert families.latest("x") == "x"
    assert families.of("y") == {"y"}
    assert families.latest("a") == "b"


def test_a_ring_does_not_hang() -> None:
    """No store makes one; a fault elsewhere must not stop this process."""
    families = chain("a", "b", "a")
    assert families.of("a") == {"a", "b"}
    assert families.latest("a") == "b"


@given(st.permutations(range(6)))
def test_the_order_of_the_news_is_no_matter(order: list[int]) -> None:
    """Renewals may be heard in any order: in the end the family is the same."""
    families = Families()
    for number in order:
        families.note(str(number), str(number + 1))
    assert families.latest("0") == "6"
    assert families.of("3") == {str(number) for number in range(7)}
