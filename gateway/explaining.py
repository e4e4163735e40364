"""Opens what `gateway explain` decides with: the proxy's own parts, and nothing that sends.

Looking a session up must not count as its use, and a request without a token needs no store: so
the store is opened at the first look-up, and the service's background work is never started.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.access import Access
from gateway.build import (
    build_admission_limits,
    build_endpoints,
    build_router,
    build_sessions,
    build_store,
    build_tickets,
    build_trust,
    cookie_name,
)
from gateway.clock import Clock
from gateway.endpoints.call import Call
from gateway.errors import GatewayError
from gateway.explain import ExplainParts
from gateway.sessions.model import Session
from gateway.sessions.service import SessionService
from gateway.sessions.store import SessionStore
from gateway.sessions.tickets import Tickets
from gateway.settings import Settings, UpstreamSettings


class LookUps:
    """Turns tokens and tickets into sessions as the gateway does, leaving no trace.

    An `Authenticator` and a `TicketOffice`.
    """

    def __init__(self, sessions: SessionService, tickets: Tickets, store: SessionStore) -> None:
        self._sessions = sessions
        self._tickets = tickets
        self._store = store
        self._is_open = False

    def recall(self, _token: str) -> None:
        """Know nothing by heart: each explanation looks."""

    async def authenticate(self, token: str) -> Session:
        """Look a session up.

        Raises: GatewayError session_invalid, session_expired, session_revoked, store_unavailable.
        """
        return await self._ask(lambda: self._sessions.authenticate(token))

    async def redeem(self, ticket: str, path: str) -> Session:
        """Look a ticket's session up; the ticket stays good. Raises: as `authenticate`."""
        return await self._ask(lambda: self._tickets.look(ticket, path))

    async def _ask(self, question: Callable[[], Awaitable[Session]]) -> Session:
        try:
            return await question()
        except GatewayError as error:
            if self._is_open or error.code != "store_unavailable":
                raise
        # Only what is well made gets here: a forged token needs no store at all.
        await self._store.open()
        self._is_open = True
        return await question()


@asynccontextmanager
async def open_explain_parts(settings: Settings, clock: Clock) -> AsyncIterator[ExplainParts]:
    """Build all that decides."""
    store = build_store(settings, clock)
    sessions = build_sessions(settings, clock, store)
    look_ups = LookUps(sessions, build_tickets(sessions, store, clock), store)
    try:
        yield ExplainParts(
            access=Access(build_router(settings), look_ups, look_ups, cookie_name(settings)),
            endpoints=build_endpoints(settings, _log_nobody_in, sessions, store, clock),
            trust=build_trust(settings),
            limits=build_admission_limits(settings),
            body_bytes=settings.server.limits.body,
            cookie_name=cookie_name(settings),
            upstream_hosts={n: _upstream_hosts(u) for n, u in settings.upstreams.items()},
        )
    finally:
        await store.close()


async def _log_nobody_in(_call: Call) -> tuple[web.Response, Session]:
    raise GatewayError("internal_error", "explaining a login exchanges nothing")


def _upstream_hosts(settings: UpstreamSettings) -> tuple[str, ...]:
    """What may replace the client's `Host`: one for each target, in order."""
    if settings.host_header == "client":
        return ()
    return tuple(dict.fromkeys(target.authority for target in settings.targets))
