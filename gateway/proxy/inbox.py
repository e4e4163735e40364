"""Holds bytes that have come and were not taken yet; above a mark the sender is stopped.

It knows no connection: how to stop and go on is passed in.
"""

from collections.abc import Callable

HIGH_BYTES = 256 * 1024
"""Bytes held before reading stops: one read of the event loop."""


class Inbox:
    """Bytes between a protocol that receives them and a task that takes them, in `chunks`."""

    __slots__ = ("_is_stopped", "_resume", "_size_bytes", "_stop", "chunks")

    def __init__(self, stop: Callable[[], None], resume: Callable[[], None]) -> None:
        self._stop = stop
        self._resume = resume
        self.chunks: list[bytes] = []
        self._size_bytes = 0
        self._is_stopped = False

    def __bool__(self) -> bool:
        return bool(self.chunks)

    def put(self, data: bytes) -> None:
        """Keep what has come."""
        self.chunks.append(data)
        self._size_bytes += len(data)
        if self._size_bytes > HIGH_BYTES and not self._is_stopped:
            self._is_stopped = True
            self._stop()

    def take(self) -> bytes:
        """Take all there is, in order."""
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        self._size_bytes = 0
        if self._is_stopped:
            self._is_stopped = False
            self._resume()
        return data
