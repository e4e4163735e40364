"""One request's way to its service and back: connect, send, await the head, relay the body.

It holds the rules of retrying and of what a failure becomes before and after the first byte
(design sections 6 and 8). Access has been decided; it decides nothing about it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.answers import Written, connection_field, write, write_continue
from gateway.errors import GatewayError
from gateway.proxy.connection import AnswerHead, UpstreamConnection
from gateway.proxy.head import build_answer, build_request
from gateway.proxy.pool import Pool
from gateway.proxy.tunnel import check_handshake, tunnel
from gateway.proxy.upload import LAST_CHUNK, BodyError, body_limit, check_length, send_body
from gateway.proxy.upstream import Upstream

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Sent again when no answer byte came (RFC 9110 9.2.2; design section 8)."""


WRITE_BYTES = 64 * 1024
"""Pieces gathered into one write before it goes out."""


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Bytes of a request body; seconds of silence in it, and of a client that does not read."""

    body_bytes: int = 100 * 1024 * 1024
    body_idle_s: float = 30.0
    write_idle_s: float = 60.0


@dataclass(slots=True)
class _Leg:
    """What one exchange holds: both sides and how far it has come."""

    request: web.BaseRequest
    admitted: Admitted
    grant: Grant
    upstream: Upstream
    keep_alive: bool
    tried: list[Pool] = field(default_factory=list)
    connection: UpstreamConnection | None = None
    pump: asyncio.Task[int] | None = None
    has_answered: bool = False


class Proxy:
    """Forwards granted requests to their upstreams."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        limits: ProxyLimits,
        cookie_name: str | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._limits = limits
        self._cookie_name = cookie_name

    async def forward(
        self, request: web.BaseRequest, admitted: Admitted, grant: Grant, *, keep_alive: bool
    ) -> Written:
        """Forward one request and relay its answer.

        Raises: GatewayError body_too_large, bad_request, upstream_*, overloaded, target_refused:
        only while no byte of an answer has gone out. ConnectionError: the client got part of one.
        """
        assert grant.route.upstream is not None  # noqa: S101 - `respond` routes end before this
        upstream = self._upstreams[grant.route.upstream]
        check_length(admitted, self._body_limit(grant))
        leg = _Leg(request, admitted, grant, upstream, keep_alive)
        while True:
            try:
                return await self._attempt(leg)
            except GatewayError as error:
                if not self._may_retry(leg, error):
                    raise

    def close(self) -> None:
        """Close all upstream connections."""
        for upstream in self._upstreams.values():
            upstream.close()

    def _body_limit(self, grant: Grant) -> int:
        return body_limit(grant.route, self._limits.body_bytes)

    def _may_retry(self, leg: _Leg, error: GatewayError) -> bool:
        """Decide the rule of design section 8: nothing sent, or repeatable and no answer byte."""
        if len(leg.tried) > leg.upstream.retries or leg.has_answered:
            return False
        if error.code == "upstream_unavailable":
            return True
        connection = leg.connection
        is_repeatable = leg.admitted.method in REPEATABLE and not leg.admitted.has_body
        return (
            error.code == "upstream_error"
            and connection is not None
            and not connection.has_received
            and (is_repeatable or not connection.has_sent)
        )

    async def _attempt(self, leg: _Leg) -> Written:
        pool = leg.upstream.choose(leg.tried)
        leg.tried.append(pool)
        connection = leg.connection = await leg.upstream.acquire(pool)
        is_over = False
        try:
            self._send_head(leg, connection, pool)
            self._start_body(leg, connection)
            answer = await self._await_head(leg, connection)
            if answer.status == 101:
                return await self._upgrade(leg, connection, answer)
            written = await self._relay(leg, connection, answer)
            is_over = leg.pump is None or leg.pump.done()
            return written
        finally:
            # The pump ends before the handler returns: aiohttp's body stream is this request's.
            await _stop(leg)
            if not is_over:
                connection.abort()
            pool.release(connection)

    # -- send -----------------------------------------------------------------------------------

    def _send_head(self, leg: _Leg, connection: UpstreamConnection, pool: Pool) -> None:
        host = None if leg.upstream.sends_client_host else pool.address.authority
        outgoing = build_request(leg.admitted, leg.grant, self._cookie_name, host)
        connection.begin(leg.admitted.method)
        connection.write(outgoing.encode())

    def _start_body(self, leg: _Leg, connection: UpstreamConnection) -> None:
        if not leg.admitted.has_body:
            return
        if leg.admitted.expects_continue:
            connection.on_continue = lambda: write_continue(leg.request)
        leg.pump = asyncio.create_task(
            send_body(
                leg.request,
                leg.admitted,
                connection,
                limit_bytes=self._body_limit(leg.grant),
                idle_s=self._limits.body_idle_s,
                stall_s=leg.upstream.timeouts.idle_s,
            )
        )
        leg.pump.add_done_callback(lambda pump: _abort_if_broken(pump, connection))

    # -- await the head -------------------------------------------------------------------------

    async def _await_head(self, leg: _Leg, connection: UpstreamConnection) -> AnswerHead:
        """Wait for the body to be sent or an early answer, then for the head."""
        head = connection.head
        if leg.pump is not None:
            waited: tuple[asyncio.Future[int], asyncio.Future[AnswerHead]] = (leg.pump, head)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            has_head = head.done() and head.exception() is None
            if leg.pump.done() and not has_head:
                _raise_broken(leg.pump)
        first_byte_s = leg.grant.route.first_byte_s or leg.upstream.timeouts.first_byte_s
        try:
            async with asyncio.timeout(first_byte_s):
                return await head
        except TimeoutError:
            raise GatewayError(
                "upstream_timeout", f"the service did not answer in {first_byte_s:g} s"
            ) from None

    # -- relay ----------------------------------------------------------------------------------

    async def _relay(
        self, leg: _Leg, connection: UpstreamConnection, answer: AnswerHead
    ) -> Written:
        """Write the answer as it comes; from the first byte on, a failure cuts the client off."""
        is_http11 = leg.admitted.version >= (1, 1)
        is_chunked = answer.has_body and answer.length is None and is_http11
        keep_alive = (
            leg.keep_alive
            and (leg.pump is None or leg.pump.done())  # the rest of a body would be misread
            and (answer.length is not None or is_chunked or not answer.has_body)
        )
        head = build_answer(
            answer,
            leg.admitted.request_id,
            self._cookie_name,
            connection_field(leg.request, keep_alive=keep_alive).encode(),
            is_chunked=is_chunked,
        )
        leg.has_answered = True
        try:
            sent_bytes = await self._relay_body(leg, connection, answer, head, is_chunked)
        except (GatewayError, TimeoutError) as error:
            if leg.request.transport is not None:
                leg.request.transport.abort()
            raise ConnectionAbortedError("the answer was cut off") from error
        return Written(answer.status, keep_alive=keep_alive, sent_bytes=sent_bytes)

    async def _relay_body(
        self,
        leg: _Leg,
        connection: UpstreamConnection,
        answer: AnswerHead,
        pending: bytes,
        is_chunked: bool,
    ) -> int:
        """Relay until the end; `pending` is what is not written yet: the head, to begin with."""
        idle_s = self._idle_s(leg, answer)
        sent_bytes = 0
        while answer.has_body:
            if not connection.has_news:
                await self._write(leg, pending)
                pending = b""
                async with asyncio.timeout(idle_s):
                    await connection.wait()
            data = connection.take_or_fail()
            if data is None:
                break
            sent_bytes += len(data)
            pending += b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data
            if len(pending) > WRITE_BYTES:
                await self._write(leg, pending)
                pending = b""
        await self._write(leg, pending + LAST_CHUNK if is_chunked else pending)
        return sent_bytes

    def _idle_s(self, leg: _Leg, answer: AnswerHead) -> float:
        route, timeouts = leg.grant.route, leg.upstream.timeouts
        is_stream = any(
            name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
            for name, value in answer.fields
        )
        if is_stream:
            return route.stream_idle_s or timeouts.stream_idle_s
        return route.idle_s or timeouts.idle_s

    async def _write(self, leg: _Leg, data: bytes) -> None:
        """Write to the client; wait at most `write_idle_s` for one that does not read."""
        if data:
            write(leg.request, data)
        if leg.request.protocol.writing_paused:
            async with asyncio.timeout(self._limits.write_idle_s):
                await leg.request.writer.drain()

    # -- upgrade --------------------------------------------------------------------------------

    async def _upgrade(
        self, leg: _Leg, connection: UpstreamConnection, answer: AnswerHead
    ) -> Written:
        """Pass a validated 101 on, then bytes both ways until one side ends."""
        check_handshake(leg.admitted, answer)
        leg.has_answered = True
        head = build_answer(
            answer,
            leg.admitted.request_id,
            self._cookie_name,
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
            is_chunked=False,
        )
        write(leg.request, head)
        idle_s = leg.grant.route.stream_idle_s or leg.upstream.timeouts.stream_idle_s
        sent_bytes = await tunnel(leg.request, connection, idle_s)
        return Written(101, keep_alive=False, sent_bytes=sent_bytes)


def _raise_broken(pump: asyncio.Task[int]) -> None:
    """Raise what to answer when the body could not be sent."""
    try:
        pump.result()
    except BodyError as broken:
        raise broken.error from broken


def _abort_if_broken(pump: asyncio.Task[int], connection: UpstreamConnection) -> None:
    """A service that got half a body must not think it whole, nor keep an answer waiting."""
    if not pump.cancelled() and pump.exception() is not None:
        connection.abort()


async def _stop(leg: _Leg) -> None:
    """End the body pump; what it still had to say is of no use any more."""
    pump, leg.pump = leg.pump, None
    if pump is None:
        return
    pump.cancel()
    await asyncio.wait({pump})
    if not pump.cancelled():
        pump.exception()
