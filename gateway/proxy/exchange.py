"""One request's way to its service and back: connect, send, await the head, relay the body.

It holds the rules of retrying and of what a failure becomes before and after the first byte
(design sections 6 and 8). Access has been decided; it decides nothing about it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from aiohttp.streams import StreamReader

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.answers import Written, connection_field, write, write_interim
from gateway.errors import GatewayError
from gateway.observe import Visit
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import LAST_CHUNK, AnswerHead, as_chunk
from gateway.proxy.handshake import check_handshake
from gateway.proxy.head import build_answer, build_interim, build_request
from gateway.proxy.holdups import PATIENCE_S, Slowness, Wait
from gateway.proxy.leg import Launched, Leg
from gateway.proxy.live import DRAINING, OVERLOADED, End, LiveSessions
from gateway.proxy.pool import Pool
from gateway.proxy.relay import Patience, is_event_stream, relay
from gateway.proxy.tunnel import Tunnel, TunnelLimits
from gateway.proxy.upload import BodyLimits, body_limit, check_length, send_body
from gateway.proxy.upstream import Upstream


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Bytes of a request body; seconds of silence in it, and of a client that does not read.

    `body_rate_bytes` a second, averaged over `body_idle_s`, is the least a client may send.
    """

    body_bytes: int = 100 * 1024 * 1024
    body_idle_s: float = 30.0
    write_idle_s: float = 60.0
    body_rate_bytes: int = 1024


