"""P: path confusion. What policy and service read must be one thing, or nothing arrives."""

from collections.abc import Iterator

from tests.attack.model import Entry
from tests.attack.rows import p_forms, p_spellings

FAMILY = "P"


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from p_spellings.entries()
    yield from p_forms.entries()
