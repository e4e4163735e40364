"""Decides when a target that fails is left alone, and when it is tried again. Pure: one target.

Consecutive failures take it out for a back-off that doubles from one ejection to the next; then one
request goes through. Its success, or any other, ends the ejection; its failure begins a longer one.
An answer of the service, a 5xx too, is a success: the target lives.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EjectionPolicy:
    """How many failures in a row; seconds of the first back-off and of the longest.

    A back-off is longer by up to `jitter` of it, so that processes do not probe all at once.
    """

    failures: int = 3
    first_s: float = 1.0
    longest_s: float = 60.0
    jitter: float = 0.25


class Ejection:
    """One target's state; moments are seconds of a clock that is never set back.

    `failures` in a row, 0 when all is well; `ejections` since the start, probes that failed too.
    """

    def __init__(self, policy: EjectionPolicy, draw: Callable[[], float]) -> None:
        self.failures = 0
        self.ejections = 0
        self._policy = policy
        self._draw = draw
        self._in_a_row = 0
        self._until_s = 0.0
        self._is_probed = False

    @property
    def is_ejected(self) -> bool:
        """Whether the target is to be left alone, but for a probe."""
        return self._in_a_row > 0

    def is_due(self, now_s: float) -> bool:
        """Tell whether an ejected target may be asked once."""
        return self.is_ejected and now_s >= self._until_s

    def begin_probe(self, now_s: float) -> None:
        """Let one request through; the next only after the back-off, if we never hear of it."""
        self._is_probed = True
        self._until_s = now_s + self._backoff_s()

    def note_failure(self, now_s: float, *, may_eject: bool = True) -> bool:
        """Count a failure; return whether an ejection began.

        While ejected only a probe's failure counts: others were under way before.
        """
        self.failures += 1
        if self.is_ejected:
            if not self._is_probed:
                return False
        elif self.failures < self._policy.failures or not may_eject:
            return False
        self._is_probed = False
        self._in_a_row += 1
        self.ejections += 1
        self._until_s = now_s + self._backoff_s()
        return True

    def note_success(self) -> None:
        """Forget all failures."""
        self.failures = self._in_a_row = 0
        self._is_probed = False

    def _backoff_s(self) -> float:
        policy = self._policy
        doublings = min(self._in_a_row - 1, 30)
        backoff_s = min(policy.first_s * 2.0**doublings, policy.longest_s)
        return backoff_s * (1 + policy.jitter * self._draw())
