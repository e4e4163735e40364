"""Opens what `gateway explain` decides with: the proxy's own parts, and nothing that sends.

Looking a session up must not count as its use, and a request without a token needs no store: so
the store is opened at the first look-up, and the service's background work is never started.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.access import Access
from gateway.build import (
    build_admission_limits,
    build_endpoints,
    build_router,
    build_sessions,
    build_store,
    build_trust,
    cookie_name,
)
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.explain import ExplainParts
from gateway.metrics.counts import Counts
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity
from gateway.sessions.model import Session
from gateway.sessions.service import SessionService
from gateway.sessions.store import SessionStore
from gateway.settings import Settings, UpstreamSettings


class LookUps:
    """Turns tokens into sessions as the gateway does, leaving no trace; an `Authenticator`."""

    def __init__(self, sessions: SessionService, store: SessionStore) -> None:
        self._sessions = sessions
        self._store = store
        self._is_open = False

    def recall(self, _token: str) -> None:
        """Know nothing by heart: each explanation looks."""

    async def authenticate(self, token: str) -> Session:
        """Look a session up.

        Raises: GatewayError session_invalid, session_expired, session_revoked, store_unavailable.
        """
        try:
            return await self._sessions.authenticate(token)
        except GatewayError as error:
            if self._is_open or error.code != "store_unavailable":
                raise
        # Only a well-signed token gets here: a forged one needs no store at all.
        await self._store.open()
        self._is_open = True
        return await self._sessions.authenticate(token)


@asynccontextmanager
async def open_explain_parts(settings: Settings, clock: Clock) -> AsyncIterator[ExplainParts]:
    """Build all that decides."""
    store = build_store(settings, clock)
    sessions = build_sessions(settings, clock, store)
    try:
        yield ExplainParts(
            access=Access(build_router(settings), LookUps(sessions, store), cookie_name(settings)),
            endpoints=build_endpoints(settings, _exchange_nothing, sessions, clock, Counts()),
            trust=build_trust(settings),
            limits=build_admission_limits(settings),
            body_bytes=settings.server.limits.body,
            cookie_name=cookie_name(settings),
            upstream_hosts={n: _upstream_hosts(u) for n, u in settings.upstreams.items()},
        )
    finally:
        await store.close()


async def _exchange_nothing(app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:  # noqa: ARG001 - the shape of an exchange
    raise GatewayError("internal_error", "explaining a login exchanges nothing")


def _upstream_hosts(settings: UpstreamSettings) -> tuple[str, ...]:
    """What may replace the client's `Host`: one for each target, in order."""
    if settings.host_header == "client":
        return ()
    return tuple(dict.fromkeys(target.authority for target in settings.targets))
