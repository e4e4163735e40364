"""aiohttp's server protocol, with its measured gaps closed (design section 9; attacks.md C2).

It decides nothing about requests: deadlines for heads, a broken body told to the handler that
reads it, our own answer to what the parser refuses, and which of two ways a request goes: the fast
path, or a task of its own.
"""

import asyncio
import logging
from typing import cast

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.answers import cut_off
from gateway.errors import GatewayError
from gateway.flights import FastPath, Flight, Owner
from gateway.head_clock import HeadClock
from gateway.limits import MAX_FIELDS, HeadTooLargeError, refusal_of
from gateway.recollection import Recollection

logger = logging.getLogger(__name__)
FLUSH_S = 30.0
"""How long a closing connection waits for a client to take the last bytes (attacks.md D2)."""


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    """Return the peer's IP address; "" for a unix socket."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


class GatewayProtocol(RequestHandler):
    """One client connection."""

    __slots__ = (
        "_early",
        "_flight",
        "_head_clock",
        "_is_between",
        "_is_broken",
        "_is_parsed",
        "_owner",
        "_payload",
        "address",
        "recollection",
        "scheme",
    )

    def __init__(self, manager: web.Server, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        limits = owner.limits
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=limits.keepalive_s,
            access_log=cast("logging.Logger", None),  # None is how aiohttp writes "no access log"
            max_line_size=limits.line_bytes,
            max_field_size=limits.field_bytes,
            max_headers=MAX_FIELDS,
            lingering_time=0.0,  # `Written` does it
            read_bufsize=64 * 1024,
            auto_decompress=False,  # bodies pass as they are; no gzip bombs in the process
        )
        self._owner = owner
        self.address = ""
        self.scheme = "http"
        self.recollection = Recollection()
        self._early = b""  # came before aiohttp's task was back from the last request
        self._flight: Flight | None = None
        self._head_clock = HeadClock(loop, limits, self._head_is_late)
        self._is_broken = False
        self._is_between = False  # whether a request may begin that the parser does not see
        self._is_parsed = False  # whether the parser has seen the flight's request
        self._payload: StreamReader = EMPTY_PAYLOAD  # of the request that was parsed last

    @property
    def is_idle(self) -> bool:
        """Whether aiohttp waits for a request here: none running, none queued, none ending."""
        is_waiting = self._waiter is not None and not self._waiter.done()
        return is_waiting and self._flight is None and not self._early

    @property
    def is_fresh(self) -> bool:
        """Whether no request has come here yet."""
        return self._request_count == 0

    async def start(self) -> None:
        """Serve requests; a client that never takes the last bytes does not keep us for ever."""
        transport = self.transport
        try:
            await super().start()
        finally:
            if transport is not None and transport.get_write_buffer_size():
                self._loop.call_later(FLUSH_S, transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.address = peer_address(transport)
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        is_welcome = self._owner.admit(self.address)
        super().connection_made(transport)
        if is_welcome:
            self._head_clock.start()
        else:
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_clock.stop()
        if (flight := self.claim()) is not None:
            flight.abandon()
        if self._manager is not None:
            self._owner.leave(self.address)
        super().connection_lost(exc)

    # -- the fast path --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._early:
            self._early += data
            return
        if self._flight is not None:
            self._flight.hand_over()  # what comes now waits behind it
        waiter = self._waiter
        is_next = waiter is not None and not waiter.done() and self._payload.is_eof()
        # Without data it is aiohttp's own call, from within our reading of a body.
        fast_path = self._owner.fast_path
        if not is_next or not data or fast_path is None or self._paused:
            if data and self._is_coming_back:
                self._early = data
                self._loop.call_soon(self._take_early)
            else:
                self._receive(data)
        elif not self._begin_again(fast_path, data):
            is_at_start = self._is_at_start
            self._waiter = None  # aiohttp's task sleeps on until it is known who takes the request
            self._receive(data)
            self._waiter = waiter
            if self._messages and not self._begin_flight(fast_path, data if is_at_start else b""):
                self._wake()

    @property
    def _is_coming_back(self) -> bool:
        """Whether aiohttp's task has answered, and only waits for its turn to wait for a request.

        A client that asks again at once would never leave the slow way: whoever answered it is
        always one turn behind.
        """
        is_over = self._waiter is None and self._current_request is None and not self._messages
        return is_over and self._request_count > 0 and self._payload.is_eof()

    def _take_early(self) -> None:
        """Take what came early: by now aiohttp's task is back, or it never will be."""
        data, self._early = self._early, b""
        if self.transport is None:
            return
        if self._waiter is not None:
            self.data_received(data)
        else:
            self._receive(data)

    @property
    def _is_at_start(self) -> bool:
        """Whether no byte of the next request has come yet."""
        clock = self._head_clock
        return clock.is_quiet or (self._request_count == 0 and not clock.size_bytes)

    def _begin_again(self, fast_path: FastPath, data: bytes) -> bool:
        """Offer bytes to the fast path that it may know again, between two requests."""
        if not self._is_between or self._force_close or self._close:
            return False
        self._flight = fast_path.begin_again(self, data)
        if self._flight is None:
            return False
        self._is_parsed = False
        self._request_count += 1
        return True

    def _wake(self) -> None:
        """Wake aiohttp's task: there is something in its queue."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _begin_flight(self, fast_path: FastPath, data: bytes) -> bool:
        """Offer the one request that has come to the fast path."""
        message, body = self._messages[0]
        is_simple = len(self._messages) == 1 and body.is_eof() and not self._upgraded
        if not is_simple or isinstance(message, _ErrInfo):
            return False
        self._flight = fast_path.begin(self, message, body, data)
        if self._flight is None:
            return False
        self._is_parsed = True
        self._is_between = body is EMPTY_PAYLOAD  # what it remembers was the last the parser got
        self._messages.clear()
        return True

    def land(self, data: bytes) -> bool:
        """Write the whole answer of the flight; False: gone, or a task must `claim` it."""
        transport = self.transport
        if transport is None or self._parser is None or transport.is_closing():
            return False
        transport.write(data)
        if self._paused:
            return False
        self._flight = None
        if self._is_parsed:
            self._parser.message_consumed()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def take_over(self, message: RawRequestMessage, body: StreamReader) -> None:
        """Give a flight's request to aiohttp's task; its handler will `claim` it."""
        self._messages.append((message, body))
        self._wake()

    def parse(self, data: bytes) -> None:
        """Parse what was known again after all, and let aiohttp's task `claim` it."""
        self._request_count -= 1
        self._receive(data)

    def hand_over(self) -> None:
        """Give a request that is on the fast path a task."""
        if self._flight is not None:
            self._flight.hand_over()

    def claim(self) -> Flight | None:
        """Take the flight that the request now handled was on, if it was on one."""
        flight, self._flight = self._flight, None
        return flight

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be written to the client any more."""
        return self.transport is None or self.transport.is_closing()

    def _process_keepalive(self) -> None:
        self.hand_over()  # or aiohttp would take this connection for an idle one
        super()._process_keepalive()

    # -- bytes ----------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        if self._is_broken:
            return  # nothing behind a framing error can be trusted
        self._is_between = False
        body = self._payload
        was_in_head = body.is_eof()
        size = 0 if was_in_head else body.total_bytes
        before = self._request_count
        if was_in_head:
            super().data_received(data)
        else:
            self._receive_body(body, data)
        if self._request_count != before:
            if not self._head_clock.is_quiet:
                self._head_clock.stop()
            self._note(*self._messages[-1])
            if not data.endswith(b"\n\r\n"):
                self._watch_next_head(data.find(b"\r\n\r\n") + 4 - len(data))
        elif not was_in_head:
            if not data.endswith(b"\n\r\n"):
                self._watch_next_head(-size - len(data) if data else 1)
        elif data and not (self._upgraded or self._head_clock.add(len(data))):
            error = _ErrInfo(status=400, exc=HeadTooLargeError(), message="")
            self._messages.append((error, EMPTY_PAYLOAD))
            self._break(error)
            self._wake()

    def _receive_body(self, body: StreamReader, data: bytes) -> None:
        """Go on with a body, and count its request out of the parser's queue when it ends.

        aiohttp does so when a request is taken, and counts in when its body has ended: one taken
        sooner keeps its place for ever, and the last of a long pipeline would lie unread.
        """
        is_taken = not self._messages or self._messages[-1][1] is not body
        super().data_received(data)
        if is_taken and body.is_eof() and self._parser is not None:
            self._parser.message_consumed()
            if len(self._messages) == self._max_msg_queue_size - 1:
                super().data_received(b"")  # the parser has stopped one too soon

    def _watch_next_head(self, offset: int) -> None:
        """Start the clock unless the bytes ended with the body, by its size (attacks.md D1)."""
        body = self._payload  # behind several requests at once it may start for nothing
        if body is EMPTY_PAYLOAD or (body.is_eof() and body.total_bytes + offset):
            self._head_clock.start()

    def _note(self, message: object, payload: StreamReader) -> None:
        """Keep the newest request's body; after a parse error there will be none any more."""
        if isinstance(message, _ErrInfo):
            self._break(message)
        else:
            self._payload = payload

    def _break(self, error: _ErrInfo) -> None:
        """Answer what cannot be parsed, after the requests before it, and read no further.

        The body being read learns that it will never end (design section 9, point 3). The error's
        own body never ends either: so we linger, and our answer is not lost in a reset.
        """
        self._is_broken = True
        if not self._payload.is_eof():
            self._payload.set_exception(RequestPayloadError("malformed body"))
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
