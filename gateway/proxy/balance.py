"""Decides whose turn it is among targets that are all fit to be asked. Pure.

Each process decides for itself: in several workers each counts its own requests only.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Loaded(Protocol):
    """What a choice by load looks at."""

    @property
    def in_flight(self) -> int:
        """Requests under way, and those that wait for a connection."""


_L = TypeVar("_L", bound=Loaded)


class Balance(Protocol):
    """Picks one of several."""

    def pick(self, among: Sequence[_L]) -> _L:
        """Pick one; there is at least one."""

    def undo(self) -> None:
        """Forget the last pick: it was not asked."""


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._turn = 0

    def pick(self, among: Sequence[_L]) -> _L:
        """Pick the next."""
        turn = self._turn
        self._turn = turn + 1
        return among[turn % len(among)]

    def undo(self) -> None:
        """Give the turn back."""
        self._turn -= 1


class LeastRequests:
    """The one with the fewest requests in flight; equals take turns."""

    def __init__(self) -> None:
        self._turn = 0

    def pick(self, among: Sequence[_L]) -> _L:
        """Pick the least busy; the turn decides which of several equals."""
        first = self._turn % len(among)
        self._turn += 1
        best = among[first]
        least = best.in_flight
        for each in (*among[first + 1 :], *among[:first]):
            if each.in_flight < least:
                best, least = each, each.in_flight
        return best

    def undo(self) -> None:
        """Give the turn back."""
        self._turn -= 1
