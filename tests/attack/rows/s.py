"""S: login and session."""

from collections.abc import Iterator

from tests.attack.model import Entry
from tests.attack.rows import (
    s_jose,
    s_logins,
    s_places,
    s_platforms,
    s_sessions,
    s_signed,
    s_tokens,
)

FAMILY = "S"


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    for part in (s_tokens, s_signed, s_jose, s_places, s_sessions, s_logins, s_platforms):
        yield from part.entries()
