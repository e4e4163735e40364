"""ONE decision for every door: which route a request takes and whether it may.

Proxy, WebSocket, forward-auth and `explain` all ask here. It writes nothing and sends nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.admission import Admitted
from gateway.errors import GatewayError
from gateway.headers import read_token
from gateway.routing import Route, Router
from gateway.sessions.model import Session


class Authenticator(Protocol):
    """Turns a token into its session; `SessionService` is one."""

    async def authenticate(self, token: str) -> Session:
        """Raises: GatewayError session_invalid, _expired, _revoked, store_unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer yes: this request may take this route, as this session or as nobody."""

    route: Route
    session: Session | None


class Access:
    """Routes, sessions, and the rule between them."""

    def __init__(
        self, router: Router, sessions: Authenticator, cookie_name: str | None = None
    ) -> None:
        self._router = router
        self._sessions = sessions
        self._cookie_name = cookie_name

    async def decide(
        self, request: Admitted, on_route: Callable[[Route], None] | None = None
    ) -> Grant:
        """Decide one request; `on_route` learns the route, also of a request refused after it.

        Raises: GatewayError route_not_found, method_not_allowed, target_refused, token_conflict,
        session_*, route_forbidden, store_unavailable.
        """
        route = self._router.match(request.host, request.target, request.method)
        if on_route is not None:
            on_route(route)
        if route.session == "none":
            return Grant(route, None)
        token = read_token(request.fields, self._cookie_name)
        session = None if token is None else await self._sessions.authenticate(token)
        authorize(route, session)
        return Grant(route, session)


def authorize(route: Route, session: Session | None) -> None:
    """Say whether this route lets this session in; pure.

    Raises: GatewayError session_missing, route_forbidden.
    """
    if session is None:
        if route.session == "required":
            raise GatewayError(
                "session_missing", "log in, and send the token as `Authorization: Bearer <token>`"
            )
        return
    if session.is_anonymous and route.session == "required" and not route.anonymous:
        raise GatewayError("route_forbidden", "guests may not enter here: log in as a user")
    if route.apps is not None and session.app not in route.apps:
        raise GatewayError("route_forbidden", "sessions of this app may not enter here")
    if route.platforms is not None and session.subject.platform not in route.platforms:
        raise GatewayError("route_forbidden", "sessions of this platform may not enter here")
