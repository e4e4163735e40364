"""Health and the admin API: list sessions, end them (design section 12). Never on the public side.

Each call of the API is one line in the audit log: who, what, the answer.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.admin.tokens import AdminTokens
from gateway.errors import GatewayError, render
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import SessionService

logger = logging.getLogger(__name__)
audit = logging.getLogger("gateway.audit")
DEFAULT_PAGE = 100
MAX_PAGE = 1000
MAX_BODY_BYTES = 16 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminApi:
    """Answers the admin listener's requests."""

    def __init__(
        self,
        sessions: SessionService,
        tokens: AdminTokens,
        new_request_id: Callable[[], str],
        is_draining: Callable[[], bool],
    ) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._new_request_id = new_request_id
        self._is_draining = is_draining

    def build(self) -> web.Application:
        """Build the application that serves health and the API."""
        application = web.Application(
            middlewares=[self._render_errors], client_max_size=MAX_BODY_BYTES
        )
        application.on_response_prepare.append(_finish)
        router = application.router
        router.add_get("/healthz", self._alive)
        router.add_get("/readyz", self._ready)
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

    # -- the API --------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        page = await self._sessions.find(
            platform=query.get("platform"),
            app=query.get("app"),
            openid=query.get("openid"),
            limit=_limit(query),
            after=query.get("after"),
        )
        found = [_describe(session) for session in page.sessions]
        return web.json_response({"sessions": found, "after": page.after})

    async def _end(self, request: web.Request) -> web.StreamResponse:
        if not await self._sessions.end(request.match_info["id"], "revoked"):
            raise GatewayError("route_not_found", "no session lives under this id")
        return web.Response(status=204)

    async def _end_subject(self, request: web.Request) -> web.StreamResponse:
        subjects = await self._subjects(await _wanted(request))
        ended = [await self._sessions.end_subject(subject) for subject in subjects]
        return web.json_response({"ended": sum(ended)})

    async def _subjects(self, wanted: Mapping[str, str]) -> set[Subject]:
        """Find whom a name means; a page may be empty though others follow."""
        found: set[Subject] = set()
        after: str | None = None
        while True:
            page = await self._sessions.find(**wanted, limit=MAX_PAGE, after=after)
            found |= {session.subject for session in page.sessions}
            after = page.after
            if after is None:
                return found

    # -- around every call ----------------------------------------------------------------------

    def _scoped(self, scope: str, handler: Handler) -> Handler:
        """Ask for a token with this scope, and write the call to the audit log."""

        async def handle(request: web.Request) -> web.StreamResponse:
            holder = "-"
            outcome = "failed"
            try:
                holder = self._tokens.authorize(request.headers.get("Authorization", ""), scope)
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
                audit.info(
                    "admin=%s call=%s %s outcome=%s",
                    holder,
                    request.method,
                    request.rel_url.raw_path,
                    outcome,
                )

        return handle

    @web.middleware
    async def _render_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except GatewayError as error:
            return self._refuse(error)
        except web.HTTPNotFound:
            return self._refuse(GatewayError("route_not_found"))
        except web.HTTPMethodNotAllowed as error:
            return self._refuse(
                GatewayError("method_not_allowed", allow=tuple(error.allowed_methods))
            )
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(GatewayError("body_too_large"))
        except Exception:
            logger.exception("an admin call failed")
            return self._refuse(GatewayError("internal_error"))

    def _refuse(self, error: GatewayError) -> web.StreamResponse:
        answer = render(error, self._new_request_id())
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


async def _finish(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001 - a signal's shape
    """Who is logged in is nobody's to keep, and our version nobody's to know (attacks.md L5)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers.popall("Server", None)


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise GatewayError("bad_request", "`limit` is a number")
    return min(max(int(text), 1), MAX_PAGE)


async def _wanted(request: web.Request) -> dict[str, str]:
    """Read which subject is meant: platform, app name and openid, all three."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise GatewayError("bad_request", "send a JSON object") from None
    wanted = {
        name: value
        for name in ("platform", "app", "openid")
        if isinstance(body, dict) and isinstance(value := body.get(name), str) and value
    }
    if len(wanted) != 3:
        raise GatewayError("bad_request", "name the subject by `platform`, `app` and `openid`")
    return wanted


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
