"""The admin API on a running gateway: health, metrics, who may, the audit log."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from gateway.admin.api import AdminApi, Metrics
from gateway.admin.calls import SessionCalls
from gateway.build import build_admin_api, build_admin_tokens, build_sessions
from gateway.clock import now
from gateway.endpoints.apps import Apps
from gateway.request_ids import RequestIds
from gateway.sessions.model import hash_subject
from gateway.sessions.sqlite.store import SqliteStore
from tests.support.admin import READ_TOKEN, REVOKE_TOKEN, listed, listening, revoke
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.metrics import OPENMETRICS, PLAIN, no_metrics, samples, scrape, value
from tests.support.own import ask_admin, bearer, head, who
from tests.support.raw import ask, connect

# -- health -----------------------------------------------------------------------------------


async def test_health_is_open(admin: RunningGateway) -> None:
    """Alive and ready need no token."""
    for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
        answer = await ask_admin(admin, f"GET {path}", token=None)
        assert (answer.status, json.loads(answer.body)) == (200, {"status": status})
        assert (await ask_admin(admin, f"HEAD {path}", token=None)).status == 200


# -- who may ----------------------------------------------------------------------------------

CALLS = [
    ("GET /api/sessions", "read"),
    ("DELETE /api/sessions/x", "revoke"),
    ("POST /api/subjects/revoke", "revoke"),
    ("GET /api/subjects/block", "read"),
    ("POST /api/subjects/block", "revoke"),
    ("POST /api/subjects/unblock", "revoke"),
]


@pytest.mark.parametrize(("line", "scope"), CALLS)
async def test_each_call_wants_its_scope(admin: RunningGateway, line: str, scope: str) -> None:
    """No token, an unknown one, one without the scope, one of strange bytes: all refused."""
    wrong = REVOKE_TOKEN if scope == "read" else READ_TOKEN
    refusals = [
        (await ask_admin(admin, line, token=None), 401, "session_missing"),
        (await ask_admin(admin, line, token="unknown"), 401, "session_invalid"),
        (await ask_admin(admin, line, token="\xff\xfe"), 401, "session_invalid"),
        (await ask_admin(admin, line, token="\xe4\xbd\xa0"), 401, "session_invalid"),
        (await ask_admin(admin, line, token=wrong), 403, "route_forbidden"),
    ]
    for answer, status, code in refusals:
        assert (answer.status, problem(answer)["code"]) == (status, code)
    right = READ_TOKEN if scope == "read" else REVOKE_TOKEN
    assert (await ask_admin(admin, line, token=right)).status in (200, 400, 404)


@pytest.mark.parametrize("line", [line for line, _ in CALLS])
async def test_a_parameter_that_is_not_known_is_refused(admin: RunningGateway, line: str) -> None:
    """A filter misspelt would find, or end, more than was meant; so would one said twice."""
    for query in ("opend_id=x", "platform=wechat&platform=baidu", "everywhere=true", "="):
        answer = await ask_admin(admin, f"{line}?{query}")
        assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), query


async def test_a_stranger_learns_no_parameters(admin: RunningGateway) -> None:
    """First who asks, then what."""
    answer = await ask_admin(admin, "GET /api/sessions?x", token="unknown")
    assert problem(answer)["code"] == "session_invalid"


async def test_a_clients_token_is_no_admins(admin: RunningGateway) -> None:
    """A session of the public side opens nothing here."""
    answer = await ask_admin(admin, "GET /api/sessions", token=await admin.login())
    assert problem(answer)["code"] == "session_invalid"


# -- metrics ----------------------------------------------------------------------------------


def counted(text: bytes, **labels: str) -> float:
    """Requests under these labels; the others as the usual ones."""
    usual = {"route": "/orders/", "upstream": "main", "method": "GET", "status": "200"}
    usual |= {"error": "", "platform": ""}
    return value(text, "gateway_requests_total", **{**usual, **labels})


async def test_requests_are_counted(admin: RunningGateway) -> None:
    """Proxied ones, own ones, refused ones, and what never was a request."""
    token = await admin.login()
    for _ in range(3):
        assert (await who(admin, token)).status == 200
    await admin.get("/hello.txt")
    await admin.get("/orders/1")
    await admin.get("/nowhere", method="PROPFIND")
    await ask(admin.port, b"rubbish\r\n\r\n")
    text = await scrape(admin.gateway.admin.port)
    assert counted(text, platform="wechat") == 3
    assert counted(text, route="login", upstream="", method="POST", platform="wechat") == 1
    assert counted(text, route="/hello.txt", upstream="") == 1
    assert counted(text, upstream="", status="401", error="session_missing") == 1
    unrouted = {"route": "-", "upstream": "", "method": "other"}
    assert counted(text, **unrouted, status="404", error="route_not_found") == 1
    assert counted(text, **unrouted, status="400", error="bad_request") == 1
    labels = {"route": "/orders/", "status_class": "2xx"}
    assert value(text, "gateway_request_duration_seconds_count", **labels) == 3
    assert 0 < value(text, "gateway_request_duration_seconds_sum", **labels) < 60
    assert value(text, "gateway_response_body_bytes_total", route="/hello.txt") == len("hello\n")


async def test_logins_are_counted_by_how_they_ended(admin: RunningGateway) -> None:
    """An app that is not ours is not named, for a client made it up."""
    await admin.login()
    await admin.login("shop-baidu")
    await admin.post("/login", {"app": "shop-wechat", "code": "no-such-code"})
    await admin.post("/login", {"app": "made-up-by-a-client", "code": "x"})
    text = await scrape(admin.gateway.admin.port)
    found = {
        labels: number
        for (name, labels), number in samples(text).items()
        if name == "gateway_logins_total"
    }
    assert found == {
        (("app", "shop-wechat"), ("outcome", "ok"), ("platform", "wechat")): 1,
        (("app", "shop-baidu"), ("outcome", "ok"), ("platform", "baidu")): 1,
        (("app", "shop-wechat"), ("outcome", "code_invalid"), ("platform", "wechat")): 1,
        (("app", ""), ("outcome", "app_unknown"), ("platform", "")): 1,
    }


async def test_states_are_told_as_they_are(admin: RunningGateway) -> None:
    """Connections of clients and to services, and the process."""
    client = await connect(admin.port)
    await client.send(head("GET /public/1"))
    assert (await client.answer()).status == 200
    text = await scrape(admin.gateway.admin.port)
    assert value(text, "gateway_client_connections") == 1
    assert value(text, "gateway_requests_in_flight") == 0
    (target,) = admin.settings.upstreams["main"].targets
    place = {"upstream": "main", "target": f"http://127.0.0.1:{target.port}"}
    assert value(text, "gateway_upstream_target_up", **place) == 1
    assert value(text, "gateway_upstream_attempts_total", **place) == 1
    assert value(text, "gateway_upstream_connections", **place, state="idle") == 1
    assert value(text, "gateway_worker_cpu_seconds_total", worker="0") > 0
    assert value(text, "gateway_workers") == 1
    assert b"process_cpu_seconds_total" in text
    await client.close()


@pytest.mark.parametrize(
    ("method", "sent", "why"),
    [
        ("GET", head("GET /public/1"), "the service does not answer"),
        ("POST", head("POST /public/1", "Content-Length: 9") + b"half", "the client has not done"),
    ],
)
async def test_a_request_under_way_is_told(
    admin: RunningGateway, method: str, sent: bytes, why: str
) -> None:
    """Its connection is busy until it is answered, or its client has gone."""
    port = admin.gateway.admin.port
    client, idle = await connect(admin.port), await connect(admin.port)
    admin.upstream.answer = b""
    await client.send(sent)
    while not value(text := await scrape(port), "gateway_requests_in_flight"):
        pass
    assert value(text, "gateway_requests_in_flight") == 1
    assert value(text, "gateway_client_connections") == 2
    await client.close()
    while value(text := await scrape(port), "gateway_requests_in_flight"):
        pass
    gone = {"method": method, "status": "499", "error": "client_gone"}
    assert counted(text, route="/public/", **gone) == 1, why
    await idle.close()


async def test_beginnings_and_ends_of_sessions_are_told(admin: RunningGateway) -> None:
    """By the reason: the user's own, an operator's."""
    tokens = [await admin.login() for _ in range(3)]
    assert (await admin.post("/logout", {}, bearer(tokens[0]))).status == 204
    openid = (await admin.codes())["openid"]
    await revoke(admin, {"platform": "wechat", "app": "shop-wechat", "openid": openid})
    text = await scrape(admin.gateway.admin.port)
    created = {"platform": "wechat", "app": "shop-wechat"}
    assert value(text, "gateway_sessions_created_total", **created) == 3
    assert value(text, "gateway_sessions_ended_total", reason="logout") == 1
    assert value(text, "gateway_sessions_ended_total", reason="revoked") == 2
    calls = {"call": "create", "outcome": "ok"}
    assert value(text, "gateway_session_store_calls_total", **calls) == 3


async def test_nothing_of_a_client_is_told(admin: RunningGateway) -> None:
    """Neither path, query, token, openid, host nor address (attacks.md D8, L2)."""
    token = await admin.login()
    openid = str((await admin.codes())["openid"])
    await who(admin, token, "/orders/a-private-path?a=private-query")
    await admin.get("/a-private-path", "X-Session-Token: gw1.private")
    await ask(admin.port, b"GET /x HTTP/1.1\r\nHost: private-host\r\n\r\n")
    text = await scrape(admin.gateway.admin.port)
    told = {said for _, labels in samples(text) for _, said in labels}
    for private in (token, openid, "private"):
        assert not [said for said in told if private in said]
    target = f"http://127.0.0.1:{admin.upstream.port}"
    assert [said for said in told if "127.0.0.1" in said] == [target]


async def test_the_format_is_the_one_asked_for(admin: RunningGateway) -> None:
    """By `Accept`, also where it comes in two lines; nobody may keep the answer."""
    both = ("Accept: text/html", "Accept: application/openmetrics-text; version=1.0.0")
    answer = await ask_admin(admin, "GET /metrics", *both, token=None)
    assert (answer.status, answer.value("Content-Type")) == (200, OPENMETRICS)
    assert answer.value("Cache-Control") == "no-store"
    assert answer.body.endswith(b"# EOF\n")
    strange = "Accept: application/openmetrics-text; version=\xff\xfe"
    answer = await ask_admin(admin, "GET /metrics", strange, token=None)
    assert (answer.status, answer.value("Content-Type")) == (200, PLAIN)
    assert (await ask_admin(admin, "HEAD /metrics", token=None)).status == 200
    assert (await ask_admin(admin, "POST /metrics", token=None)).status == 405


async def test_scrapes_may_come_at_once(admin: RunningGateway) -> None:
    """Each gets a whole answer that can be read."""
    texts = await asyncio.gather(*(scrape(admin.gateway.admin.port) for _ in range(8)))
    assert [value(text, "gateway_workers") for text in texts] == [1] * 8


async def test_metrics_may_ask_for_a_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the scope read; a scrape is no line of audit, a refusal is."""
    caplog.set_level(logging.INFO, "gateway.audit")
    tokens = [
        {"name": "reader", "token": READ_TOKEN, "scopes": ["read"]},
        {"name": "revoker", "token": REVOKE_TOKEN, "scopes": ["revoke"]},
    ]
    changes = {"admin": {"metrics": "token", "tokens": tokens}}
    async with run_gateway(tmp_path, changes) as running:
        for token, status in (
            (READ_TOKEN, 200),
            (REVOKE_TOKEN, 403),
            ("unknown", 401),
            (None, 401),
        ):
            assert (await ask_admin(running, "GET /metrics", token=token)).status == status
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.audit"]
    assert lines == [
        "admin=revoker call=GET /metrics outcome=route_forbidden",
        "admin=- call=GET /metrics outcome=session_invalid",
        "admin=- call=GET /metrics outcome=session_missing",
    ]


