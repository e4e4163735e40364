"""How the own endpoints get their session: aiohttp-session over the session service.

It must not know where a token stands in a request (`read_token` does) or how sessions are kept.
Mini-programs keep no cookies, so nothing is ever set on a response.
"""

from collections.abc import Callable

import aiohttp_session
from aiohttp import web
from aiohttp_session import AbstractStorage, SessionData

from gateway.sessions.model import Session
from gateway.sessions.service import SessionService

ReadToken = Callable[[web.BaseRequest], str | None]
"""Returns the request's token. May raise GatewayError token_conflict."""


class RequestSession(aiohttp_session.Session):
    """aiohttp-session's view of a request's session; `record` is the typed one behind it.

    The mapping repeats a few fields that may be shown: its repr prints them, so no openid.
    """

    def __init__(self, record: Session | None) -> None:
        super().__init__(
            None if record is None else record.key,
            data=None if record is None else _shown(record),
            new=record is None,
        )
        self.record = record

    def invalidate(self) -> None:
        """End the session: it is gone from the store before the answer is sent."""
        super().invalidate()
        self.record = None


class TokenStorage(AbstractStorage):
    """Loads a request's session by its token, and ends it where a handler invalidated it."""

    def __init__(self, service: SessionService, read_token: ReadToken) -> None:
        super().__init__()
        self._service = service
        self._read_token = read_token

    async def load_session(self, request: web.BaseRequest) -> RequestSession:
        """Return the request's session; without a token a new, empty one.

        Raises: GatewayError session_*, store_unavailable, token_conflict.
        """
        token = self._read_token(request)
        if token is None:
            return RequestSession(None)
        return RequestSession(await self._service.authenticate_shown(token))

    async def new_session(self) -> RequestSession:
        return RequestSession(None)

    async def save_session(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - the interface's
        response: web.StreamResponse,  # noqa: ARG002 - the interface's; no cookie is set
        session: aiohttp_session.Session,
    ) -> None:
        """End an invalidated session; other changes are the handler's own and not kept.

        Raises: GatewayError store_unavailable.
        """
        if session.identity is not None and current(session) is None:
            await self._service.end(session.identity)


def current(session: aiohttp_session.Session) -> Session | None:
    """Return the typed session of this request; None for a new or an invalidated one."""
    return session.record if isinstance(session, RequestSession) else None


def _shown(record: Session) -> SessionData:
    return {
        "created": int(record.created_at),
        "session": {
            "platform": record.platform,
            "app_id": record.subject.app_id,
            "app": record.app,
            "anonymous": record.is_anonymous,
            "created_at": record.created_at,
            "expires_at": record.expires_at,
        },
    }
