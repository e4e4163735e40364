"""The socket to an upstream target, as bytes: what goes out, and when it must wait.

It knows nothing of HTTP; `connection` does.
"""

import asyncio
from typing import cast


class TargetSocket(asyncio.Protocol):
    """Writes with back-pressure; `has_sent` says whether anything was written."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self.is_writing_paused = False
        self.has_sent = False

    @property
    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection itself, for a tunnel that takes it over after a 101; None: it is gone."""
        return self._transport

    @property
    def unsent_bytes(self) -> int:
        """What the upstream has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Send bytes; quietly nothing when the upstream is gone, reading will tell."""
        if self._transport is not None and not self._transport.is_closing():
            self.has_sent = True
            self._transport.write(data)

    async def drain(self, stall_s: float) -> None:
        """Wait until the upstream takes more. Raises: TimeoutError, nothing taken for `stall_s`."""
        while self.is_writing_paused and not self.is_closing:
            before_bytes = self.unsent_bytes
            self._drain_waiter = self._loop.create_future()
            try:
                async with asyncio.timeout(stall_s):
                    await self._drain_waiter
            except TimeoutError:
                if self.unsent_bytes >= before_bytes:
                    raise

    # -- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        self.is_writing_paused = True

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    def _stop_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
