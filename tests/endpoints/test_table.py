"""Which requests the gateway answers itself: paths, methods, hosts, switches."""

from pathlib import Path

import pytest
from aiohttp import web

from gateway.endpoints.call import Call
from gateway.endpoints.table import Endpoint, Endpoints
from gateway.sessions.model import Session
from gateway.target import parse
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import JSON, bearer, send

ALIAS = "/api/v1/registers/{platform}_program/{app_id}"


async def answer_nothing(call: Call) -> tuple[web.Response, Session]:
    raise AssertionError("nothing is answered here")


@web.middleware
async def pass_on(request: web.Request, handler: object) -> web.StreamResponse:
    raise AssertionError("nothing is answered here")


def find(path: str, *, host: str = "gw", hosts: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
    """The name and path fields of what is found; an empty name for nothing."""
    table = [
        Endpoint("login", "/login", ("POST",), answer_nothing),
        Endpoint("alias", ALIAS, ("GET", "POST"), answer_nothing),
    ]
    found = Endpoints(table, hosts, pass_on).find(host, parse(path, 8192))
    return ("", {}) if found is None else (found.name, dict(found.path_fields))


@pytest.mark.parametrize(
    ("path", "name", "why"),
    [
        ("/login", "login", "as configured"),
        ("/login?x=1", "login", "the query plays no part"),
        ("/lo%67in", "login", "unreserved characters are decoded for matching"),
        ("/login/", "", "another path"),
        ("/Login", "", "paths are case-sensitive"),
        ("/loginx", "", "not a prefix"),
        ("/login%2F", "", "an encoded slash is not the path"),
    ],
)
def test_a_path_is_matched_whole(path: str, name: str, why: str) -> None:
    """Exactly, on the canonical copy."""
    assert find(path)[0] == name, why


def test_the_alias_reads_platform_and_app() -> None:
    """Each place is one segment or a part of one."""
    path = "/api/v1/registers/baidu_program/abcDEF"
    assert find(path) == ("alias", {"platform": "baidu", "app_id": "abcDEF"})
    assert find("/api/v1/registers/_program/x")[0] == "", "an empty place"
    assert find("/api/v1/registers/baidu_program/")[0] == ""
    assert find("/api/v1/registers/baidu_program/a/b")[0] == ""
    assert find("/api/v1/registers/a/b_program/c")[0] == ""


def test_own_paths_may_stand_on_named_hosts_only() -> None:
    """Elsewhere the path belongs to the routes."""
    assert find("/login", hosts=("api.example.com",))[0] == ""
    assert find("/login", host="api.example.com", hosts=("api.example.com",))[0] == "login"


async def test_endpoints_hosts_end_to_end(tmp_path: Path) -> None:
    """On another host the routes decide: here nothing is served."""
    async with run_gateway(tmp_path, {"endpoints": {"hosts": ["api.example.com"]}}) as running:
        assert (await send(running, "GET /session", host="API.example.com:80")).status == 401
        answer = await send(running, "GET /session", host="gw")
        assert problem(answer)["code"] == "route_not_found"


@pytest.mark.parametrize(
    ("name", "line"),
    [("login", "POST /login"), ("logout", "POST /logout"), ("session", "GET /session")],
)
async def test_null_switches_an_endpoint_off(tmp_path: Path, name: str, line: str) -> None:
    """Then its path is nothing special, and the others go on."""
    async with run_gateway(tmp_path, {"endpoints": {name: None}}) as running:
        assert problem(await send(running, line))["code"] == "route_not_found"
        others = {"POST /login", "POST /logout", "GET /session"} - {line}
        for other in others:
            assert (await send(running, other)).status in (400, 401)


METHODS = [
    ("/login", "POST"),
    ("/api/v1/registers/wechat_program/wxshop", "GET, POST"),
    ("/logout", "POST"),
    ("/session", "GET, HEAD"),
]


@pytest.mark.parametrize(("path", "allow"), METHODS)
async def test_a_wrong_method_is_405_and_never_passed_on(
    running: RunningGateway, path: str, allow: str
) -> None:
    """Allow lists what is taken (RFC 9110 10.2.1)."""
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        if method in allow.split(", "):
            continue
        answer = await send(running, f"{method} {path}")
        assert (answer.status, answer.value("Allow")) == (405, allow)
        assert answer.value("X-Gateway-Error") == "method_not_allowed"
        assert answer.value("Cache-Control") == "no-store"
    assert running.upstream.requests == []


async def test_an_own_path_shadows_a_route(tmp_path: Path) -> None:
    """A wrong method of ours is not a method of theirs."""
    routes = [{"path": "/", "upstream": "main", "session": "none"}]
    async with run_gateway(tmp_path, {"routes": routes}) as running:
        assert (await send(running, "GET /login")).status == 405
        assert running.upstream.requests == []
        assert (await send(running, "GET /other")).status == 200


async def test_own_paths_speak_no_websocket(running: RunningGateway) -> None:
    """A handshake is refused before anything is read of it."""
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x")
    answer = await send(running, "GET /session", b"", *handshake)
    assert problem(answer)["code"] == "bad_request"


async def test_every_answer_may_be_kept_by_nobody(running: RunningGateway) -> None:
    """No-store, our request id, no cookie, no server name: on good answers and on refusals."""
    token = await running.login()
    login = {"app": "shop-wechat", "code": await running.code()}
    answers = [
        await running.post("/login", login),
        await running.post("/login", {}),
        await running.get("/session", bearer(token)),
        await running.get("/session", bearer(token), method="HEAD"),
        await running.get("/session"),
        await send(running, "POST /logout", b"", JSON, bearer(token)),
    ]
    assert [answer.status for answer in answers] == [200, 400, 200, 200, 401, 204]
    for answer in answers:
        assert answer.value("Cache-Control") == "no-store"
        assert len(str(answer.value("X-Request-Id"))) == 32
        assert answer.value("Set-Cookie") is None
        assert answer.value("Server") is None


async def test_the_log_tells_endpoint_and_caller(tmp_path: Path) -> None:
    """The endpoint's name as the route, the app, the subject as a short hash."""
    async with run_gateway(tmp_path, {"logs": {"format": "json"}}) as running:
        await running.login("shop-baidu")
        line = running.log_lines()[-1]
    assert (line["route"], line["platform"], line["app"]) == ("login", "baidu", "shop-baidu")
    assert (line["path"], line["status"], line["upstream"]) == ("/login", 200, None)
    assert len(str(line["subject"])) == 12
