"""The public listener: every request is admitted, then answered here or by the proxy, then logged.

The order of `_answer` is the path of a request (docs/request.md).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Protocol, cast

from aiohttp import web

from gateway.access import Access, Grant, RouteForbiddenError
from gateway.access_log import AccessLog
from gateway.admission import AdmissionLimits, Admitted, RawRequest, admit
from gateway.answers import Written, cut_off, drain, write_answer
from gateway.clients import Trust
from gateway.clock import Clock
from gateway.endpoints.table import Endpoints
from gateway.errors import Answer, GatewayError, render
from gateway.metrics.counts import Counts
from gateway.observe import CLIENT_CLOSED, Visit
from gateway.protocol import GatewayProtocol, peer_address
from gateway.proxy.exchange import Proxy
from gateway.proxy.leg import Launched
from gateway.routing import Route
from gateway.sessions.model import Session

logger = logging.getLogger(__name__)


class Flight(Protocol):
    """A request that the fast path has sent on."""

    visit: Visit
    admitted: Admitted
    grant: Grant
    launched: Launched
    is_written: bool
    """Its answer went out whole, but the client has not taken it."""


@dataclass(frozen=True, slots=True)
class EntryParts:
    """What the entry works with; `new_request_id` makes the id of each request.

    `write_idle_s` is how long a client may take nothing of an answer.
    """

    access: Access
    proxy: Proxy
    endpoints: Endpoints
    trust: Trust
    limits: AdmissionLimits
    clock: Clock
    new_request_id: Callable[[], str]
    log: AccessLog | None
    counts: Counts
    write_idle_s: float = 60.0


class Entry:
    """Handles requests of the public listener."""

    def __init__(self, parts: EntryParts) -> None:
        self._parts = parts
        self.is_draining = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever goes wrong becomes an answer or ends the connection."""
        protocol = request.protocol
        flight: Flight | None = None
        if isinstance(protocol, GatewayProtocol):
            flight = cast("Flight | None", protocol.claim())  # it began in our own fast path
        visit = self._begin(request) if flight is None else flight.visit
        try:
            written = await self._answer_or_refuse(request, visit, flight)
            visit.status, visit.sent_bytes = written.status, written.sent_bytes
            await drain(request, self._parts.write_idle_s)
            return written
        except (asyncio.CancelledError, ConnectionError, TimeoutError) as error:
            visit.status = visit.status or CLIENT_CLOSED
            visit.sent_bytes = max(0, request.writer.output_size - visit.head_bytes)
            visit.error = visit.error or self._why(error)
            cut_off(request)
            raise
        finally:
            self.record(visit)

    def _why(self, error: BaseException) -> str:
        return "answer_cut_off" if isinstance(error, ConnectionAbortedError) else self.why_gone

    @property
    def why_gone(self) -> str:
        """Why a client that has gone has gone, for the log."""
        return "cut_off_at_shutdown" if self.is_draining else "client_gone"

    def refuse_unparsed(self, request: web.BaseRequest, error: GatewayError) -> Written:
        """Answer bytes that never became a request, and log it."""
        visit = self._begin(request)
        visit.method = visit.path = "-"
        written = self._refuse(request, visit, error, keep_alive=False)
        visit.status, visit.sent_bytes = written.status, written.sent_bytes
        self.record(visit)
        return written

    # -- the path of a request ------------------------------------------------------------------

    async def _answer_or_refuse(
        self, request: web.BaseRequest, visit: Visit, flight: Flight | None
    ) -> Written:
        try:
            admitted = self._admit(request, visit) if flight is None else flight.admitted
        except GatewayError as error:
            return self._refuse(request, visit, error, keep_alive=False)
        try:
            if flight is not None:
                return await self._go_on(request, visit, flight)
            return await self._answer(request, admitted, visit)
        except GatewayError as error:
            if isinstance(error, RouteForbiddenError):
                _note_session(visit, error.session)
            keep_alive = self._keeps_alive(request, admitted)
            return self._refuse(request, visit, error, keep_alive=keep_alive)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("request %s failed", visit.request_id)
            failure = GatewayError("internal_error", "the gateway failed; its log says more")
            return self._refuse(request, visit, failure, keep_alive=False)

    def _admit(self, request: web.BaseRequest, visit: Visit) -> Admitted:
        raw = RawRequest(
            method=request.method,
            target=request.raw_path,
            version=request.version,
            fields=request.raw_headers,
            peer=peer_address(request.transport),
            scheme=request.scheme,
        )
        admitted = admit(raw, visit.request_id, self._parts.trust, self._parts.limits)
        visit.request_id = admitted.request_id
        visit.client = admitted.client.address or "-"
        visit.path = admitted.target.raw
        return admitted

    async def _answer(self, request: web.BaseRequest, admitted: Admitted, visit: Visit) -> Written:
        keeps_alive = partial(self._keeps_alive, request, admitted)
        found = self._parts.endpoints.find(admitted.host, admitted.target)
        if found is not None:
            visit.route = found.name
            answer = await self._parts.endpoints.answer(found, request, admitted, visit)
            return write_answer(request, answer, keep_alive=keeps_alive())
        grant = await self._parts.access.decide(admitted, partial(_note_route, visit))
        _note_grant(visit, grant)
        if grant.route.respond is not None:
            answer = _identified(grant.route.respond, admitted.request_id)
            return write_answer(request, answer, keep_alive=keeps_alive())
        return await self._parts.proxy.forward(request, admitted, grant, keeps_alive, visit)

    async def _go_on(self, request: web.BaseRequest, visit: Visit, flight: Flight) -> Written:
        """Go on with what the fast path has sent."""
        admitted = flight.admitted
        keeps_alive = partial(self._keeps_alive, request, admitted)
        if flight.is_written:
            request.writer.output_size += visit.head_bytes + visit.sent_bytes
            return Written(visit.status, keep_alive=keeps_alive(), sent_bytes=visit.sent_bytes)
        return await self._parts.proxy.forward(
            request, admitted, flight.grant, keeps_alive, visit, flight.launched
        )

    # -- refuse, record -------------------------------------------------------------------------

    def _refuse(
        self, request: web.BaseRequest, visit: Visit, error: GatewayError, *, keep_alive: bool
    ) -> Written:
        visit.error, visit.detail = error.code, error.detail or None
        visit.platform_code = error.platform_code
        if request.writer.output_size > 0:
            cut_off(request)
            raise ConnectionAbortedError("an answer was under way")
        return write_answer(request, render(error, visit.request_id), keep_alive=keep_alive)

    def _keeps_alive(self, request: web.BaseRequest, admitted: Admitted) -> bool:
        """Tell whether a next request may follow, as things stand now.

        The rest of a body would be taken for it; behind a refused upgrade may stand anything.
        """
        is_in_step = request.content.is_eof() and not admitted.is_websocket
        return request.keep_alive and is_in_step and not self.is_draining

    def _begin(self, request: web.BaseRequest) -> Visit:
        return Visit(
            started_at=self._parts.clock(),
            began_s=perf_counter(),
            request_id=self._parts.new_request_id(),
            method=request.method,
            path=request.raw_path.partition("?")[0],
            client=peer_address(request.transport) or "-",
        )

    def visit(self, admitted: Admitted, grant: Grant, began_s: float) -> Visit:
        """Begin the record of a request that was granted before it was known here."""
        session = grant.session
        return Visit(
            self._parts.clock(),
            began_s,
            admitted.request_id,
            admitted.method,
            admitted.target.raw,
            grant.route.name,
            admitted.client.address or "-",
            grant.route.upstream,
            None if session is None else session.platform,
            None if session is None else session.app,
            None if session is None else session.trace,
        )

    def record(self, visit: Visit) -> None:
        """Count and log a request that has ended."""
        visit.ended_s = perf_counter()  # the loop's own time stands still within a turn
        parts = self._parts
        parts.counts.record(visit)
        if parts.log is not None:
            parts.log.write(visit)


def _note_grant(visit: Visit, grant: Grant) -> None:
    visit.upstream = grant.route.upstream
    if grant.session is not None:
        _note_session(visit, grant.session)


def _note_session(visit: Visit, session: Session) -> None:
    visit.platform = session.platform
    visit.app = session.app
    visit.subject = session.trace


def _note_route(visit: Visit, route: Route) -> None:
    visit.route = route.name


def _identified(answer: Answer, request_id: str) -> Answer:
    return Answer(answer.status, (*answer.headers, ("X-Request-Id", request_id)), answer.body)
