"""One connection to an upstream target: sends bytes, reads one answer at a time.

It knows HTTP/1.1 answers (RFC 9112), no client and no retry rule. Whatever ended early or out of
step makes the connection unusable for good: it is closed, never pooled.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from gateway.errors import GatewayError
from gateway.headers import Field
from gateway.proxy.framing import read_framing
from gateway.proxy.inbox import Inbox

MAX_HEAD_BYTES = 64 * 1024
"""Header bytes read from an upstream before it is called malformed (nginx: 4 to 64 KiB)."""

_CLOSED = "the service closed the connection"


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """An upstream's answer head.

    `length` is the declared Content-Length; `is_chunked` and `until_close` tell the other framings;
    `has_body` is False for HEAD, 204 and 304 (RFC 9112 6.3).
    """

    status: int
    reason: str
    fields: list[Field]
    length: int | None
    is_chunked: bool
    has_body: bool

    @property
    def until_close(self) -> bool:
        return self.has_body and self.length is None and not self.is_chunked


class UpstreamConnection(asyncio.Protocol):
    """An asyncio protocol that reads answers; made by the pool, used by one exchange at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._drain_waiter: asyncio.Future[None] | None = None
        self.is_writing_paused = False
        self._inbox = Inbox(self._stop_reading, self._resume_reading)
        self._is_broken = False
        self._method: str | None = None
        self.head: asyncio.Future[AnswerHead] = loop.create_future()
        self.idle_since_s = 0.0
        self._reset()

    def _reset(self) -> None:
        self._reason = b""
        self._fields: list[Field] = []
        self._quiet_bytes = 0
        self._answer: AnswerHead | None = None
        self._reader: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.is_complete = self.is_upgraded = False
        self.has_received = self.has_sent = False
        self.on_continue: Callable[[], None] | None = None

    # -- one exchange ---------------------------------------------------------------------------

    def begin(self, method: str) -> None:
        """Get ready for one request and its answer; a connection lost by now fails at once."""
        self._reset()
        self._method = method
        self.head = self._loop.create_future()
        if self._is_broken or self.is_closing:
            self._fail(_broken(_CLOSED), None)

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may begin: open, in step, nothing left over on either way."""
        is_over = (self._method is None or self.is_complete) and not self._inbox
        return is_over and not (self._is_broken or self.is_closing or self.unsent_bytes)

    @property
    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

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

    @property
    def has_news(self) -> bool:
        """Whether body bytes are here, or the end, or a failure."""
        return bool(self._inbox) or self.is_complete or self._failure is not None

    async def wait(self) -> None:
        """Wait for body bytes, the end, or a failure."""
        if not self.has_news:
            self._reader = self._loop.create_future()
            await self._reader

    def take_or_fail(self) -> bytes | None:
        """Take what is here; None at the end. Raises: GatewayError upstream_error if cut off."""
        if self._inbox:
            return self._inbox.take()
        if self._failure is not None:
            raise self._failure
        return None

    def finish(self) -> None:
        """End the exchange after a complete answer; the connection may be used again."""
        self._method = None

    def abort(self) -> None:
        """Close at once; nothing half-read is kept."""
        self._is_broken = True
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.is_upgraded:
            self._keep(data)
            return
        if self._method is None or self.is_complete:
            self.abort()  # nobody asked: out of step
            return
        self.has_received = True
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.is_upgraded = self._is_broken = True  # this is no HTTP connection any more
            self._keep(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            ours = error.__context__  # what a callback below raised; it says more
            self._fail(ours if isinstance(ours, GatewayError) else _broken(), error)
        else:
            self._after_feed()

    def _after_feed(self) -> None:
        if self.is_complete:
            if self._answer is not None and not self._answer.has_body:
                # The parser waits for a body that never comes: it starts afresh.
                self._parser = httptools.HttpResponseParser(self)
        elif self._quiet_bytes > MAX_HEAD_BYTES:
            # A head, interim answers, a chunk's extension or trailers without end.
            self._fail(_broken(), None)

    def eof_received(self) -> bool:
        self._end(None)  # now: the transport closes only when the last of our bytes is out
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(exc)
        self.resume_writing()

    def _end(self, exc: Exception | None) -> None:
        """Decide what the upstream's end means; an answer we cut off ourselves is not whole."""
        is_clean = exc is None and not self._is_broken
        self._is_broken = True
        is_until_close = self._answer is not None and self._answer.until_close
        if self.is_upgraded or (is_until_close and is_clean):
            self._complete()
        elif not self.is_complete:
            self._fail(_broken(_CLOSED), exc)

    def pause_writing(self) -> None:
        self.is_writing_paused = True

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    # -- httptools ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise _broken()  # a second answer to one request

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is None:  # else a trailer, which is no header and goes no further
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        size = sum(len(name) + len(value) for name, value in self._fields) + len(self._reason)
        if status < 100 or size > MAX_HEAD_BYTES:
            raise _broken()
        if status >= 200 or status == 101:
            self._take_head(status)

    def _take_head(self, status: int) -> None:
        length, is_chunked = read_framing(status, self._fields)
        self._answer = AnswerHead(
            status=status,
            reason=self._reason.decode("latin-1"),
            fields=self._fields,
            length=length,
            is_chunked=is_chunked,
            has_body=self._method != "HEAD" and status not in {101, 204, 304},
        )
        if not self.head.done():
            self.head.set_result(self._answer)
        if not self._answer.has_body and status != 101:
            self._complete()

    def on_body(self, body: bytes) -> None:
        self._quiet_bytes = 0
        if self.is_complete:
            self._is_broken = True  # bytes behind an answer that has no body
        else:
            self._keep(body)

    def on_message_complete(self) -> None:
        if self._answer is None:
            self._take_interim()
        elif self._answer.status != 101:
            self._complete()

    def _take_interim(self) -> None:
        """Forget an interim answer's head; a 100 is told to whoever waits (RFC 9110 15.2)."""
        if self._parser.get_status_code() == 100 and self.on_continue is not None:
            tell, self.on_continue = self.on_continue, None
            tell()
        self._reason, self._fields = b"", []

    # -- inside ---------------------------------------------------------------------------------

    def _stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def _keep(self, data: bytes) -> None:
        if data:
            self._inbox.put(data)
            self._wake()

    def _complete(self) -> None:
        self.is_complete = True
        if not self._parser.should_keep_alive():
            self._is_broken = True
        self._wake()

    def _fail(self, failure: GatewayError, cause: BaseException | None) -> None:
        """Break the connection; a whole answer stays whole, whatever came behind it."""
        if not self.is_complete and self._failure is None:
            failure.__cause__ = cause
            self._failure = failure
            if not self.head.done():
                self.head.set_exception(failure)
                self.head.exception()  # retrieved: an exchange that was cancelled never asks
            self._wake()
        self.abort()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _broken(detail: str = "the service's answer is malformed") -> GatewayError:
    return GatewayError("upstream_error", detail)
