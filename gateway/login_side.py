"""What takes logins, opened and closed in order: limits, attempts, the endpoint. No logic."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.build import build_apps, build_keyring
from gateway.clock import Clock
from gateway.endpoints.apps import Apps
from gateway.endpoints.limits import LoginLimits, LoginRates
from gateway.endpoints.login import Login
from gateway.endpoints.memory_counters import MemoryCounters
from gateway.endpoints.session import ShowSession
from gateway.metrics.counts import Counts
from gateway.platforms.base import Exchange
from gateway.sessions.attempts import LoginAttempts
from gateway.sessions.service import SessionService
from gateway.sessions.store import SessionStore
from gateway.settings import Settings


@asynccontextmanager
async def open_login(
    settings: Settings,
    clock: Clock,
    exchange: Exchange,
    sessions: SessionService,
    store: SessionStore,
    counts: Counts,
) -> AsyncIterator[Login]:
    """Open the login endpoint over open sessions and their store.

    What is under way at the end is given up.
    """
    limits = build_limits(settings, clock)
    attempts = LoginAttempts(store, sessions, build_keyring(settings), clock, secrets.token_bytes)
    show = ShowSession(clock, exposes_openid=settings.session.expose_openid)
    login = Login(
        Apps(build_apps(settings)),
        exchange,
        limits,
        attempts,
        show.issued,
        counts,
        takes_mock=settings.environment == "development",
    )
    try:
        yield login
    finally:
        await attempts.close()
        await limits.close()


def build_limits(settings: Settings, clock: Clock) -> LoginLimits:
    """The limits of logins, counted in Redis where sessions are kept there, else in memory."""
    limits = settings.login.limits
    rates = LoginRates(limits.per_ip, limits.per_app, limits.total)
    store = settings.session.store
    if store.scheme == "sqlite":
        return LoginLimits(MemoryCounters(clock), clock, rates)
    from gateway.endpoints.redis_counters import RedisCounters  # only where Redis is in use
    from gateway.sessions.redis.links import open_link

    link = open_link(store.url)
    return LoginLimits(RedisCounters(link, clock), clock, rates, close=link.close)
