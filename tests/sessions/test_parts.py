"""Parts of a store: by the first character of a key."""

from gateway.sessions.parts import PartlyAwayError, part_of
from gateway.sessions.redis.marker import TAGS
from gateway.sessions.token import session_key_of


def test_a_part_is_a_tag() -> None:
    """Each key belongs to a part that has a marker of its own in a Cluster."""
    assert all(part_of(session_key_of(str(number))) in TAGS for number in range(200))


def test_what_clients_get() -> None:
    """The same outcome as of a store that is away as a whole."""
    error = PartlyAwayError("AB")
    assert (error.code, error.parts) == ("store_unavailable", frozenset({"A", "B"}))
