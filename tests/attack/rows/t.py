"""T: framing and smuggling on the client's leg, and answers of a service that are out of step."""

from collections.abc import Iterator

from tests.attack.model import Entry
from tests.attack.rows import d_cpu, t_bodies, t_chunks, t_legs, t_lengths, t_lines, t_service

FAMILY = "T"


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    for part in (t_lengths, t_lines, t_chunks, t_bodies, t_service, t_legs):
        yield from part.entries()
    yield from d_cpu.entries(FAMILY)
