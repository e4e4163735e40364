"""The admin API on a running gateway: health, sessions, revocation, the audit log."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.admin.api import AdminApi, Metrics
from gateway.admin.listener import AdminListener
from gateway.build import build_admin_api, build_admin_tokens, build_sessions
from gateway.clock import now
from gateway.endpoints.apps import Apps
from gateway.request_ids import RequestIds
from gateway.sessions.sqlite import SqliteStore
from tests.support.gateway import ADMIN_TOKEN, RunningGateway, problem, run_gateway
from tests.support.metrics import OPENMETRICS, PLAIN, no_metrics, samples, scrape, value
from tests.support.own import JSON, ask_admin, bearer, head, token_of, who
from tests.support.raw import Message, ask, connect

READ_TOKEN = "read-token-for-tests"
REVOKE_TOKEN = "revoke-token-for-tests"


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with three admin tokens."""
    tokens = [
        {"name": "ops", "token": "admin-token-for-tests", "scopes": ["read", "revoke"]},
        {"name": "reader", "token": READ_TOKEN, "scopes": ["read"]},
        {"name": "revoker", "token": REVOKE_TOKEN, "scopes": ["revoke"]},
    ]
    async with run_gateway(tmp_path, {"admin": {"tokens": tokens}}) as running:
        yield running


async def listed(running: RunningGateway, query: str = "") -> dict[str, list[dict[str, object]]]:
    answer = await ask_admin(running, f"GET /api/sessions{query}")
    assert answer.status == 200, answer
    body: dict[str, list[dict[str, object]]] = json.loads(answer.body)
    return body


async def revoke(running: RunningGateway, fields: object, **more: str) -> Message:
    body = json.dumps(fields).encode()
    return await ask_admin(running, "POST /api/subjects/revoke", JSON, body=body, **more)


@asynccontextmanager
async def listening(api: AdminApi) -> AsyncIterator[int]:
    """An admin listener of its own; yields its port."""
    listener = AdminListener(api)
    await listener.open("127.0.0.1", 0)
    try:
        yield listener.port
    finally:
        await listener.close()


async def revoke_at(port: int, fields: object) -> Message:
    body = json.dumps(fields).encode()
    length = f"Content-Length: {len(body)}"
    line = "POST /api/subjects/revoke"
    return await ask(port, head(line, JSON, bearer(ADMIN_TOKEN), length) + body)


# -- health -----------------------------------------------------------------------------------


async def test_health_is_open(admin: RunningGateway) -> None:
    """Alive and ready need no token."""
    for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
        answer = await ask_admin(admin, f"GET {path}", token=None)
        assert (answer.status, json.loads(answer.body)) == (200, {"status": status})
        assert (await ask_admin(admin, f"HEAD {path}", token=None)).status == 200


# -- listing ----------------------------------------------------------------------------------


async def test_sessions_are_listed(admin: RunningGateway) -> None:
    """Who, where and when; an id that ends it, no token."""
    token = await admin.login()
    given = await admin.codes()
    (one,) = (await listed(admin))["sessions"]
    assert (one["platform"], one["app"], one["anonymous"]) == ("wechat", "shop-wechat", False)
    assert one["subject"] == f"wechat:wxshop:{given['openid']}"
    assert set(one) == {
        "id",
        "subject",
        "platform",
        "app",
        "anonymous",
        "created_at",
        "expires_at",
        "last_used_at",
    }
    assert token not in json.dumps(one)
    assert (await who(admin, token)).status == 200
    assert admin.upstream.requests[-1].value("X-Session-Id") == one["id"]


async def test_a_list_is_filtered(admin: RunningGateway) -> None:
    """By platform, app and openid, alone and together."""
    for app, user in (
        ("shop-wechat", "alice"),
        ("shop-wechat", "bob"),
        ("game-wechat", "alice"),
        ("shop-baidu", "alice"),
    ):
        await admin.login(app, user)
    openid = (await admin.codes("shop-wechat", "bob"))["openid"]
    counts = {
        "": 4,
        "?app=wxshop": 2,
        "?app=bdshop&platform=baidu": 1,
        "?app=wxshop&platform=baidu": 0,
        "?platform=wechat": 3,
        "?platform=douyin": 0,
        "?app=shop-wechat": 2,
        "?app=nobody": 0,
        f"?openid={openid}": 1,
        f"?openid={openid}&platform=wechat&app=shop-wechat": 1,
        f"?openid={openid}&platform=baidu": 0,
        "?openid=%ff%ed%a0%80%00": 0,
        "?app=%27%3B--": 0,
    }
    for query, count in counts.items():
        assert len((await listed(admin, query))["sessions"]) == count, query


