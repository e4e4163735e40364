"""Decides how many retries a service can bear. Pure: the moment and the count are told.

Without a bound, a service that fails under load gets twice the load. The bucket fills by
`per_second` and by a share of the requests, and holds what ten seconds of both bring: so 100
retries in ten seconds are always possible, and in the long run one request in five at most.
"""

from dataclasses import dataclass

WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """Retries a second that are always possible, and the share of recent requests beside them."""

    per_second: float = 10.0
    share: float = 0.2


class RetryBudget:
    """The retries left for one service, in one process."""

    def __init__(self, policy: BudgetPolicy = BudgetPolicy()) -> None:
        self.taken = 0
        self.refused = 0
        self._policy = policy
        self._tokens = policy.per_second * WINDOW_S
        self._recent = 0.0
        self._counted = 0
        self._at_s: float | None = None

    def take(self, now_s: float, requests: int) -> bool:
        """Take one retry out of the budget; False when it is spent.

        `now_s` is of a clock that is never set back; `requests` counts all since the start,
        without retries.
        """
        self._fill(now_s, requests)
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        self.taken += 1
        return True

    def _fill(self, now_s: float, requests: int) -> None:
        past_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        new = max(requests - self._counted, 0)
        self._at_s, self._counted = now_s, max(requests, self._counted)
        # Of a long time without retries only its last ten seconds count, by their average.
        counting = min(1.0, WINDOW_S / past_s) if past_s > 0 else 1.0
        self._recent = self._recent * max(0.0, 1 - past_s / WINDOW_S) + new * counting
        policy = self._policy
        room = policy.per_second * WINDOW_S + policy.share * self._recent
        self._tokens = min(room, self._tokens + policy.per_second * past_s + policy.share * new)