async def test_workers_that_do_not_tell_are_not_waited_for(admin: RunningGateway) -> None:
    """A refusal comes before the scraper gives up."""

    async def never(accept: str) -> tuple[bytes, str]:
        await asyncio.Event().wait()
        return b"", PLAIN

    sessions = build_sessions(admin.settings, now)
    metrics = Metrics(never, within_s=0.01)
    api = AdminApi(
        SessionCalls(sessions, Apps([])),
        build_admin_tokens(admin.settings),
        RequestIds(),
        lambda: False,
        metrics=metrics,
    )
    async with listening(api) as port:
        answer = await ask(port, head("GET /metrics"))
    assert (answer.status, problem(answer)["code"]) == (503, "overloaded")


# -- answers ----------------------------------------------------------------------------------


async def test_what_is_not_there_is_refused_as_elsewhere(admin: RunningGateway) -> None:
    """Problem documents, for unknown paths and wrong methods too."""
    answer = await ask_admin(admin, "GET /nothing")
    assert (answer.status, problem(answer)["code"]) == (404, "route_not_found")
    answer = await ask_admin(admin, "POST /healthz")
    assert (answer.status, problem(answer)["code"]) == (405, "method_not_allowed")
    assert set(str(answer.value("Allow")).split(", ")) == {"GET", "HEAD"}