class Proxy:
    """Forwards granted requests to their upstreams."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        limits: ProxyLimits,
        live: LiveSessions,
        cookie_name: str | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._limits = limits
        self._live = live
        self._cookie_name = cookie_name

    async def forward(
        self,
        request: web.BaseRequest,
        admitted: Admitted,
        grant: Grant,
        keeps_alive: Callable[[], bool],
        visit: Visit,
        launched: Launched | None = None,
    ) -> Written:
        """Forward one request and relay its answer; `visit` learns of a head when it goes out.

        One that was `launched` is gone on with.
        Raises: GatewayError body_too_large, bad_request, upstream_*, overloaded, target_refused:
        only while no byte of an answer has gone out. ConnectionError: the client got part of one.
        """
        assert grant.route.upstream is not None  # noqa: S101 - `respond` routes end before this
        upstream = self._upstreams[grant.route.upstream]
        check_length(admitted, self._body_limit(grant))
        leg = Leg(request, admitted, grant, upstream, keeps_alive, visit)
        while True:
            try:
                if launched is not None:
                    return await self._go_on(leg, launched)
                return await self._attempt(leg)
            except GatewayError as error:
                if not leg.may_retry(error):
                    raise
                launched = None

    def launch(self, admitted: Admitted, grant: Grant, body: StreamReader) -> Launched | None:
        """Send a request whole, at once, if a connection is at hand; None: nothing was done.

        `body` has come to its end. Raises: GatewayError, as `forward`.
        """
        assert grant.route.upstream is not None  # noqa: S101 - `respond` routes end before this
        upstream = self._upstreams[grant.route.upstream]
        if admitted.content_length:
            check_length(admitted, self._body_limit(grant))
        pool = upstream.choose_calmly()
        if pool is None:
            return None
        host = None if upstream.sends_client_host else pool.address.authority
        head = build_request(admitted, grant, self._cookie_name, host)
        connection = pool.take(admitted.client.address)
        if connection is None:
            return None
        connection.begin(admitted.method)
        if connection.has_failed:
            pool.release(connection)
            return None  # the body is untouched
        connection.write(head + body.read_nowait() if admitted.content_length else head)
        return Launched(upstream, pool, connection)

    def build_whole(self, admitted: Admitted, answer: AnswerHead, body: bytes) -> bytes:
        """Build an answer that has come whole, for a client that speaks HTTP/1.1 and stays."""
        is_chunked = answer.has_body and answer.length is None
        head = build_answer(
            answer, admitted.request_id, self._cookie_name, b"", is_chunked=is_chunked
        )
        if is_chunked:
            return b"%b%b%b" % (head, as_chunk(body), LAST_CHUNK)
        return head + body

    def close(self) -> None:
        """Close all upstream connections."""
        for upstream in self._upstreams.values():
            upstream.close()

    def _body_limit(self, grant: Grant) -> int:
        return body_limit(grant.route, self._limits.body_bytes)

    async def _attempt(self, leg: Leg) -> Written:
        pool = leg.choose()
        # It may refuse: no connection is taken for that.
        head = self._build_head(leg.admitted, leg.grant, leg.upstream, pool)
        connection = await leg.acquire(pool)
        try:
            connection.begin(leg.admitted.method)
            connection.write(head)
            self._start_body(leg, connection)
            return await self._take_answer(leg, connection)
        finally:
            await leg.give_back(pool)

    async def _go_on(self, leg: Leg, launched: Launched) -> Written:
        """Go on with what was sent before there was a task for it."""
        leg.pool, leg.connection = launched.pool, launched.connection
        try:
            return await self._take_answer(leg, launched.connection)
        finally:
            await leg.give_back(launched.pool)

    async def _take_answer(self, leg: Leg, connection: UpstreamConnection) -> Written:
        connection.pass_interims(partial(self._pass_interim, leg))
        answer = await self._await_head(leg, connection)
        if answer.status == 101:
            return await self._upgrade(leg, connection, answer)
        written = await self._relay(leg, connection, answer)
        leg.is_over = leg.is_sent
        return written

    # -- send -----------------------------------------------------------------------------------

    def _build_head(
        self, admitted: Admitted, grant: Grant, upstream: Upstream, pool: Pool
    ) -> bytes:
        host = None if upstream.sends_client_host else pool.address.authority
        return build_request(admitted, grant, self._cookie_name, host)

    def _start_body(self, leg: Leg, connection: UpstreamConnection) -> None:
        if not leg.admitted.has_body:
            return
        if leg.admitted.expects_continue:
            connection.awaits_continue = True
        limits = BodyLimits(
            size_bytes=self._body_limit(leg.grant),
            idle_s=self._limits.body_idle_s,
            stall_s=leg.idle_s(),
            rate_bytes=self._limits.body_rate_bytes,
            wait=Wait(leg.holdup()),
            slowness=Slowness(leg.holdup()),
        )
        pump = send_body(leg.request, leg.admitted, connection, limits)
        leg.pump = asyncio.create_task(pump)
        leg.pump.add_done_callback(lambda pump: _abort_if_broken(pump, connection))

    # -- await the head -------------------------------------------------------------------------

    async def _await_head(self, leg: Leg, connection: UpstreamConnection) -> AnswerHead:
        """Wait for the body to be sent or an early answer, then for the head."""
        head = connection.head
        if leg.pump is not None:
            waited: tuple[asyncio.Future[int], asyncio.Future[AnswerHead]] = (leg.pump, head)
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            has_head = head.done() and head.exception() is None
            if leg.pump.done() and not has_head:
                leg.raise_if_broken()
        first_byte_s = leg.first_byte_s
        try:
            async with asyncio.timeout(first_byte_s):
                return await head
        except TimeoutError:
            raise GatewayError(
                "upstream_timeout", f"the service did not answer in {first_byte_s:g} s"
            ) from None

    def _pass_interim(self, leg: Leg, interim: AnswerHead) -> None:
        """Pass an interim answer on; an HTTP/1.0 client knows none (RFC 9110 15.2)."""
        if leg.admitted.version >= (1, 1):
            write_interim(leg.request, build_interim(interim, self._cookie_name))

    # -- relay ----------------------------------------------------------------------------------

    async def _relay(self, leg: Leg, connection: UpstreamConnection, answer: AnswerHead) -> Written:
        """Write the answer as it comes; from here on, a failure cuts the client off."""
        is_chunked = answer.has_body and answer.length is None and leg.admitted.version >= (1, 1)
        is_bounded = answer.length is not None or is_chunked or not answer.has_body
        keep_alive = is_bounded and leg.keeps_alive()
        field = connection_field(leg.request, keep_alive=keep_alive).encode()
        head = build_answer(
            answer, leg.admitted.request_id, self._cookie_name, field, is_chunked=is_chunked
        )
        leg.note_head(answer, head)
        leave = self._follow(leg) if is_event_stream(answer) else None
        try:
            sent_bytes = await relay(
                leg.request,
                connection,
                head,
                Patience(leg.idle_s(answer), self._limits.write_idle_s, Wait(leg.holdup())),
                has_body=answer.has_body,
                is_chunked=is_chunked,
            )
        except (GatewayError, TimeoutError) as error:
            raise ConnectionAbortedError("the answer was cut off") from error
        finally:
            if leave is not None:
                leave()
        return Written(answer.status, keep_alive=keep_alive, sent_bytes=sent_bytes)

    def _follow(self, leg: Leg) -> Callable[[], None]:
        """Cut an event stream off when its session ends; when draining it may go on to its end."""

        def end(reason: str) -> None:
            if reason != DRAINING:
                leg.cut_off(reason)

        return self._stay(leg, end)

    def _stay(self, leg: Leg, end: End) -> Callable[[], None]:
        """Follow the session of what lasts as long as its client likes; return how to leave.

        Its place may be wanted by others meanwhile: then it ends, too.
        """
        wait = Wait(leg.holdup())
        wait.holdup.give_up = partial(end, OVERLOADED)
        leave = self._live.follow(leg.grant.session, end)
        wait.begin(PATIENCE_S)  # it counts from its beginning

        def stop() -> None:
            wait.end()
            leave()

        return stop

    # -- upgrade --------------------------------------------------------------------------------

    async def _upgrade(
        self, leg: Leg, connection: UpstreamConnection, answer: AnswerHead
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
        leg.note_head(answer, head)
        write(leg.request, head)
        limits = TunnelLimits(leg.stream_idle_s, self._limits.write_idle_s)
        tunnel = Tunnel(leg.request, connection, limits)
        leave = self._stay(leg, tunnel.end)
        try:
            sent_bytes = await tunnel.run()
        finally:
            leave()
            leg.visit.error = tunnel.reason
        return Written(101, keep_alive=False, sent_bytes=sent_bytes)


def _abort_if_broken(pump: asyncio.Task[int], connection: UpstreamConnection) -> None:
    """A service that got half a body must not think it whole, nor keep an answer waiting."""
    if not pump.cancelled() and pump.exception() is not None:
        connection.abort()
