"""Counts what one login asks for that is written to the store, and says when it is too much.

Decides for this process alone. It must not know what is asked for.
"""

import math
from collections import OrderedDict, deque

from gateway.clock import Clock
from gateway.errors import GatewayError

MAX_COUNTED = 10_000
"""Logins that are counted, the latest, per process: some 5 MB at ten each."""
_MINUTE_S = 60.0


class MinuteLimit:
    """At most `most` a minute for each login; a refusal says `detail`."""

    def __init__(self, most: int, detail: str, monotonic: Clock) -> None:
        self._most = most
        self._detail = detail
        self._monotonic = monotonic
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def take(self, origin: str) -> None:
        """Count one. Raises: GatewayError rate_limited, which is not counted."""
        now = self._monotonic()
        self._forget_old(now - _MINUTE_S)
        times = self._times.setdefault(origin, deque())
        while times and times[0] <= now - _MINUTE_S:
            times.popleft()
        if len(times) >= self._most:
            wait_s = math.ceil(times[0] + _MINUTE_S - now)
            raise GatewayError("rate_limited", self._detail, retry_after_s=max(1, wait_s))
        times.append(now)
        self._times.move_to_end(origin)
        if len(self._times) > MAX_COUNTED:
            self._times.popitem(last=False)

    def give_back(self, origin: str) -> None:
        """Do not count the latest one after all."""
        if times := self._times.get(origin):
            times.pop()

    def _forget_old(self, until: float) -> None:
        """Forget logins that asked for nothing since; they stand in the order of their last."""
        while self._times:
            origin, times = next(iter(self._times.items()))
            if times and times[-1] > until:
                return
            del self._times[origin]
