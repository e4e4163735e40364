"""Which session stands in another's place, as far as this process was told lately.

It knows keys and nothing else. Bounded: of renewals long ago no session lives any more that a
request could still come with.
"""

from collections import OrderedDict

REMEMBERED = 10_000
"""Renewals remembered, the newest, per process: some 3 MB."""


class Families:
    """Renewals in both directions; what is too old is forgotten, never wrong."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._successors: OrderedDict[str, str] = OrderedDict()
        self._predecessors: dict[str, str] = {}

    def note(self, key: str, successor: str) -> None:
        """Remember a renewal; a session has one successor, so that a second word says the same."""
        self._successors[key] = successor
        self._successors.move_to_end(key)
        self._predecessors[successor] = key
        if len(self._successors) > self._remembered:
            _, oldest = self._successors.popitem(last=False)
            self._predecessors.pop(oldest, None)

    def latest(self, key: str) -> str:
        """Return the session that stands in this one's place now: itself, where none does."""
        return self._walk(self._successors, key)[-1]

    def of(self, key: str) -> set[str]:
        """Return all that are known of this one's family, itself too."""
        return {*self._walk(self._successors, key), *self._walk(self._predecessors, key)}

    @staticmethod
    def _walk(steps: "OrderedDict[str, str] | dict[str, str]", key: str) -> list[str]:
        """Follow the steps to the end; a ring, which no store makes, ends where it began."""
        found = {key: None}
        while (next_key := steps.get(key)) is not None and next_key not in found:
            found[next_key] = None
            key = next_key
        return list(found)
