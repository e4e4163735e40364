"""One end of a tunnel: what it sends goes to the other end, and a Close goes in between two frames.

It takes the place of its transport's protocol, so that a piece costs one call. It knows no session
and no setting; when a Close is due, and which one, it is told.
"""

import asyncio
import secrets
from collections.abc import Callable

from gateway.proxy.frames import FrameFollower, close_frame

BOUNDARY_S = 1.0
"""How long the frame under way may take to end before its receiver is closed without a Close."""
CLOSE_S = 1.0
"""From our Close to the end of the connection at the latest (design section 8)."""

_PASSING, _TO_BOUNDARY, _OVER = 0, 1, 2


class Side(asyncio.Protocol):
    """A client or a service; `stall_s` is how long it may take nothing of what waits for it.

    `on_gone` is called once, when it has closed or half-closed. What it sends after its way is over
    is read, followed and thrown away: a Close may be among it, and a sender must not be stuck.
    """

    other: "Side"

    __slots__ = (
        "_close",
        "_deadline",
        "_frames",
        "_has_close",
        "_is_service",
        "_later",
        "_on_gone",
        "_stall",
        "_stall_s",
        "_time",
        "_way",
        "heard_s",
        "is_gone",
        "other",
        "passed_bytes",
        "transport",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        stall_s: float,
        on_gone: Callable[["Side"], None],
        *,
        is_service: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.transport = transport
        self.heard_s = loop.time()
        self.passed_bytes = 0
        self.is_gone = False
        self._later = loop.call_later
        self._time = loop.time
        self._frames = FrameFollower()
        self._way = _PASSING
        self._has_close = False  # one has gone to this end
        self._close = (0, "")
        self._stall_s = stall_s
        self._on_gone = on_gone
        self._is_service = is_service
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    # -- pieces ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self.heard_s = self._time()
        boundary = self._frames.feed(data)
        if self._way == _PASSING:
            self.passed_bytes += len(data)
            self.other.transport.write(data)
        elif self._way == _TO_BOUNDARY:
            self._pass_to_boundary(data, boundary)
        else:
            self._shut_if_agreed()

    def pause_writing(self) -> None:
        self.hold_other()

    def resume_writing(self) -> None:
        self._stop_stall()
        self.other._resume_reading()

    def hold_other(self) -> None:
        """Read no more from the other end until this one takes what waits for it."""
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()
        self._watch_stall()

    def _resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _watch_stall(self) -> None:
        self._stop_stall()
        waiting_bytes = self.transport.get_write_buffer_size()
        self._stall = self._later(self._stall_s, self._check_stall, waiting_bytes)

    def _check_stall(self, before_bytes: int) -> None:
        if self.transport.get_write_buffer_size() >= before_bytes:
            self.transport.abort()
        else:
            self._watch_stall()

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # -- a Close --------------------------------------------------------------------------------

    def end(self, code: int, reason: str) -> None:
        """Let the frame that comes from here end, then send the other end a Close, nothing after.

        Between frames that is at once. Where frames cannot be followed it is closed without one:
        a Close in the wrong place would be read as somebody's data.
        """
        if self._way != _PASSING:
            return
        self._close = (code, reason)
        if self._frames.is_lost:
            self._give_up()
        elif self._frames.is_at_boundary or self._frames.has_closed:
            self._put_close()
        else:
            self._way = _TO_BOUNDARY
            self.other._set_deadline(BOUNDARY_S)

    def _pass_to_boundary(self, data: bytes, boundary: int) -> None:
        if self._frames.is_lost:
            self._give_up()
            return
        passed = data if boundary < 0 else data[:boundary]
        self.passed_bytes += len(passed)
        self.other.transport.write(passed)
        if boundary >= 0:
            self._put_close()

    def _put_close(self) -> None:
        """Send the other end our Close; where this one's own has passed, nothing may follow it."""
        self._way = _OVER
        if not self._frames.has_closed:
            self.other._send_close(*self._close)
        self.other._await_close()
        self._resume_reading()

    def _send_close(self, code: int, reason: str) -> None:
        mask = secrets.token_bytes(4) if self._is_service else None
        self.transport.write(close_frame(code, reason, mask))

    def _await_close(self) -> None:
        self._has_close = True
        self._set_deadline(CLOSE_S)
        self._shut_if_agreed()

    def _shut_if_agreed(self) -> None:
        """Both have said Close: nothing is left to wait for (RFC 6455 7.1.1)."""
        if self._has_close and self._frames.has_closed:
            self.transport.close()

    def _give_up(self) -> None:
        self._way = _OVER
        self.other.shut(CLOSE_S)

    # -- the end --------------------------------------------------------------------------------

    def shut(self, within_s: float) -> None:
        """Close once what waits has been taken, within so many seconds at the latest."""
        self.transport.close()
        self._set_deadline(within_s)

    def stop_timers(self) -> None:
        """Forget what is due; the tunnel is over."""
        self._way = _OVER
        self._stop_stall()
        self._stop_deadline()

    def eof_received(self) -> None:
        self._go()  # who half-closes has gone; the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._stop_stall()
        self._stop_deadline()
        self._go()

    def _go(self) -> None:
        if self.is_gone:
            return
        self.is_gone = True
        if self._way == _TO_BOUNDARY:
            self.other.shut(CLOSE_S)  # the boundary will never come
        self._way = self.other._way = _OVER
        self.other._resume_reading()
        self._on_gone(self)

    def _set_deadline(self, after_s: float) -> None:
        self._stop_deadline()
        self._deadline = self._later(after_s, self._cut)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        """Close now; what has not been taken by now is lost."""
        self._deadline = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


class ClientSide(Side):
    """The client's end: aiohttp's protocol is told of what it must know, and gets the end last."""

    __slots__ = ("_is_lost", "_is_released", "_loss", "_server")

    def __init__(
        self,
        transport: asyncio.Transport,
        stall_s: float,
        on_gone: Callable[[Side], None],
        server: asyncio.Protocol,
    ) -> None:
        super().__init__(transport, stall_s, on_gone, is_service=False)
        self._server = server
        self._is_released = False
        self._is_lost = False
        self._loss: Exception | None = None

    def pause_writing(self) -> None:
        self._server.pause_writing()
        if not self._is_released:
            super().pause_writing()

    def resume_writing(self) -> None:
        self._server.resume_writing()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost, self._loss = True, exc
        super().connection_lost(exc)
        if self._is_released:
            self._server.connection_lost(exc)

    def release(self) -> None:
        """Say that the tunnel is over: aiohttp closes the connection, or learns that it is lost.

        Not before: it would cancel the handler, and the service's last bytes with it.
        """
        self._is_released = True
        if self._is_lost:
            asyncio.get_running_loop().call_soon(self._server.connection_lost, self._loss)
