"""Which sessions lie together, and a store of which only a part answers.

The first character of a key names its part: in a Redis Cluster such keys share a slot, so one
server holds them all. It must not know which server, or what is done while a part is away.
"""

from collections.abc import Iterable

from gateway.errors import GatewayError


class PartlyAwayError(GatewayError):
    """Some parts of the store do not answer; the others do."""

    def __init__(self, parts: Iterable[str]) -> None:
        super().__init__("store_unavailable", "a part of the session store cannot be used")
        self.parts = frozenset(parts)


def part_of(key: str) -> str:
    """Return the part of the store that a session's key belongs to."""
    return key[:1]
