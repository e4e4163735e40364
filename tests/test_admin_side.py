"""The admin side stands by itself: the public side may be in other processes."""

import json

import pytest

from gateway.admin_side import open_admin_side
from gateway.build import build_sessions
from gateway.clock import now
from gateway.sessions.opening import open_sessions
from gateway.settings import Listen
from tests.support.gateway import ADMIN_TOKEN, RunningGateway
from tests.support.own import bearer, head
from tests.support.raw import Message, ask


async def read(accept: str) -> tuple[bytes, str]:
    """Metrics from somewhere else."""
    return f"# for {accept}\n".encode(), "text/plain"


async def get(port: int, path: str, *headers: str) -> Message:
    return await ask(port, head(f"GET {path}", *headers))


async def test_it_answers_for_a_public_side_elsewhere(running: RunningGateway) -> None:
    """Health by what it is told, sessions from the store they share, metrics from their source."""
    is_draining = False
    await running.login()
    async with (
        open_sessions(build_sessions(running.settings, now)) as sessions,
        open_admin_side(running.settings, sessions, lambda: is_draining, read) as admin,
    ):
        assert (await get(admin.port, "/readyz")).status == 200
        is_draining = True
        assert (await get(admin.port, "/readyz")).status == 503
        found = await get(admin.port, "/api/sessions", bearer(ADMIN_TOKEN))
        assert len(json.loads(found.body)["sessions"]) == 1
        assert (await get(admin.port, "/metrics", "Accept: x/y")).body == b"# for x/y\n"


async def test_an_address_that_is_taken_leaves_nothing_open(running: RunningGateway) -> None:
    """Start-up fails cleanly."""
    taken = Listen("127.0.0.1", running.gateway.admin.port)
    admin = running.settings.admin.model_copy(update={"listen": taken})
    settings = running.settings.model_copy(update={"admin": admin})
    async with open_sessions(build_sessions(settings, now)) as sessions:
        with pytest.raises(OSError, match="in use"):
            async with open_admin_side(settings, sessions, lambda: False, read):
                pass
