"""Health, metrics and the admin API: list sessions, end them (design section 12). Never public.

Each call of the API is one line in the audit log: who, what, the answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.admin.subjects import read_subjects, read_text
from gateway.admin.tokens import AdminTokens
from gateway.answers import Written, write_answer
from gateway.endpoints.apps import Apps
from gateway.errors import GatewayError, render
from gateway.metrics.source import MetricsSource
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import SessionService

logger = logging.getLogger(__name__)
audit = logging.getLogger("gateway.audit")
DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_BODY_BYTES = 16 * 1024
BODY_S = 10.0
"""An operator's request is one packet; who takes longer only holds a connection."""

METRICS_S = 8.0
"""Prometheus gives up after 10 s; an answer of ours says more than none."""

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
        sessions: SessionService,
        tokens: AdminTokens,
        apps: Apps,
        new_request_id: Callable[[], str],
        is_draining: Callable[[], bool],
        *,
        metrics: Metrics | None = None,
        body_s: float = BODY_S,
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._apps = apps
        self._new_request_id = new_request_id
        self._is_draining = is_draining
        self._metrics = metrics
        self._body_s = body_s

    def build(self) -> web.Application:
        """Build the application that serves health and the API; `guard` goes around it."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.on_response_prepare.append(_finish)
        router = application.router
        router.add_get("/healthz", self._alive)
        router.add_get("/readyz", self._ready)
        if self._metrics is not None:
            router.add_get("/metrics", self._metrics_handler(self._metrics))
        router.add_get("/api/sessions", self._scoped("read", self._list))
        router.add_delete("/api/sessions/{id}", self._scoped("revoke", self._end))
        router.add_post("/api/subjects/revoke", self._scoped("revoke", self._end_subject))
        return application

    # -- health ---------------------------------------------------------------------------------

    async def _alive(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler
        return web.json_response({"status": "alive"})

    async def _ready(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - a handler
        if self._is_draining():
            return web.json_response({"status": "draining"}, status=503)
        await self._sessions.check_ready()
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

    # -- the API --------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        platform, app = read_text(query, "platform"), read_text(query, "app")
        page = await self._sessions.find(
            platform=platform,
            app=None if app is None else self._name_of(app, platform),
            openid=read_text(query, "openid"),
            limit=_limit(query),
            after=read_text(query, "after"),
        )
        found = [_describe(session) for session in page.sessions]
        return web.json_response({"sessions": found, "after": page.after})

    def _name_of(self, app: str, platform: str | None) -> str:
        """Turn a platform's app id into our name; a name that is no longer ours may be sought."""
        if not self._apps.fitting(app, platform):
            return app
        return self._apps.resolve(app, platform).name

    async def _end(self, request: web.Request) -> web.StreamResponse:
        if not await self._sessions.end(request.match_info["id"], "revoked"):
            raise GatewayError("route_not_found", "no session lives under this id")
        return web.Response(status=204)

    async def _end_subject(self, request: web.Request) -> web.StreamResponse:
        subjects = read_subjects(await self._read_body(request), self._apps)
        ended = [await self._sessions.end_subject(subject) for subject in subjects]
        return web.json_response({"ended": sum(ended)})

    async def _read_body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._body_s):
                return await request.read()
        except TimeoutError:
            raise GatewayError("bad_request", "the request body stopped arriving") from None
        except web.RequestPayloadError:  # its text repeats what it read
            raise GatewayError("bad_request", "the request body is malformed") from None

    # -- around every call ----------------------------------------------------------------------

    def _scoped(self, scope: str, handler: Handler, *, is_quiet: bool = False) -> Handler:
        """Ask for a token with this scope, and write the call to the audit log.

        With `is_quiet` only a call that was refused.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            holder = "-"
            outcome = "failed"
            try:
                token = self._tokens.identify(request.headers.get("Authorization", ""))
                holder = token.name
                token.check(scope)
                response = await handler(request)
                outcome = str(response.status)
                return response
            except GatewayError as error:
                outcome = error.code
                raise
            except web.HTTPException as error:
                outcome = str(error.status)
                raise
            finally:
                if not (is_quiet and outcome == "200"):
                    audit.info(
                        "admin=%s call=%s %s outcome=%s",
                        holder,
                        request.method,
                        request.rel_url.raw_path,
                        outcome,
                    )

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


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise GatewayError("bad_request", "`limit` is a number")
    return min(max(int(text), 1), MAX_PAGE)


def _describe(session: Session) -> dict[str, object]:
    subject: Subject = session.subject
    return {
        "id": session.key,
        "subject": str(subject),
        "platform": subject.platform,
        "app": session.app,
        "anonymous": session.is_anonymous,
        "created_at": int(session.created_at),
        "expires_at": int(session.expires_at),
        "last_used_at": int(session.last_used_at),
    }
