"""Opens a session service and closes it; says so where its store is away at the start."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import GatewayError
from gateway.sessions.faults import tell
from gateway.sessions.service import SessionService

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_sessions(sessions: SessionService) -> AsyncIterator[SessionService]:
    """Open these sessions for as long as the block lasts, also where their store is away.

    It may come up later, and public routes do without it.
    Raises: GatewayError store_unavailable where it cannot be opened at all.
    """
    try:
        await sessions.open()
        await _warn_if_away(sessions)
        yield sessions
    finally:
        await sessions.close()


async def _warn_if_away(sessions: SessionService) -> None:
    try:
        await sessions.check_ready()
    except GatewayError as error:
        words = "the session store is away, logins get 503 until it is back: %s"
        logger.warning(words, tell(error))
