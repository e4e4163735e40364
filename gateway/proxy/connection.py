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

MAX_HEAD_BYTES = 64 * 1024
"""Header bytes read from an upstream before it is called malformed (nginx: 4 to 64 KiB)."""
BUFFER_HIGH_BYTES = 256 * 1024


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
        self._is_reading_paused = False
        self._is_broken = False
        self._method: str | None = None
        self.head: asyncio.Future[AnswerHead] = loop.create_future()
        self.idle_since_s = 0.0
        self.exchanges = 0
        self._reset()

    def _reset(self) -> None:
        self._reason = b""
        self._fields: list[Field] = []
        self._head_bytes = 0
        self._answer: AnswerHead | None = None
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0
        self._reader: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.is_complete = False
        self.is_upgraded = False
        self.has_received = False
        self.has_sent = False
        self.on_continue: Callable[[], None] | None = None

    # -- one exchange ---------------------------------------------------------------------------

    def begin(self, method: str) -> None:
        """Get ready for one request and its answer."""
        self._reset()
        self._method = method
        self.exchanges += 1
        self.head = self._loop.create_future()

    @property
    def is_usable(self) -> bool:
        """Whether another exchange may begin: open, in step, nothing left over."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and not self._is_broken and (self._method is None or self.is_complete)

    @property
    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send bytes; quietly nothing when the upstream is gone, reading will tell."""
        if self._transport is not None and not self._transport.is_closing():
            self.has_sent = True
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the upstream takes more."""
        if self.is_writing_paused and self._transport is not None:
            self._drain_waiter = self._loop.create_future()
            await self._drain_waiter

    @property
    def has_news(self) -> bool:
        """Whether body bytes are here, or the end, or a failure."""
        return bool(self._chunks) or self.is_complete or self._failure is not None

    async def wait(self) -> None:
        """Wait for body bytes, the end, or a failure."""
        if not self.has_news:
            self._reader = self._loop.create_future()
            await self._reader

    def take_or_fail(self) -> bytes | None:
        """Take what is here; None at the end. Raises: GatewayError upstream_error if cut off."""
        if self._chunks:
            return self.take()
        if self._failure is not None:
            raise self._failure
        return None

    def take(self) -> bytes:
        """Take the body bytes that are here, if any."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered_bytes = 0
        if self._is_reading_paused and self._transport is not None:
            self._is_reading_paused = False
            self._transport.resume_reading()
        return data

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
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
        except (httptools.HttpParserError, GatewayError) as error:
            self._fail(GatewayError("upstream_error", "the service's answer is malformed"), error)
        else:
            self._after_feed()

    def _after_feed(self) -> None:
        """Without a body the parser waits for one that never comes: it starts afresh."""
        if self.is_complete and self._answer is not None and not self._answer.has_body:
            self._parser = httptools.HttpResponseParser(self)

    def _switch(self, tail: bytes) -> None:
        self.is_upgraded = True
        self._is_broken = True  # whatever comes of it, this is no HTTP connection any more
        if tail:
            self._keep(tail)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._is_broken = True
        is_ended_by_close = self.is_upgraded or (
            self._answer is not None and self._answer.until_close and exc is None
        )
        if is_ended_by_close:
            self._complete()
        elif not self.is_complete:
            self._fail(GatewayError("upstream_error", "the service closed the connection"), exc)
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    def pause_writing(self) -> None:
        self.is_writing_paused = True

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    # -- httptools ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise GatewayError("upstream_error")  # a second answer to one request

    def on_status(self, status: bytes) -> None:
        self._reason += status
        self._count(len(status))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        self._fields.append((name, value))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise GatewayError("upstream_error")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            return
        self._answer = read_head(status, self._reason, self._fields, self._method)
        if not self.head.done():
            self.head.set_result(self._answer)
        if not self._answer.has_body and status != 101:
            self._complete()

    def on_body(self, body: bytes) -> None:
        if self.is_complete:
            self._is_broken = True  # bytes behind an answer that has no body
            return
        self._keep(body)

    def on_message_complete(self) -> None:
        if self._answer is None:
            self._take_interim()
        elif self._answer.status != 101:
            self._complete()

    def _take_interim(self) -> None:
        """Forget an interim answer's head; a 100 is told to whoever waits (RFC 9110 15.2)."""
        if self._parser.get_status_code() == 100 and self.on_continue is not None:
            self.on_continue()
            self.on_continue = None
        self._reason = b""
        self._fields = []

    # -- inside ---------------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffered_bytes += len(data)
        is_full = self._buffered_bytes > BUFFER_HIGH_BYTES and not self._is_reading_paused
        if is_full and self._transport is not None:
            self._is_reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def _complete(self) -> None:
        self.is_complete = True
        if not self._parser.should_keep_alive():
            self._is_broken = True
        self._wake()

    def _fail(self, failure: GatewayError, cause: BaseException | None) -> None:
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


def read_head(status: int, reason: bytes, fields: list[Field], method: str | None) -> AnswerHead:
    """Check an answer's framing (RFC 9112 6.3).

    Raises: GatewayError upstream_error when the body's length has two meanings.
    """
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    if len(codings) > 1 or len(lengths) > 1 or (codings and lengths):
        raise GatewayError("upstream_error", "the service's framing is ambiguous")
    if codings and codings[0].strip().lower() != b"chunked":
        raise GatewayError("upstream_error", "the service's transfer coding is unknown")
    if lengths and not lengths[0].strip().isdigit():
        raise GatewayError("upstream_error", "the service's content length is no number")
    return AnswerHead(
        status=status,
        reason=reason.decode("latin-1"),
        fields=fields,
        length=int(lengths[0]) if lengths else None,
        is_chunked=bool(codings),
        has_body=method != "HEAD" and status not in {101, 204, 304},
    )
