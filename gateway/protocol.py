"""A client's connection: which of two ways a request goes, the fast path or a task of its own.

It decides nothing about requests themselves. What aiohttp's protocol lacks: `mended`.
"""

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from gateway.flights import FastPath, Flight, Owner
from gateway.mended import MendedProtocol
from gateway.recollection import Recollection


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    """Return the peer's IP address; "" for a unix socket."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


class GatewayProtocol(MendedProtocol):
    """One client connection."""

    __slots__ = (
        "_early",
        "_flight",
        "_is_between",
        "_is_parsed",
        "address",
        "recollection",
        "scheme",
    )

    def __init__(self, manager: web.Server, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(manager, owner, loop)
        self.address = ""
        self.scheme = "http"
        self.recollection = Recollection()
        self._early = b""  # came before aiohttp's task was back from the last request
        self._flight: Flight | None = None
        self._is_between = False  # whether a request may begin that the parser does not see
        self._is_parsed = False  # whether the parser has seen the flight's request

    @property
    def is_idle(self) -> bool:
        """Whether aiohttp waits for a request here: none running, none queued, none ending."""
        return super().is_idle and self._flight is None and not self._early

    @property
    def is_fresh(self) -> bool:
        """Whether no request has come here yet."""
        return self._request_count == 0

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

    def _receive(self, data: bytes) -> None:
        self._is_between = False
        super()._receive(data)
