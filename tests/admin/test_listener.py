"""The admin listener stands apart: nothing of it is public, and nothing public is on it."""

import pytest

from tests.support.gateway import ADMIN_TOKEN, RunningGateway, problem
from tests.support.own import ask_admin, bearer, send

ADMIN_PATHS = ["/healthz", "/readyz", "/metrics", "/api/sessions", "/api/subjects/revoke"]


@pytest.mark.parametrize("path", ADMIN_PATHS)
@pytest.mark.parametrize("host", ["gw", "127.0.0.1:8081", "localhost", "admin"])
async def test_nothing_of_the_admin_side_is_public(
    running: RunningGateway, path: str, host: str
) -> None:
    """Under any Host, even with an admin token: only routes decide (attacks.md G9)."""
    for line in (f"GET {path}", f"POST {path}"):
        answer = await send(running, line, b"", bearer(ADMIN_TOKEN), host=host)
        # `/api/` is a route of these settings: it asks for a session, as for any path below.
        expected = "session_missing" if path.startswith("/api/") else "route_not_found"
        assert problem(answer)["code"] == expected
    assert running.upstream.requests == []


@pytest.mark.parametrize(
    "line",
    [
        "POST /login",
        "POST /logout",
        "GET /session",
        "GET /hello.txt",
        "GET /public/1",
        "GET /orders/1",
        "GET /api/v1/registers/wechat_program/wxshop",
        "GET http://gw/public/1",
    ],
)
async def test_nothing_public_is_on_the_admin_side(running: RunningGateway, line: str) -> None:
    """Neither own endpoints nor routes."""
    token = await running.login()
    answer = await ask_admin(running, line, token=token)
    assert (answer.status, problem(answer)["code"]) == (404, "route_not_found")
    assert running.upstream.requests == []


async def test_the_ports_differ(running: RunningGateway) -> None:
    """Two listeners, two addresses."""
    assert running.gateway.admin.port != running.port
