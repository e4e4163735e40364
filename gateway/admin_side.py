"""What answers operators, opened and closed in order: health, metrics and the admin API. No logic.

It must not know whether the public side is in this process or in others.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.admin.listener import AdminListener
from gateway.build import build_admin_api
from gateway.metrics.source import MetricsSource
from gateway.sessions.service import SessionService
from gateway.settings import Settings


@asynccontextmanager
async def open_admin_side(
    settings: Settings,
    sessions: SessionService,
    is_draining: Callable[[], bool],
    metrics: MetricsSource,
) -> AsyncIterator[AdminListener]:
    """Serve the admin listener over open sessions. Raises: OSError."""
    listener = AdminListener(build_admin_api(settings, sessions, is_draining, metrics))
    try:
        address = settings.admin.listen
        await listener.open(address.host, address.port, address.path)
        yield listener
    finally:
        await listener.close()
