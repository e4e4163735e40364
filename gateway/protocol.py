"""aiohttp's server protocol, with its measured gaps closed (design section 9; attacks.md C2).

It decides nothing about requests: deadlines for heads, bounds on connections, a broken body told
to the handler that reads it, and our own answer to what the parser refuses.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.answers import cut_off
from gateway.errors import GatewayError

logger = logging.getLogger(__name__)
MAX_FIELDS = 128
"""Header fields of one request; aiohttp's own default, said aloud."""
FLUSH_S = 30.0
"""How long a closing connection waits for a client to take the last bytes (attacks.md D2)."""
SWEEP_S = 0.05
"""While draining, how often connections that have become idle are looked for."""
END_S = 2.0
"""How long handlers may take to notice that their connection was cut."""


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
    """Bounds of a listener: bytes, seconds, connections per process."""

    headers_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers_s: float = 10.0
    keepalive_s: float = 75.0
    connections: int = 20000
    connections_per_ip: int = 2000

    @property
    def line_bytes(self) -> int:
        """The parser's bound on the request line; it tells 414 from 431 by the number."""
        return self.target_bytes + 1

    @property
    def field_bytes(self) -> int:
        return self.headers_bytes + (2 if self.headers_bytes == self.target_bytes else 1)


Refuse = Callable[[web.BaseRequest, GatewayError], web.StreamResponse]
"""Answers what never became a request."""


class GatewayServer(web.Server):
    """A low-level server whose connections are `GatewayProtocol`s, counted and bounded."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Any],
        refuse: Refuse,
        limits: ProtocolLimits,
        is_exempt: Callable[[str], bool],
    ) -> None:
        # A handler must not outlive its client (design section 9, point 4).
        super().__init__(handler, handler_cancellation=True)
        self.limits = limits
        self.refuse = refuse
        self._is_exempt = is_exempt
        self._open = 0
        self._per_ip: Counter[str] = Counter()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __call__(self) -> RequestHandler:
        return GatewayProtocol(self, self._loop, self.limits)

    def admit(self, address: str) -> bool:
        """Count a new connection; False when it is one too many (it is closed unanswered)."""
        self._open += 1
        self._per_ip[address] += 1
        is_crowd = self._per_ip[address] > self.limits.connections_per_ip
        return self._open <= self.limits.connections and not (
            is_crowd and address and not self._is_exempt(address)
        )

    def leave(self, address: str) -> None:
        """Count a connection that has ended."""
        self._open -= 1
        self._per_ip[address] -= 1
        if not self._per_ip[address]:
            del self._per_ip[address]

    # -- draining -------------------------------------------------------------------------------

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Keep track of a connection."""
        super().connection_made(handler, transport)
        self._is_empty.clear()

    def connection_lost(
        self,
        handler: RequestHandler,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> None:
        """Forget a connection, once its request handler has ended too."""
        task = handler._task_handler
        if task is None:
            self._forget(handler)
        else:
            task.add_done_callback(lambda _: self._forget(handler))

    def _forget(self, handler: RequestHandler) -> None:
        self._connections.pop(handler, None)
        if not self._connections:
            self._is_empty.set()

    async def drain(self, timeout_s: float) -> None:
        """Close what is idle, wait for the rest, then cut what is still open after `timeout_s`."""
        ends_s = self._loop.time() + timeout_s
        while not self._is_empty.is_set() and (left_s := ends_s - self._loop.time()) > 0:
            self._close_idle()
            await self._wait_until_empty(min(SWEEP_S, left_s))
        for transport in list(self._connections.values()):
            transport.abort()
        await self._wait_until_empty(END_S)

    def _close_idle(self) -> None:
        for connection in self.connections:
            if isinstance(connection, GatewayProtocol) and connection.is_idle:
                connection.force_close()

    async def _wait_until_empty(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_empty.wait()


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    """Return the peer's IP address; "" for a unix socket."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


class HeadTooLargeError(Exception):
    """A head that is larger than `headers_bytes`, before its end has come."""


class GatewayProtocol(RequestHandler):
    """One client connection."""

    __slots__ = ("_address", "_head_bytes", "_head_timer", "_is_broken", "_payload", "_server")

    def __init__(
        self, server: GatewayServer, loop: asyncio.AbstractEventLoop, limits: ProtocolLimits
    ) -> None:
        super().__init__(
            server,
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
        self._server = server
        self._address = ""
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_broken = False
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
        finally:
            if transport is not None and transport.get_write_buffer_size():
                self._loop.call_later(FLUSH_S, transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._address = peer_address(transport)
        is_welcome = self._server.admit(self._address)
        super().connection_made(transport)
        if is_welcome:
            self._start_head_timer()
        else:
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        if self._manager is not None:
            self._server.leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_broken:
            return  # nothing behind a framing error can be trusted
        was_in_head = self._payload.is_eof()
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_head_timer()
            self._note(*self._messages[-1])
            if self._payload is EMPTY_PAYLOAD and not data.endswith(b"\n\r\n"):
                self._start_head_timer()  # the next head has begun in the same bytes
        elif data and was_in_head and not self._upgraded:
            self._watch_head(len(data))

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

    def _watch_head(self, size: int) -> None:
        """Bound a head that is still coming, in time and in bytes (attacks.md D1, D3)."""
        self._head_bytes += size
        if self._head_timer is None:
            self._start_head_timer()
        limits = self._server.limits
        if self._head_bytes > limits.headers_bytes + limits.target_bytes + MAX_FIELDS * 4:
            error = _ErrInfo(status=400, exc=HeadTooLargeError(), message="")
            self._messages.append((error, EMPTY_PAYLOAD))
            self._break(error)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def _start_head_timer(self) -> None:
        self._head_timer = self._loop.call_later(self._server.limits.headers_s, self._head_is_late)

    def _stop_head_timer(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.is_idle:
            self.force_close()
        else:
            self._start_head_timer()  # its turn comes after the request under way

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
            return self._server.refuse(request, GatewayError("internal_error"))
        return self._server.refuse(request, refusal_of(exc, message, self._server.limits))


def refusal_of(
    exc: BaseException | None, message: str | None, limits: ProtocolLimits
) -> GatewayError:
    """Say what a parser's refusal becomes, without a byte of what it refused."""
    if isinstance(exc, HeadTooLargeError):
        detail = f"the headers exceed {limits.headers_bytes} bytes"
        return GatewayError("headers_too_large", detail)
    if isinstance(exc, LineTooLong):
        is_target = exc.args[1] == limits.line_bytes  # (the line's beginning, the bound, the size)
        return GatewayError("target_too_long" if is_target else "headers_too_large")
    if message == "Too many headers received":
        return GatewayError("headers_too_large", f"more than {MAX_FIELDS} header fields")
    return GatewayError("bad_request", "this is not well-formed HTTP/1.1")
