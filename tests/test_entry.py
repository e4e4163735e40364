"""The public listener end to end: a login, a proxied call, a refusal."""

import json

import pytest

from tests.support.gateway import APPS, RunningGateway, problem


@pytest.mark.parametrize("app", APPS)
async def test_a_login_and_a_proxied_call_on_every_platform(
    running: RunningGateway, app: str
) -> None:
    """Each configured app logs in, and the service learns who calls."""
    given = await running.codes(app)
    login = await running.post("/login", {"app": app, "code": given["code"]})
    assert login.status == 200
    token = json.loads(login.body)["token"]
    answer = await running.get("/api/orders/1?x=1", f"Authorization: Bearer {token}")
    assert (answer.status, answer.body) == (200, b"ok")
    seen = running.upstream.requests[-1]
    assert seen.line == "GET /orders/1?x=1 HTTP/1.1"
    assert seen.value("X-OpenId") == given["openid"]
    assert seen.value("X-Platform") == running.settings.apps[app].platform
    assert seen.value("Authorization") is None


async def test_a_required_route_refuses_without_a_session(running: RunningGateway) -> None:
    """Nothing reaches the service."""
    answer = await running.get("/api/orders/1")
    assert answer.status == 401
    assert problem(answer)["code"] == "session_missing"
    assert answer.value("WWW-Authenticate") == "Bearer"
    assert running.upstream.requests == []
