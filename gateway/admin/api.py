"""Health, metrics and the admin API (design section 12). Never public.

Decides who may call, and what a refusal looks like. What calls do is `calls`' to say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.admin.audit import RECORD, Record
from gateway.admin.calls import FILTERS, SessionCalls
from gateway.admin.subjects import SUBJECT_FIELDS, check_names
from gateway.admin.tokens import AdminTokens
from gateway.answers import Written, write_answer
from gateway.errors import GatewayError, render
from gateway.metrics.source import MetricsSource
from gateway.sessions.token import is_session_key

logger = logging.getLogger(__name__)
MAX_BODY_BYTES = 16 * 1024
METRICS_S = 8.0
"""Prometheus gives up after 10 s; an answer of ours says more than none."""

_NONE: frozenset[str] = frozenset()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Guarded = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where `/metrics` is read, whether it asks for a token, and how many seconds it may take."""

    source: MetricsSource
    is_open: bool = True
    within_s: float = METRICS_S


class AdminApi:
    """Answers the admin listener's requests; without `metrics` there is no `/metrics`."""

    def __init__(
        self,
        calls: SessionCalls,
        tokens: AdminTokens,
        new_request_id: Callable[[], str],
        is_draining: Callable[[], bool],
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self._calls = calls
        self._tokens = tokens
        self._new_request_id = new_request_id
        self._is_draining = is_draining
        self._metrics = metrics

    def build(self) -> web.Application:
        """Build the application that serves health and the API; `guard` goes around it."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.on_response_prepare.append(_finish)
        router = application.router
        router.add_get("/healthz", self._alive)
        router.add_get("/readyz", self._ready)
        if self._metrics is not None:
            router.add_get("/metrics", self._metrics_handler(self._metrics))
        self._add_calls(router)
        return application

    def _add_calls(self, router: web.UrlDispatcher) -> None:
        calls = self._calls
        for method, path, scope, handler, parameters in (
            ("GET", "sessions", "read", calls.list_sessions, FILTERS),
            ("DELETE", "sessions/{id}", "revoke", calls.end, _NONE),
            ("POST", "subjects/revoke", "revoke", calls.end_subject, _NONE),
            ("GET", "subjects/block", "read", calls.show_block, SUBJECT_FIELDS),
            ("POST", "subjects/block", "revoke", calls.block, _NONE),
            ("POST", "subjects/unblock", "revoke", calls.unblock, _NONE),
        ):
            guarded = self._scoped(scope, handler, parameters)
            router.add_route(method, f"/api/{path}", guarded)
            if method == "GET":  # HEAD is GET without its body (RFC 9110 9.3.2)
                router.add_route("HEAD", f"/api/{path}", guarded)

    # -- health ---------------------------------------------------------------------------------

    async def _alive(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler
        return web.json_response({"status": "alive"})

    async def _ready(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler
        if self._is_draining():
            return web.json_response({"status": "draining"}, status=503)
        await self._calls.check_ready()
        return web.json_response({"status": "ready"})

    # -- metrics --------------------------------------------------------------------------------

    def _metrics_handler(self, metrics: Metrics) -> Handler:
        """Build what answers scrapes; they come every few seconds, so only refusals are audited."""

        async def handle(request: web.Request) -> web.StreamResponse:
            accept = ", ".join(request.headers.getall("Accept", ()))
            try:
                async with asyncio.timeout(metrics.within_s):
                    text, content_type = await metrics.source(accept)
            except TimeoutError:
                raise GatewayError("overloaded", "the workers did not tell in time") from None
            return web.Response(body=text, headers={"Content-Type": content_type})

        return handle if metrics.is_open else self._scoped("read", handle, is_quiet=True)

    # -- around every call ----------------------------------------------------------------------

    def _scoped(
        self,
        scope: str,
        handler: Handler,
        parameters: frozenset[str] | None = None,
        *,
        is_quiet: bool = False,
    ) -> Handler:
        """Ask for a token with this scope, and write the call to the audit log.

        `parameters` are all that may stand in the query; None: anything. With `is_quiet` only a
        call that was refused is written.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            record = request[RECORD] = Record()
            try:
                token = self._tokens.identify(request.headers.get("Authorization", ""))
                record.holder = token.name
                token.check(scope)
                if parameters is not None:
                    check_names([name for name, _ in request.query.items()], parameters)
                response = await handler(request)
                record.outcome = str(response.status)
                return response
            except GatewayError as error:
                record.outcome = error.code
                raise
            except web.HTTPException as error:
                record.outcome = str(error.status)
                raise
            finally:
                if not (is_quiet and record.outcome == "200"):
                    record.write(request.method, _shown_path(request))

        return handle

    def guard(self, handler: Callable[[Any], Awaitable[web.StreamResponse]]) -> Guarded:
        """Go around the application: whatever it raises becomes an answer of ours.

        No middleware, for those never see what aiohttp refuses before it has found a handler.
        """

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await handler(request)
            except GatewayError as error:
                return self.refuse(request, error)
            except web.HTTPException as error:
                return self.refuse(request, _translate(error))
            except ConnectionError:
                raise  # the client is gone
            except Exception:
                logger.exception("an admin call failed")
                return self.refuse(request, GatewayError("internal_error"))

        return handle

    def refuse(self, request: web.BaseRequest, error: GatewayError) -> Written:
        """Answer a refusal; a request that has not come to its end is the connection's last."""
        keep_alive = request.keep_alive and request.content.is_eof()
        return write_answer(request, render(error, self._new_request_id()), keep_alive=keep_alive)


def _translate(error: web.HTTPException) -> GatewayError:
    """Say with our codes what aiohttp refused; its texts repeat the request."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return GatewayError("method_not_allowed", allow=tuple(error.allowed_methods))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return GatewayError("body_too_large")
    if isinstance(error, web.HTTPNotFound):
        return GatewayError("route_not_found")
    return GatewayError("bad_request", "this expectation is not known")  # 417, its only other


async def _finish(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001 - a signal's shape
    """Who is logged in is nobody's to keep, and our version nobody's to know (attacks.md L5)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers.popall("Server", None)


def _shown_path(request: web.Request) -> str:
    """The call as the log names it; an id that is none may be a token, which no log may hold."""
    resource = request.match_info.route.resource
    path = "-" if resource is None else resource.canonical
    session_key = request.match_info.get("id", "")
    return path.replace("{id}", session_key) if is_session_key(session_key) else path
