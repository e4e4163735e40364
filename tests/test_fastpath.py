"""Which requests are answered without a task, and that none is answered differently for it.

What the service or the client does meanwhile stands in proxy/test_fastpath_service.py and
proxy/test_fastpath_client.py, the property in test_fastpath_same.py.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.fastpath import SMALL_BYTES, FastPath
from tests.support.endings import until
from tests.support.flights import Watched, connected, server_of, settle, warm
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import bearer, head
from tests.support.raw import OK, Message

GET = head("GET /public/x")


async def ask(running: RunningGateway, data: bytes, of: str = "GET") -> Message:
    """Send bytes at once, and read one answer."""
    async with connected(running) as client:
        await client.send(GET)  # until its task waits, a connection's requests are not offered
        assert (await client.answer()).status == 200
        await settle(running)
        await client.send(data)
        answer = await client.answer(of)
    await settle(running)
    return answer


def with_body(size: int, *fields: str, method: str = "POST") -> bytes:
    """A request with a body, in one piece."""
    return head(f"{method} /public/x", *fields, f"Content-Length: {size}") + b"x" * size


# -- what is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        pytest.param("GET", GET, id="GET"),
        pytest.param("HEAD", head("HEAD /public/x"), id="HEAD"),
        pytest.param("OPTIONS", head("OPTIONS /public/x"), id="OPTIONS"),
        pytest.param("DELETE", head("DELETE /public/x"), id="DELETE"),
        pytest.param("POST", head("POST /public/x"), id="no length"),
        pytest.param("POST", with_body(0), id="no body"),
        pytest.param("POST", with_body(4), id="a small body"),
        pytest.param("PUT", with_body(SMALL_BYTES, method="PUT"), id="as large as small may be"),
        pytest.param("GET", with_body(4, method="GET"), id="a GET with a body"),
        pytest.param("GET", head("GET http://gw/public/x?a=b"), id="absolute form"),
        pytest.param("GET", head("GET /public/x", "Connection: keep-alive"), id="keep-alive"),
        pytest.param("GET", head("GET /opt/x"), id="an optional session, none sent"),
        pytest.param("GET", head("GET /opt/x", "Authorization: Basic YQ=="), id="not our token"),
    ],
)
async def test_a_simple_request_is_taken(running: RunningGateway, method: str, sent: bytes) -> None:
    """Answered as ever, sent once, logged once."""
    if method == "HEAD":
        running.upstream.script = None
    watched = await warm(running)
    answer = await ask(running, sent, method) if method != "HEAD" else None
    if answer is None:
        running.upstream.answer = OK.removesuffix(b"ok")
        watched.took.clear()
        answer = await ask_plain(running, sent, method)
    assert answer.status == 200
    assert watched.took[-1]
    seen = running.upstream.requests[-1]
    assert seen.line.startswith(f"{method} ")
    assert seen.body == sent.partition(b"\r\n\r\n")[2]
    assert running.log_lines()[-1]["method"] == method


async def ask_plain(running: RunningGateway, data: bytes, of: str) -> Message:
    """Send bytes on a connection whose task waits already."""
    async with connected(running) as client:
        await settle(running)
        await client.send(data)
        return await client.answer(of)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(with_body(SMALL_BYTES + 1), id="a larger body"),
        pytest.param(with_body(4, "Expect: 100-continue"), id="Expect"),
        pytest.param(head("GET /public/x", "Connection: close"), id="its last request"),
        pytest.param(GET.replace(b"1.1", b"1.0"), id="HTTP/1.0"),
        pytest.param(
            head("POST /public/x", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n",
            id="chunks",
        ),
        pytest.param(head("GET /session"), id="an endpoint of ours"),
        pytest.param(head("GET /hello.txt"), id="an answer of ours"),
        pytest.param(head("GET /orders/1"), id="no session where one is required"),
        pytest.param(head("GET /orders/1", bearer("gw1.unknown")), id="an unknown token"),
        pytest.param(head("GET /nothing"), id="no route"),
        pytest.param(head("GET /public/../x"), id="a refused target"),
        pytest.param(head("GET /public/x", host="gw:99999"), id="a refused host"),
        pytest.param(head("TRACE /public/x"), id="a refused method"),
        pytest.param(head("GET http://evil/public/x"), id="another host"),
        pytest.param(head("GET /public/x", "Connection: upgrade", "Upgrade: x"), id="an upgrade"),
    ],
)
async def test_any_other_request_gets_a_task(running: RunningGateway, sent: bytes) -> None:
    """Nothing was done before: it is sent once or not at all, and logged once."""
    watched = await warm(running)
    lines = len(running.log_lines())
    await ask(running, sent)
    assert watched.took[1:] in ([], [False])
    assert len(running.log_lines()) == lines + 2
    assert len(running.upstream.requests) in (1, 2)


@pytest.mark.parametrize("cuts", [(10,), (len(GET) - 2,), (10, 20, 30)])
async def test_a_head_may_come_in_pieces(running: RunningGateway, cuts: tuple[int, ...]) -> None:
    """It is taken when it is whole."""
    watched = await warm(running)
    async with connected(running) as client:
        await settle(running)
        for begin, end in zip((0, *cuts), (*cuts, len(GET)), strict=True):
            await client.send(GET[begin:end])
            await settle(running)
        assert (await client.answer()).body == b"ok"
    assert watched.took == [True]


async def test_a_body_behind_its_head_gets_a_task(running: RunningGateway) -> None:
    """A body that is still coming is pumped."""
    watched = await warm(running)
    sent = with_body(1000)
    async with connected(running) as client:
        await client.send(sent[:500])
        await until(lambda: server_of(running).busy_connections)
        await client.send(sent[500:])
        assert (await client.answer()).body == b"ok"
    assert not any(watched.took)
    assert running.upstream.requests[-1].body == b"x" * 1000


@pytest.mark.parametrize("many", [2, 5, 20])
async def test_a_pipeline_gets_a_task(running: RunningGateway, many: int) -> None:
    """Requests that come together are answered in order by one task."""
    watched = await warm(running)
    lines = [f"GET /public/{number}" for number in range(many)]
    async with connected(running) as client:
        await client.send(b"".join(map(head, lines)))
        for _ in lines:
            assert (await client.answer()).body == b"ok"
    assert [each.line for each in running.upstream.requests] == [f"{it} HTTP/1.1" for it in lines]
    assert not any(watched.took)


async def test_a_connection_must_be_at_hand(running: RunningGateway) -> None:
    """The first request has to wait for one, so it gets a task."""
    watched = Watched(running)
    assert (await running.get("/public/x")).status == 200
    answer = await ask(running, GET)
    assert (answer.body, watched.took[-1]) == (b"ok", True)
    assert not watched.took[0]


# -- sessions -------------------------------------------------------------------------------------


async def test_a_known_session_is_taken(running: RunningGateway) -> None:
    """Who it is goes along; a session this process does not know yet is looked up by a task."""
    token = await running.login()
    watched = await warm(running)
    for _ in range(2):
        assert (await ask(running, head("GET /orders/1", bearer(token)))).status == 200
    assert watched.took[-1]
    seen = running.upstream.requests[-1]
    assert seen.value("X-Platform") == "wechat"
    assert seen.value("X-OpenId")
    assert seen.value("Authorization") is None
    line = running.log_lines()[-1]
    assert (line["platform"], line["app"], line["upstream"]) == ("wechat", "shop-wechat", "main")
    assert line["subject"]


async def test_an_ended_session_is_refused(running: RunningGateway) -> None:
    """The next request after a logout, on the same connection."""
    token = await running.login()
    await warm(running)
    async with connected(running) as client:
        asked = head("GET /orders/1", bearer(token))
        for _ in range(2):
            await client.send(asked)
            assert (await client.answer()).status == 200
        await client.send(head("POST /logout", bearer(token)))
        assert (await client.answer()).status == 204
        await client.send(asked)
        assert problem(await client.answer())["code"] == "session_revoked"
        await client.send(head("GET /public/x"))
        assert (await client.answer()).body == b"ok"


@pytest.mark.parametrize("path", ["/wechat/x", "/shop/x"])
async def test_a_session_that_may_not_enter_is_refused(running: RunningGateway, path: str) -> None:
    """Once, and nothing reaches the service."""
    token = await running.login("shop-douyin")
    watched = await warm(running)
    answer = await ask(running, head(f"GET {path}", bearer(token)))
    assert problem(answer)["code"] == "route_forbidden"
    assert not watched.took[-1]
    assert len(running.upstream.requests) == 1
    entered, refused = running.log_lines()[-2:]
    assert (entered["status"], refused["status"]) == (200, 403)
    who = {name: refused[name] for name in ("platform", "app")}
    assert who == {"platform": "douyin", "app": "shop-douyin"}
    assert refused["subject"], "an operator sees who was kept out"


# -- limits ---------------------------------------------------------------------------------------

LIMITS: Mapping[str, object] = {"server": {"limits": {"body": 10}}}


async def test_a_body_has_its_limit(tmp_path: Path) -> None:
    """Whole as it is, it is refused before anything is sent."""
    async with run_gateway(tmp_path, LIMITS) as running:
        watched = await warm(running)
        assert (await ask(running, with_body(10))).status == 200
        assert watched.took[-1]
        assert problem(await ask(running, with_body(11)))["code"] == "body_too_large"
        assert not watched.took[-1]


async def test_a_pool_has_its_limit(tmp_path: Path) -> None:
    """When all connections are in use, requests wait for one in tasks, and none is forgotten."""
    async with run_gateway(tmp_path, {"upstreams": {"main": {"connections": 1}}}) as running:
        watched = await warm(running)
        clients = [connected(running) for _ in range(20)]
        opened = [await each.__aenter__() for each in clients]
        await settle(running)
        for client in opened:
            client.writer.write(GET)
        for client in opened:
            assert (await client.answer()).body == b"ok"
        await settle(running)
        for each in clients:
            await each.__aexit__(None, None, None)
        assert True in watched.took
        assert len(running.upstream.requests) == 20


# -- failures -------------------------------------------------------------------------------------


async def test_a_failure_of_ours_leaves_the_request_to_a_task(running: RunningGateway) -> None:
    """Nothing is lost when a step fails in a way nobody thought of."""

    def fail() -> str:
        raise ValueError("made to fail")

    watched = await warm(running)
    parts = dataclasses.replace(watched.path._parts, new_request_id=fail)
    server_of(running).fast_path = FastPath(watched.path._entry, parts)
    for _ in range(2):
        assert (await ask(running, GET)).body == b"ok"
