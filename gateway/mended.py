"""aiohttp's server protocol with its measured gaps closed (design section 9; attacks.md C2).

It decides nothing about requests: deadlines for heads, a broken body told to the handler that reads
it, our own answer to what the parser refuses. What is parsed, and how: `parser`.
"""

import asyncio
import logging
import select
from typing import cast

from aiohttp import web
from aiohttp.http_parser import HttpParser, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.answers import cut_off
from gateway.errors import GatewayError
from gateway.flights import Owner
from gateway.head_clock import HeadClock
from gateway.limits import HeadTooLargeError, refusal_of
from gateway.parser import READ_BYTES, RequestParser

logger = logging.getLogger(__name__)
FLUSH_S = 30.0
"""How long a closing connection waits for a client to take the last bytes (attacks.md D2)."""

_POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)  # Linux has it
LOOK_S = 1.0
"""How often a connection from which nothing is read is looked at: its client may have gone."""


class MendedProtocol(RequestHandler):
    """One client connection; `_receive` takes its bytes."""

    __slots__ = ("_head_clock", "_is_broken", "_looker", "_owner", "_payload", "_reader", "_stall")

    def __init__(self, manager: web.Server, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        limits = owner.limits
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=limits.keepalive_s,
            access_log=cast("logging.Logger", None),  # None is how aiohttp writes "no access log"
            lingering_time=0.0,  # `Written` does it
            read_bufsize=READ_BYTES,
        )
        self._reader = RequestParser(self, loop, limits)
        # aiohttp types its parser by name; what it calls of it is there.
        self._parser = cast("HttpParser[RawRequestMessage]", self._reader)
        self._owner = owner
        self._head_clock = HeadClock(loop, limits, self._head_is_late)
        self._is_broken = False
        self._looker: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD  # of the request that was parsed last

    @property
    def is_idle(self) -> bool:
        """Whether aiohttp waits for a request here: none running, none queued, none ending."""
        return self._waiter is not None and not self._waiter.done()

    async def start(self) -> None:
        """Serve requests; a client that never takes the last bytes does not keep us for ever."""
        transport = self.transport
        try:
            await super().start()
        except Exception as error:  # noqa: BLE001 - nobody else would ever close this connection
            # A traceback could quote the client.
            logger.error("a connection failed: %s", type(error).__name__)  # noqa: TRY400 - so none
            if transport is not None:
                transport.abort()
        finally:
            if transport is not None and transport.get_write_buffer_size():
                self._loop.call_later(FLUSH_S, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_looking()
        self._stop_stall()
        super().connection_lost(exc)

    # -- a client that goes while nothing is read -----------------------------------------------

    def _pause_transport_reading(self) -> None:
        super()._pause_transport_reading()
        if self._looker is None and self.transport is not None:
            self._looker = self._loop.call_later(LOOK_S, self._look)

    def _resume_transport_reading(self) -> None:
        self._stop_looking()
        super()._resume_transport_reading()

    def _look(self) -> None:
        """End the connection if its client has gone: who does not read is not told so."""
        self._looker = None
        transport = self.transport
        if transport is None or transport.is_closing() or transport.get_protocol() is not self:
            return  # a tunnel has it, and reads for itself
        if self._has_gone(transport):
            transport.abort()
        else:
            self._looker = self._loop.call_later(LOOK_S, self._look)

    def _has_gone(self, transport: asyncio.Transport) -> bool:
        """Ask for a reset, or an end behind what was not read, unless a body is still read."""
        sock = transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(sock.fileno(), _POLLRDHUP)
        events = sum(event for _, event in poll.poll(0))
        is_lost = bool(events & (select.POLLERR | select.POLLHUP))
        return is_lost or (bool(events & _POLLRDHUP) and self._payload.is_eof())

    def _stop_looking(self) -> None:
        if self._looker is not None:
            self._looker.cancel()
            self._looker = None

    # -- a client that takes nothing ------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        self._stop_stall()
        super().resume_writing()

    def _watch_stall(self) -> None:
        idle_s, transport = self._owner.limits.write_idle_s, self.transport
        if idle_s is not None and transport is not None:
            waiting_bytes = transport.get_write_buffer_size()
            self._stall = self._loop.call_later(idle_s, self._check_stall, waiting_bytes)

    def _check_stall(self, before_bytes: int) -> None:
        transport = self.transport
        if transport is not None and transport.get_write_buffer_size() >= before_bytes:
            transport.abort()
        else:
            self._watch_stall()

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # -- what comes -----------------------------------------------------------------------------

    def _wake(self) -> None:
        """Wake aiohttp's task: there is something in its queue."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _receive(self, data: bytes) -> None:
        if self._is_broken:
            return  # nothing behind a framing error can be trusted
        was_in_body = not self._payload.is_eof()
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            if not self._head_clock.is_quiet:
                self._head_clock.stop()
            self._note(*self._messages[-1])
            if self._reader.is_in_head:
                self._head_clock.start()  # behind the request or its body (attacks.md D1)
        elif was_in_body:
            if self._reader.is_in_head:
                self._head_clock.start()
        elif data and not (self._upgraded or self._head_clock.add(len(data))):
            error = _ErrInfo(status=400, exc=HeadTooLargeError(), message="")
            self._messages.append((error, EMPTY_PAYLOAD))
            self._break(error)
            self._wake()

    def _note(self, message: object, payload: StreamReader) -> None:
        """Keep the newest request's body; after a parse error there will be none any more."""
        if isinstance(message, _ErrInfo):
            self._break(message)
        else:
            self._payload = payload

    def _break(self, error: _ErrInfo) -> None:
        """Answer what cannot be parsed, after the requests before it, and read no further.

        The body being read learns that it will never end (design section 9, point 3), in the next
        turn once more: where a chunk ended just before, its reader has been woken for nothing and
        waits again. The error's own body never ends either: so we linger, and our answer is not
        lost in a reset.
        """
        self._is_broken = True
        if not self._payload.is_eof():
            broken = RequestPayloadError("malformed body")
            self._payload.set_exception(broken)
            self._loop.call_soon(self._payload.set_exception, broken)
        self._messages[-1] = (error, StreamReader(self, 1, loop=self._loop))

    def _head_is_late(self) -> None:
        if self.is_idle:
            self.force_close()
        else:
            self._head_clock.start()  # its turn comes after the request under way

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, without repeating a byte of it (attacks.md L3)."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            cut_off(request)
            raise ConnectionAbortedError("the client is gone, or has part of an answer")
        if status != 400:  # a handler's exception: ours handles all of its own
            logger.error("unexpected failure: %s", type(exc).__name__)
            return self._owner.refuse(request, GatewayError("internal_error"))
        return self._owner.refuse(request, refusal_of(exc, message, self._owner.limits))
