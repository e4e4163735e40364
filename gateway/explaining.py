"""Opens what `gateway explain` decides with: the proxy's own parts, and nothing that sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.access import Access
from gateway.build import (
    build_admission_limits,
    build_endpoints,
    build_router,
    build_sessions,
    build_trust,
    cookie_name,
)
from gateway.clock import now
from gateway.errors import GatewayError
from gateway.explain import ExplainParts
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity
from gateway.settings import Settings, UpstreamSettings


@asynccontextmanager
async def open_explain_parts(settings: Settings) -> AsyncIterator[ExplainParts]:
    """Open the session store for look-ups, and build the rest."""
    sessions = build_sessions(settings, now)
    await sessions.open()
    try:
        yield ExplainParts(
            access=Access(build_router(settings), sessions, cookie_name(settings)),
            endpoints=build_endpoints(settings, _exchange_nothing, sessions, now),
            trust=build_trust(settings),
            limits=build_admission_limits(settings),
            body_bytes=settings.server.limits.body,
            cookie_name=cookie_name(settings),
            upstream_hosts={n: _upstream_host(u) for n, u in settings.upstreams.items()},
        )
    finally:
        await sessions.close()


async def _exchange_nothing(app: PlatformApp, codes: LoginCodes) -> PlatformIdentity:  # noqa: ARG001 - the shape of an exchange
    raise GatewayError("internal_error", "explaining a login exchanges nothing")


def _upstream_host(settings: UpstreamSettings) -> str | None:
    """What replaces the client's `Host`; the first target stands for all."""
    return None if settings.host_header == "client" else settings.targets[0].authority
