"""One request's way to its service and back: connect, send, await the head, relay the body.

It holds the rules of retrying and of what a failure becomes before and after the first byte
(design sections 6 and 8). Access has been decided; it decides nothing about it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.answers import Written, connection_field, write, write_continue
from gateway.errors import GatewayError
from gateway.observe import Visit
from gateway.proxy.connection import AnswerHead, UpstreamConnection
from gateway.proxy.head import build_answer, build_request
from gateway.proxy.pool import Pool
from gateway.proxy.relay import Patience, is_event_stream, relay
from gateway.proxy.tunnel import check_handshake, tunnel
from gateway.proxy.upload import BodyError, BodyLimits, body_limit, check_length, send_body
from gateway.proxy.upstream import Upstream

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Sent again when no answer byte came (RFC 9110 9.2.2; design section 8)."""


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Bytes of a request body; seconds of silence in it, and of a client that does not read.

    `body_rate_bytes` a second, averaged over `body_idle_s`, is the least a client may send.
    """

    body_bytes: int = 100 * 1024 * 1024
    body_idle_s: float = 30.0
    write_idle_s: float = 60.0
    body_rate_bytes: int = 1024


@dataclass(slots=True)
class _Leg:
    """What one exchange holds: both sides and how far it has come.

    `keeps_alive` is asked when the head goes out: draining may have begun meanwhile.
    """

    request: web.BaseRequest
    admitted: Admitted
    grant: Grant
    upstream: Upstream
    keeps_alive: Callable[[], bool]
    visit: Visit
    tried: list[Pool] = field(default_factory=list)
    connection: UpstreamConnection | None = None
    pump: asyncio.Task[int] | None = None
    has_answered: bool = False
    is_over: bool = False


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
        self,
        request: web.BaseRequest,
        admitted: Admitted,
        grant: Grant,
        keeps_alive: Callable[[], bool],
        visit: Visit,
    ) -> Written:
        """Forward one request and relay its answer; `visit` learns of a head when it goes out.

        Raises: GatewayError body_too_large, bad_request, upstream_*, overloaded, target_refused:
        only while no byte of an answer has gone out. ConnectionError: the client got part of one.
        """
        assert grant.route.upstream is not None  # noqa: S101 - `respond` routes end before this
        upstream = self._upstreams[grant.route.upstream]
        check_length(admitted, self._body_limit(grant))
        leg = _Leg(request, admitted, grant, upstream, keeps_alive, visit)
        while True:
            try:
                return await self._attempt(leg)
            except GatewayError as error:
                if not _may_retry(leg, error):
                    raise

    def close(self) -> None:
        """Close all upstream connections."""
        for upstream in self._upstreams.values():
            upstream.close()

    def _body_limit(self, grant: Grant) -> int:
        return body_limit(grant.route, self._limits.body_bytes)

    async def _attempt(self, leg: _Leg) -> Written:
        pool = leg.upstream.choose(leg.tried)
        head = self._build_head(leg, pool)  # may refuse: no connection is taken for that
        is_first = not leg.tried
        leg.tried.append(pool)
        leg.connection = None
        connection = leg.connection = await leg.upstream.acquire(pool, fresh=not is_first)
        try:
            return await self._exchange(leg, connection, head)
        finally:
            await _give_back(leg, connection, pool)

    async def _exchange(self, leg: _Leg, connection: UpstreamConnection, head: bytes) -> Written:
        connection.begin(leg.admitted.method)
        connection.write(head)
        self._start_body(leg, connection)
        answer = await self._await_head(leg, connection)
        if answer.status == 101:
            return await self._upgrade(leg, connection, answer)
        written = await self._relay(leg, connection, answer)
        leg.is_over = _is_sent(leg.pump)
        return written

    # -- send -----------------------------------------------------------------------------------

    def _build_head(self, leg: _Leg, pool: Pool) -> bytes:
        host = None if leg.upstream.sends_client_host else pool.address.authority
        return build_request(leg.admitted, leg.grant, self._cookie_name, host).encode()

    def _start_body(self, leg: _Leg, connection: UpstreamConnection) -> None:
        if not leg.admitted.has_body:
            return
        if leg.admitted.expects_continue:
            connection.on_continue = lambda: write_continue(leg.request)
        limits = BodyLimits(
            size_bytes=self._body_limit(leg.grant),
            idle_s=self._limits.body_idle_s,
            stall_s=_idle_s(leg),
            rate_bytes=self._limits.body_rate_bytes,
        )
        pump = send_body(leg.request, leg.admitted, connection, limits)
        leg.pump = asyncio.create_task(pump)
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
        """Write the answer as it comes; from here on, a failure cuts the client off."""
        is_chunked = answer.has_body and answer.length is None and leg.admitted.version >= (1, 1)
        is_bounded = answer.length is not None or is_chunked or not answer.has_body
        keep_alive = is_bounded and leg.keeps_alive()
        field = connection_field(leg.request, keep_alive=keep_alive).encode()
        head = build_answer(
            answer, leg.admitted.request_id, self._cookie_name, field, is_chunked=is_chunked
        )
        _note_head(leg, answer, head)
        try:
            sent_bytes = await relay(
                leg.request,
                connection,
                head,
                Patience(_idle_s(leg, answer), self._limits.write_idle_s),
                has_body=answer.has_body,
                is_chunked=is_chunked,
            )
        except (GatewayError, TimeoutError) as error:
            raise ConnectionAbortedError("the answer was cut off") from error
        return Written(answer.status, keep_alive=keep_alive, sent_bytes=sent_bytes)

    # -- upgrade --------------------------------------------------------------------------------

    async def _upgrade(
        self, leg: _Leg, connection: UpstreamConnection, answer: AnswerHead
    ) -> Written:
        """Pass a validated 101 on, then bytes both ways until one side ends."""
        check_handshake(leg.admitted, answer)
        head = build_answer(
            answer,
            leg.admitted.request_id,
            self._cookie_name,
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
            is_chunked=False,
        )
        _note_head(leg, answer, head)
        write(leg.request, head)
        sent_bytes = await tunnel(leg.request, connection, _stream_idle_s(leg))
        return Written(101, keep_alive=False, sent_bytes=sent_bytes)


def _note_head(leg: _Leg, answer: AnswerHead, head: bytes) -> None:
    """From here on the client has an answer: it is logged as such, and a failure cuts it off."""
    leg.has_answered = True
    leg.visit.status, leg.visit.head_bytes = answer.status, len(head)


def _stream_idle_s(leg: _Leg) -> float:
    return leg.grant.route.stream_idle_s or leg.upstream.timeouts.stream_idle_s


def _idle_s(leg: _Leg, answer: AnswerHead | None = None) -> float:
    if answer is not None and is_event_stream(answer):
        return _stream_idle_s(leg)
    return leg.grant.route.idle_s or leg.upstream.timeouts.idle_s


def _may_retry(leg: _Leg, error: GatewayError) -> bool:
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


def _is_sent(pump: asyncio.Task[int] | None) -> bool:
    """Tell whether the whole body went out: only then is the connection in step."""
    if pump is None:
        return True
    return pump.done() and not pump.cancelled() and pump.exception() is None


async def _give_back(leg: _Leg, connection: UpstreamConnection, pool: Pool) -> None:
    """Return the connection, closed if anything is left open, also when we are cancelled here."""
    try:
        await _stop(leg)
    finally:
        if not leg.is_over:
            connection.abort()
        pool.release(connection)


async def _stop(leg: _Leg) -> None:
    """End the body pump before the handler returns: aiohttp's body stream is this request's."""
    pump, leg.pump = leg.pump, None
    if pump is not None and not pump.done():
        pump.cancel()
        await asyncio.wait({pump})
