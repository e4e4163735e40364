"""Counts for limits in this process's memory, within a bound.

It is a storage for the library `limits`, as its page on custom backends has them
(limits.readthedocs.io, "Custom storage backends"), for windows that begin with their first count.
Its own one in memory has no bound, and goes through all counters at each count.

It must not know what is counted, or what follows from it.
"""

from collections import OrderedDict

from limits.aio.storage import Storage

from gateway.clock import Clock

MAX_COUNTERS = 100_000
"""Counters kept, some 300 bytes each; beyond, the one that was counted longest ago goes."""


class MemoryCounters(Storage):
    """Counters of one process. `clock` says when windows are over."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, max_counters: int = MAX_COUNTERS) -> None:
        super().__init__()
        self._clock = clock
        self._max_counters = max_counters
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What `limits` would wrap; nothing fails here."""
        return MemoryError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window of `expiry` seconds, and return how many there are in it."""
        now = self._clock()
        count, ends_at = self._windows.pop(key, (0, 0.0))
        if not now < ends_at <= now + expiry:  # over, or the clock was set back
            count, ends_at = 0, now + expiry
        self._windows[key] = count + amount, ends_at  # now the last to go
        if len(self._windows) > self._max_counters:
            self._windows.popitem(last=False)
        return count + amount

    async def get(self, key: str) -> int:
        """Return how many were counted in the window that lasts."""
        count, ends_at = self._windows.get(key, (0, 0.0))
        return count if ends_at > self._clock() else 0

    async def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds since the epoch."""
        return self._windows.get(key, (0, self._clock()))[1]

    async def clear(self, key: str) -> None:
        """Forget a window."""
        self._windows.pop(key, None)

    async def check(self) -> bool:
        """Say that it works."""
        return True

    async def reset(self) -> int | None:
        """Forget all windows; return how many there were."""
        count = len(self._windows)
        self._windows.clear()
        return count
