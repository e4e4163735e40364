"""`GET /session`, `POST /session/renew`, `POST /logout`: what a client may do with its session."""

from aiohttp import web

from gateway.admission import Admitted
from gateway.clock import Clock
from gateway.endpoints.body import read_form
from gateway.endpoints.call import Call
from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.service import Issued, SessionService
from gateway.sessions.storage import current


class ShowSession:
    """Says what a client may know of a session; its openid only where settings allow (L6)."""

    def __init__(self, clock: Clock, *, exposes_openid: bool) -> None:
        self._clock = clock
        self._exposes_openid = exposes_openid

    def __call__(self, session: Session) -> dict[str, object]:
        """Describe a session as /login and /session do; moments in whole seconds."""
        shown: dict[str, object] = {
            "platform": session.platform,
            "app": session.app,
            "created_at": int(session.created_at),
            "expires_at": int(session.expires_at),
            "expires_in": max(0, int(session.expires_at - self._clock())),
            "anonymous": session.is_anonymous,
        }
        if self._exposes_openid:
            shown["openid"] = session.openid
        return shown

    def issued(self, issued: Issued) -> dict[str, object]:
        """Describe a session and its new token, as /login and /session/renew do."""
        return {"token": issued.token, "token_type": "Bearer", **self(issued.session)}


async def required_session(call: Call) -> Session:
    """Return the caller's session. Raises: GatewayError session_*, token_conflict."""
    session = current(await call.session())
    if session is None:
        raise GatewayError(
            "session_missing", "log in, and send the token as `Authorization: Bearer <token>`"
        )
    return session


class Show:
    """`GET /session`."""

    def __init__(self, show: ShowSession) -> None:
        self._show = show

    async def __call__(self, call: Call) -> tuple[web.Response, Session]:
        """Describe the caller's session."""
        session = await required_session(call)
        return web.json_response(self._show(session)), session


class Renew:
    """`POST /session/renew`: a new token, while the old one goes on for a minute."""

    def __init__(self, sessions: SessionService, show: ShowSession) -> None:
        self._sessions = sessions
        self._show = show

    async def __call__(self, call: Call) -> tuple[web.Response, Session]:
        """Renew the caller's session; asked again, the answer is the same session."""
        issued = await self._sessions.renew(await required_session(call))
        return web.json_response(self._show.issued(issued)), issued.session


class Logout:
    """`POST /logout`; with `?everywhere=true` all sessions of this subject end."""

    def __init__(self, sessions: SessionService) -> None:
        self._sessions = sessions

    async def __call__(self, call: Call) -> tuple[web.Response, Session]:
        """End the caller's session, or all of its subject."""
        is_everywhere = _read_everywhere(call.admitted)
        session = await required_session(call)
        if is_everywhere:
            await self._sessions.end_subject(session.subject, "logout")
        else:
            (await call.session()).invalidate()
        return web.Response(status=204), session


def _read_everywhere(admitted: Admitted) -> bool:
    value = read_form(admitted.target.query or "").get("everywhere", "false")
    if value not in ("true", "false"):
        raise GatewayError("bad_request", "`everywhere` is true or false")
    return value == "true"