async def test_a_list_comes_in_pages(admin: RunningGateway) -> None:
    """`after` goes on where the last page ended, until it is null; each session once."""
    for number in range(5):
        await admin.login(user=f"user-{number}")
    seen: list[object] = []
    after: object = ""
    while after is not None:
        page = await listed(admin, f"?limit=2&after={after}" if after else "?limit=2")
        assert len(page["sessions"]) <= 2
        seen += [one["id"] for one in page["sessions"]]
        after = page["after"]
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("limit=x", "no number"),
        ("limit=-1", "a sign"),
        ("limit=%C2%B2", "a digit of another kind"),
        ("limit=9999999", "too many digits"),
        ("app=\xff", "a byte that is no UTF-8"),
        ("openid=\xed\xa0\x80", "half a surrogate pair"),
        ("platform=\xed\xa0\x80", "the same elsewhere"),
        ("after=\xff", "the same again"),
        ("after=zzz", "from no earlier page"),
        ("openid=o&after=zzz", "nor by another way of looking"),
    ],
)
async def test_a_list_that_cannot_be_asked_for(admin: RunningGateway, query: str, why: str) -> None:
    """400, with our code."""
    answer = await ask_admin(admin, f"GET /api/sessions?{query}")
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why


async def test_a_limit_is_brought_into_its_bounds(admin: RunningGateway) -> None:
    """0 is 1, and a million is a thousand."""
    await admin.login()
    await admin.login()
    assert len((await listed(admin, "?limit=0"))["sessions"]) == 1
    assert len((await listed(admin, "?limit=999999"))["sessions"]) == 2


# -- ending -----------------------------------------------------------------------------------


async def test_a_session_is_ended_by_its_id(admin: RunningGateway) -> None:
    """Its token is revoked at once; a second time there is none."""
    token, other = await admin.login(), await admin.login(user="bob")
    openid = (await admin.codes())["openid"]
    (one,) = (await listed(admin, f"?openid={openid}"))["sessions"]
    line = f"DELETE /api/sessions/{one['id']}"
    answer = await ask_admin(admin, line)
    assert (answer.status, answer.body) == (204, b"")
    assert problem(await who(admin, token))["code"] == "session_revoked"
    assert (await who(admin, other)).status == 200
    assert problem(await ask_admin(admin, line))["code"] == "route_not_found"


@pytest.mark.parametrize("name", ["x", "A" * 43, "%00", "..%2F..", "A" * 5000])
async def test_an_id_that_is_none_ends_nothing(admin: RunningGateway, name: str) -> None:
    """404, whatever it looks like."""
    answer = await ask_admin(admin, f"DELETE /api/sessions/{name}")
    assert (answer.status, problem(answer)["code"]) == (404, "route_not_found")


async def test_all_sessions_of_a_subject_are_ended(admin: RunningGateway) -> None:
    """Not another's, nor this user's at another app."""
    mine = [await admin.login() for _ in range(3)]
    others = [await admin.login(user="bob"), await admin.login("game-wechat")]
    subject = {
        "platform": "wechat",
        "app": "shop-wechat",
        "openid": (await admin.codes())["openid"],
    }
    answer = await revoke(admin, subject)
    assert (answer.status, json.loads(answer.body)) == (200, {"ended": 3})
    for token in mine:
        assert problem(await who(admin, token))["code"] == "session_revoked"
    for token in others:
        assert (await who(admin, token)).status == 200
    assert json.loads((await revoke(admin, subject)).body) == {"ended": 0}
    token_of(await admin.post("/login", {"app": "shop-wechat", "code": await admin.code()}))


async def login_as_guest(running: RunningGateway) -> tuple[str, str]:
    """Log in with Douyin's anonymous code alone; return the token and the anonymous openid."""
    given = await running.codes("shop-douyin", "guest")
    fields = {"app": "shop-douyin", "anonymous_code": given["anonymous_code"]}
    token = token_of(await running.post("/login", fields))
    assert (await who(running, token, "/guest/1")).status == 200
    return token, str(running.upstream.requests[-1].value("X-Anonymous-OpenId"))


async def test_an_app_is_named_by_its_platform_id_too(admin: RunningGateway) -> None:
    """As at login; or by `app_id`, which asks no settings."""
    openid = (await admin.codes())["openid"]
    for app in ({"app": "shop-wechat"}, {"app": "wxshop"}, {"app_id": "wxshop"}):
        token = await admin.login()
        answer = await revoke(admin, {"platform": "wechat", "openid": openid, **app})
        assert (answer.status, json.loads(answer.body)) == (200, {"ended": 1}), app
        assert problem(await who(admin, token))["code"] == "session_revoked"