async def test_answers_may_be_kept_by_nobody(admin: RunningGateway) -> None:
    """No-store and no server name (attacks.md L5)."""
    for line in ("GET /healthz", "GET /api/sessions", "GET /nothing"):
        answer = await ask_admin(admin, line)
        assert answer.value("Cache-Control") == "no-store"
        assert answer.value("Server") is None


async def test_who_drains_is_not_ready(admin: RunningGateway) -> None:
    """So that a load balancer sends nothing more, while requests under way end."""
    sessions = build_sessions(admin.settings, now)
    async with listening(
        build_admin_api(admin.settings, sessions, lambda: True, no_metrics)
    ) as port:
        ready = await ask(port, head("GET /readyz"))
        alive = await ask(port, head("GET /healthz"))
    assert (ready.status, json.loads(ready.body)) == (503, {"status": "draining"})
    assert alive.status == 200


class BrokenStore(SqliteStore):
    """A store with a fault of its own, as a programming error would be."""

    async def ping(self) -> None:
        raise RuntimeError("a fault nobody foresaw")


async def test_a_failure_of_ours_tells_nothing(
    admin: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """500 as a problem document; the traceback is in the log only."""
    store = BrokenStore(admin.folder / "broken.db", now)
    sessions = build_sessions(admin.settings, now, store)
    async with listening(
        build_admin_api(admin.settings, sessions, lambda: False, no_metrics)
    ) as port:
        answer = await ask(port, head("GET /readyz"))
    assert (answer.status, problem(answer)["code"]) == (500, "internal_error")
    assert b"nobody foresaw" not in answer.body
    assert "nobody foresaw" in caplog.text


# -- the audit log ----------------------------------------------------------------------------


async def test_each_call_is_one_line_of_audit(
    admin: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Who, what, the answer; no token and no openid."""
    caplog.set_level(logging.INFO, "gateway.audit")
    token = await admin.login()
    openid = str((await admin.codes())["openid"])
    (one,) = (await listed(admin, f"?openid={openid}"))["sessions"]
    await ask_admin(admin, f"DELETE /api/sessions/{one['id']}")
    await ask_admin(admin, f"DELETE /api/sessions/{one['id']}", token=READ_TOKEN)
    for _ in range(2):
        await admin.login()
    await revoke(admin, {"platform": "wechat", "app": "shop-wechat", "openid": openid})
    await revoke(admin, {"padding": "x" * 20000})
    await ask_admin(admin, "GET /api/sessions", token="unknown-token")
    user = hash_subject(f"wechat:wxshop:{openid}")
    guest = hash_subject(f"wechat:wxshop:anonymous:{openid}")
    assert user in admin.log_text()  # as the access log tells it
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.audit"]
    assert lines == [
        "admin=ops call=GET /api/sessions outcome=200",
        f"admin=ops call=DELETE /api/sessions/{one['id']} outcome=204 subject={user} ended=1",
        f"admin=reader call=DELETE /api/sessions/{one['id']} outcome=route_forbidden",
        f"admin=ops call=POST /api/subjects/revoke outcome=200 subject={user},{guest} ended=2",
        "admin=ops call=POST /api/subjects/revoke outcome=413",
        "admin=- call=GET /api/sessions outcome=session_invalid",
    ]
    for private in (openid, token, READ_TOKEN, "unknown-token", "admin-token-for-tests"):
        assert private not in "\n".join(lines)


async def test_health_is_not_audited(
    admin: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Probes come every second; nothing was done."""
    caplog.set_level(logging.INFO, "gateway.audit")
    await ask_admin(admin, "GET /healthz", bearer("x"), token=None)
    assert [record for record in caplog.records if record.name == "gateway.audit"] == []
