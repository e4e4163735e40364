"""Bounds a request's head that is still coming, in time and in bytes (attacks.md D1, D3).

It reads no bytes: the protocol says when they come, and is told when it has been too long.
"""

import asyncio
from collections.abc import Callable

from gateway.limits import MAX_FIELDS, ProtocolLimits


class HeadClock:
    """Runs while a head is awaited or half there; `is_quiet` between two requests.

    `size_bytes` have come of a head that has not ended.
    """

    __slots__ = ("_late", "_limits", "_loop", "_timer", "is_quiet", "size_bytes")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: ProtocolLimits, late: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._late = late
        self.size_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.is_quiet = True

    def start(self) -> None:
        """Await a head, from now on; again when `late` was called and it may go on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.headers_s, self._ring)
        self.is_quiet = False

    def stop(self) -> None:
        """Note that the head is there, or nobody will send it."""
        self.size_bytes = 0
        self.is_quiet = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, size_bytes: int) -> bool:
        """Count bytes of a head that has not ended; False when they are too many."""
        self.size_bytes += size_bytes
        if self._timer is None:
            self.start()
        limits = self._limits
        return self.size_bytes <= limits.headers_bytes + limits.target_bytes + MAX_FIELDS * 4

    def _ring(self) -> None:
        self._timer = None
        self._late()