async def test_a_guest_is_ended_by_the_anonymous_openid(admin: RunningGateway) -> None:
    """A service sees it in a header, and an operator may have it from there."""
    token, anonymous_openid = await login_as_guest(admin)
    subject = {"platform": "douyin", "app": "shop-douyin", "openid": anonymous_openid}
    assert json.loads((await revoke(admin, subject)).body) == {"ended": 1}
    assert problem(await who(admin, token, "/guest/1"))["code"] == "session_revoked"


async def test_an_app_with_a_new_name_keeps_its_users(tmp_path: Path) -> None:
    """The name at login does not count: sessions belong to the platform's app id."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
        openid = (await running.codes())["openid"]
        apps = {"new-name": running.settings.apps["shop-wechat"]}
        settings = running.settings.model_copy(update={"apps": apps})
        sessions = build_sessions(settings, now)
        await sessions.open()
        async with listening(
            build_admin_api(settings, sessions, lambda: False, no_metrics)
        ) as port:
            subject = {"platform": "wechat", "app": "new-name", "openid": openid}
            old = await revoke_at(port, {**subject, "app": "shop-wechat"})
            assert (old.status, problem(old)["code"]) == (400, "app_unknown")
            assert json.loads((await revoke_at(port, subject)).body) == {"ended": 1}
        await sessions.close()
        assert problem(await who(running, token))["code"] == "session_revoked"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "nothing"),
        (b"{", "broken"),
        (b"[]", "no object"),
        (b"\xff", "no UTF-8"),
        (b"[" * 10000, "nested deeper than we read"),
        (b'{"platform":"wechat","app":"shop-wechat"}', "whom?"),
        (b'{"platform":"wechat","app":"shop-wechat","openid":""}', "an empty openid"),
        (b'{"platform":"wechat","app":"shop-wechat","openid":null}', "no text"),
        (b'{"platform":1,"app":["x"],"openid":{}}', "nothing is text"),
        (b'{"platform":"wechat","app":"shop-wechat","openid":"\\ud800"}', "half a pair"),
        (b'{"platform":"wechat","app_id":"\\udfff","openid":"o"}', "the other half"),
    ],
)
async def test_a_subject_that_is_not_named_ends_nobody(
    admin: RunningGateway, body: bytes, why: str
) -> None:
    """All three parts are wanted: fewer would end more than was meant."""
    token = await admin.login()
    answer = await ask_admin(admin, "POST /api/subjects/revoke", JSON, body=body)
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why
    assert (await who(admin, token)).status == 200


async def test_a_body_is_bounded(admin: RunningGateway) -> None:
    """16 KiB are more than any subject."""
    body = b" " * 20000
    answer = await ask_admin(admin, "POST /api/subjects/revoke", JSON, body=body)
    assert (answer.status, problem(answer)["code"]) == (413, "body_too_large")


async def test_a_body_that_stops_arriving_is_given_up(admin: RunningGateway) -> None:
    """An answer, and the connection is free again."""
    tokens, apps = build_admin_tokens(admin.settings), Apps([])
    sessions = build_sessions(admin.settings, now)
    api = AdminApi(sessions, tokens, apps, RequestIds(), lambda: False, body_s=0.1)
    sent = head("POST /api/subjects/revoke", bearer(ADMIN_TOKEN), "Content-Length: 9") + b"{"
    async with listening(api) as port:
        answer = await ask(port, sent)
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert answer.value("Connection") == "close"


# -- who may ----------------------------------------------------------------------------------

CALLS = [
    ("GET /api/sessions", "read"),
    ("DELETE /api/sessions/x", "revoke"),
    ("POST /api/subjects/revoke", "revoke"),
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
        sessions,
        build_admin_tokens(admin.settings),
        Apps([]),
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
    await revoke(admin, {"platform": "wechat", "app": "shop-wechat", "openid": openid})
    await revoke(admin, {"padding": "x" * 20000})
    await ask_admin(admin, "GET /api/sessions", token="unknown-token")
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.audit"]
    assert lines == [
        "admin=ops call=GET /api/sessions outcome=200",
        f"admin=ops call=DELETE /api/sessions/{one['id']} outcome=204",
        f"admin=reader call=DELETE /api/sessions/{one['id']} outcome=route_forbidden",
        "admin=ops call=POST /api/subjects/revoke outcome=200",
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
