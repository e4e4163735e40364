"""ONE decision for every door: which route a request takes and whether it may.

Proxy, WebSocket, forward-auth and `explain` all ask here. It writes nothing and sends nothing.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gateway.admission import Admitted
from gateway.errors import GatewayError
from gateway.routing import Route, Router
from gateway.sessions.model import Session
from gateway.survey import read_token


class Authenticator(Protocol):
    """Turns a token into its session; `SessionService` is one."""

    def recall(self, token: str) -> Session | None:
        """Return a session that is known here and now; None says nothing: `authenticate`."""
        ...

    async def authenticate(self, token: str) -> Session:
        """Raises: GatewayError session_invalid, _expired, _revoked, store_unavailable."""
        ...


class TicketOffice(Protocol):
    """Turns a ticket into its session; `Tickets` is one."""

    async def redeem(self, ticket: str, path: str) -> Session:
        """Raises: GatewayError session_invalid, _expired, _revoked, store_unavailable."""
        ...


class RouteForbiddenError(GatewayError):
    """The answer no to a session that is good elsewhere; `session` is for the log."""

    def __init__(self, session: Session, detail: str) -> None:
        super().__init__("route_forbidden", detail)
        self.session = session


class Grant(NamedTuple):
    """The answer yes: this request may take this route, as this session or as nobody."""

    route: Route
    session: Session | None


class Access:
    """Routes, sessions, and the rule between them."""

    def __init__(
        self,
        router: Router,
        sessions: Authenticator,
        tickets: TicketOffice,
        cookie_name: str | None = None,
    ) -> None:
        self._router = router
        self._sessions = sessions
        self._tickets = tickets
        self._cookie_name = cookie_name

    async def decide(
        self, request: Admitted, on_route: Callable[[Route], None] | None = None
    ) -> Grant:
        """Decide one request; `on_route` learns the route, also of a request refused after it.

        Raises: GatewayError route_not_found, method_not_allowed, target_refused, token_conflict,
        session_*, route_forbidden, store_unavailable.
        """
        route = self.match(request)
        if on_route is not None:
            on_route(route)
        return self.recall(request, route) or await self._look_up(request, route)

    def match(self, request: Admitted) -> Route:
        """Choose the route. Raises: GatewayError route_not_found, method_not_allowed, …"""
        return self._router.match(request.host, request.target, request.method)

    def recall(self, request: Admitted, route: Route) -> Grant | None:
        """Decide at once, or not at all: None where the session must be looked up.

        Raises: as `decide`.
        """
        if route.session == "none":
            return Grant(route, None)
        if route.ticket and request.target.tickets:
            return None
        token = read_token(request.found, request.bearer, self._cookie_name)
        session = None
        if token is not None and (session := self._sessions.recall(token)) is None:
            return None
        authorize(route, session, request)
        return Grant(route, session)

    async def _look_up(self, request: Admitted, route: Route) -> Grant:
        token = read_token(request.found, request.bearer, self._cookie_name)
        tickets = request.target.tickets if route.ticket else ()
        session = None
        if len(tickets) + (token is not None) > 1:
            raise GatewayError("token_conflict", "send one token or one ticket, not both")
        if tickets:
            session = await self._tickets.redeem(tickets[0], request.target.path)
        elif token is not None:
            session = await self._sessions.authenticate(token)
        authorize(route, session, request)
        return Grant(route, session)


def authorize(route: Route, session: Session | None, request: Admitted | None = None) -> None:
    """Say whether this route lets this session in; pure. `request` only helps to say why not.

    Raises: GatewayError session_missing, RouteForbiddenError.
    """
    if session is None:
        if route.session == "required":
            raise GatewayError("session_missing", _what_to_send(route, request))
        return
    if session.is_anonymous and route.session == "required" and not route.anonymous:
        raise RouteForbiddenError(session, "guests may not enter here: log in as a user")
    if route.apps is not None and session.app not in route.apps:
        raise RouteForbiddenError(session, "sessions of this app may not enter here")
    if route.platforms is not None and session.platform not in route.platforms:
        raise RouteForbiddenError(session, "sessions of this platform may not enter here")


def _what_to_send(route: Route, request: Admitted | None) -> str:
    if request is not None and request.target.tickets and not route.ticket:
        return "no ticket is taken here (`ticket: true` on the route): send a token in a header"
    return "log in, and send the token as `Authorization: Bearer <token>`"
