"""Decides how long a dead worker's place stays empty. Pure.

Its listener's queue waits meanwhile, so the pause is short: none for a worker that had lived, and
at most `MAX_S` for one that dies again and again, which is rare enough to cost no core.
"""

YOUNG_S = 10.0
"""A worker that lived shorter died young: what killed it may kill the next one too."""
FIRST_S = 0.1
MAX_S = 5.0


class Backoff:
    """The pauses of one place, growing with each early death."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S

    def after(self, lived_s: float) -> float:
        """Return the pause in seconds after a worker that lived this long."""
        if lived_s >= YOUNG_S:
            self._pause_s = FIRST_S
            return 0.0
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, MAX_S)
        return pause_s
