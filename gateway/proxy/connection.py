"""One connection to an upstream target: sends bytes, reads one answer at a time.

It knows HTTP/1.1 answers (RFC 9112), no client and no retry rule. Whatever ended early or out of
step makes the connection unusable for good: it is closed, never pooled.
"""

import asyncio
from collections.abc import Callable

import httptools

from gateway.errors import GatewayError
from gateway.headers import Field
from gateway.proxy.framing import MAX_HEAD_BYTES, AnswerHead, read_answer_head
from gateway.proxy.inbox import Inbox
from gateway.proxy.target_socket import TargetSocket

_CLOSED = "the service closed the connection"
_VERSIONS = frozenset({"1.1", "1.0"})
"""The parser takes others, which have no such answers (RFC 9112 2.3)."""


class UpstreamConnection(TargetSocket):
    """An asyncio protocol that reads answers; made by the pool, used by one exchange at a time.

    `is_broken` says that it ended, or fell out of step: what can happen to one that is idle.
    `on_continue` is told when what `awaits_continue` has come; whoever sets that sets this, too.
    `client` and `idle_since_s` are the pool's: whose exchange it is, and when the last one ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._parser = httptools.HttpResponseParser(self)
        self._inbox = Inbox(self._stop_reading, self._resume_reading)
        self.is_broken = False
        self._method: str | None = None
        self.early: list[AnswerHead] = []
        self.idle_since_s = 0.0
        self.client = ""
        self.on_continue: Callable[[], None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._reason = b""
        self._fields: list[Field] = []
        self._quiet_bytes = 0
        self.answer: AnswerHead | None = None
        self._head: asyncio.Future[AnswerHead] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.is_complete = self.is_upgraded = False
        self.has_received = self.has_sent = self.awaits_continue = False
        self._pass_interim: Callable[[AnswerHead], None] | None = None
        self.on_news: Callable[[], None] | None = None

    # -- one exchange ---------------------------------------------------------------------------

    def begin(self, method: str) -> None:
        """Get ready for one request and its answer; a connection lost by now fails at once."""
        self._reset()
        self._method = method
        if self.is_broken or self._transport is None or self._transport.is_closing():
            self._fail(_broken(_CLOSED), None)

    @property
    def head(self) -> asyncio.Future[AnswerHead]:
        """The answer's head, or the failure that came before it; made when first asked for."""
        if self._head is None:
            self._head = self._loop.create_future()
            self._settle()
        return self._head

    def _settle(self) -> None:
        head = self._head
        if head is None or head.done():
            return
        if self.answer is not None:
            head.set_result(self.answer)
        elif self._failure is not None:
            head.set_exception(self._failure)
            head.exception()  # retrieved: an exchange that was cancelled never asks

    def pass_interims(self, pass_on: Callable[[AnswerHead], None]) -> None:
        """Pass interim answers on as they come, those first that came `early` (RFC 9110 15.2)."""
        self._pass_interim = pass_on
        while self.early:
            pass_on(self.early.pop(0))

    @property
    def has_failed(self) -> bool:
        """Whether the answer cannot come to its end."""
        return self._failure is not None

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
        if self._inbox.chunks:
            return self._inbox.take()
        if self._failure is not None:
            raise self._failure
        return None

    def end(self) -> bool:
        """End the exchange; False: the connection is out of step, or has ended too."""
        transport = self._transport
        is_over = self.is_complete or self._method is None
        if self.is_broken or transport is None or self._inbox.chunks or not is_over:
            return False
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        self._method = None
        return True

    def abort(self) -> None:
        """Close at once; nothing half-read is kept."""
        self.is_broken = True
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol -----------------------------------------------------------------------

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
            self.is_upgraded = self.is_broken = True  # this is no HTTP connection any more
            self._keep(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            ours = error.__context__  # what a callback below raised; it says more
            self._fail(ours if isinstance(ours, GatewayError) else _broken(), error)
        else:
            self._after_feed()
        if self.on_news is not None:
            self.on_news()

    def _after_feed(self) -> None:
        if self.is_complete:
            if self.answer is not None and not self.answer.has_body:
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
        is_clean = exc is None and not self.is_broken
        self.is_broken = True
        is_until_close = self.answer is not None and self.answer.until_close
        if self.is_upgraded or (is_until_close and is_clean):
            self._complete()
        elif not self.is_complete:
            self._fail(_broken(_CLOSED), exc)
        if self.on_news is not None:
            self.on_news()

    # -- httptools ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:  # half a head behind the answer would begin the next one (T18)
            self.is_broken = True

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.answer is None:  # else a trailer, which is no header and goes no further
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_complete or self._parser.get_http_version() not in _VERSIONS:
            raise _broken()  # a second answer to one request, or none of HTTP/1
        status = self._parser.get_status_code()
        head = read_answer_head(self._method, status, self._reason, self._fields, self._quiet_bytes)
        if status < 200 and status != 101:
            self._take_interim(head)
            return
        self.answer = head
        self._settle()
        if not head.has_body and status != 101:
            self._complete()

    def on_body(self, body: bytes) -> None:
        self._quiet_bytes = 0
        if self.is_complete:
            self.is_broken = True  # bytes behind an answer that has no body
            return
        self._inbox.put(body)
        if self._reader is not None:
            self._wake()

    def on_message_complete(self) -> None:
        if self.answer is not None and self.answer.status != 101:
            self._complete()

    def _take_interim(self, interim: AnswerHead) -> None:
        """Pass an interim answer on, or keep it until there is somebody who does."""
        self._reason, self._fields = b"", []
        if interim.status == 100 and self.awaits_continue:
            self.awaits_continue = False
            if self.on_continue is not None:
                self.on_continue()
        self.early.append(interim)
        if self._pass_interim is not None:
            self.pass_interims(self._pass_interim)
        elif self.on_news is not None:
            self.on_news()

    # -- inside ---------------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        if data:
            self._inbox.put(data)
            self._wake()

    def _complete(self) -> None:
        self.is_complete = True
        if not self._parser.should_keep_alive():
            self.is_broken = True
        self._wake()

    def _fail(self, failure: GatewayError, cause: BaseException | None) -> None:
        """Break the connection; a whole answer stays whole, whatever came behind it."""
        if not self.is_complete and self._failure is None:
            failure.__cause__ = cause
            self._failure = failure
            self._settle()
            self._wake()
        self.abort()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _broken(detail: str = "the service's answer is malformed") -> GatewayError:
    return GatewayError("upstream_error", detail)
