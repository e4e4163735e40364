"""What operators do with sessions and subjects, on a running gateway."""

import json
import logging
from pathlib import Path

import pytest

from gateway.admin.api import AdminApi
from gateway.admin.calls import SessionCalls, act_on_each
from gateway.build import build_admin_api, build_admin_tokens, build_sessions
from gateway.clock import now
from gateway.endpoints.apps import Apps
from gateway.errors import GatewayError
from gateway.request_ids import RequestIds
from gateway.sessions.model import Subject, hash_subject
from tests.support.admin import READ_TOKEN, call_admin, listed, listening, revoke, revoke_at
from tests.support.gateway import ADMIN_TOKEN, RunningGateway, problem, run_gateway
from tests.support.metrics import no_metrics
from tests.support.own import JSON, ask_admin, bearer, head, token_of, who
from tests.support.raw import Message, ask
from tests.support.sessions import HandClock, make_subject
from tests.support.websocket import client_frame, opened

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


async def test_a_token_given_as_id_is_told_nobody(
    admin: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator's slip: it reaches neither the store nor the audit log (L2, X2)."""
    caplog.set_level(logging.INFO, "gateway.audit")
    token = await admin.login()
    answer = await ask_admin(admin, f"DELETE /api/sessions/{token}")
    assert problem(answer)["code"] == "route_not_found"
    written = caplog.text + admin.log_text()
    assert "DELETE /api/sessions/{id} outcome=route_not_found" in written
    assert token not in written
    assert token.split(".")[1] not in written
    assert (await who(admin, token)).status == 200


@pytest.mark.parametrize("more", [', "dry_run": true', ', "openid": "o-other"'])
async def test_a_revocation_that_says_too_much_ends_nobody(
    admin: RunningGateway, more: str
) -> None:
    """A name that is not known, or said twice, is a slip."""
    token = await admin.login()
    openid = (await admin.codes())["openid"]
    body = f'{{"platform": "wechat", "app": "shop-wechat", "openid": "{openid}"{more}}}'.encode()
    answer = await ask_admin(admin, "POST /api/subjects/revoke", JSON, body=body)
    assert problem(answer)["code"] == "bad_request"
    assert (await who(admin, token)).status == 200


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
    calls = SessionCalls(sessions, apps, body_s=0.1)
    api = AdminApi(calls, tokens, RequestIds(), lambda: False)
    sent = head("POST /api/subjects/revoke", bearer(ADMIN_TOKEN), "Content-Length: 9") + b"{"
    async with listening(api) as port:
        answer = await ask(port, sent)
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert answer.value("Connection") == "close"


# -- blocking -------------------------------------------------------------------------------------


async def subject_of(running: RunningGateway, user: str = "alice") -> dict[str, object]:
    """A user of shop-wechat, as operators name one."""
    openid = (await running.codes(user=user))["openid"]
    return {"platform": "wechat", "app": "shop-wechat", "openid": openid}


async def log_in(running: RunningGateway, user: str = "alice") -> Message:
    """What `/login` says to this user of shop-wechat."""
    return await running.post(
        "/login", {"app": "shop-wechat", "code": await running.code(user=user)}
    )


async def test_a_blocked_user_is_out_and_stays_out(admin: RunningGateway) -> None:
    """All sessions end, and logins are 403 without a word of why; others do not notice."""
    mine = [await admin.login() for _ in range(2)]
    others = [await admin.login(user="bob"), await admin.login("game-wechat")]
    subject = await subject_of(admin)
    answer = await call_admin(admin, "block", {**subject, "reason": "sold his account"})
    assert (answer.status, json.loads(answer.body)) == (200, {"ended": 2})
    for token in mine:
        assert problem(await who(admin, token))["code"] == "session_revoked"
    refused = await log_in(admin)
    assert (refused.status, problem(refused)["code"]) == (403, "user_blocked")
    assert b"sold" not in refused.body
    for token in others:
        assert (await who(admin, token)).status == 200
    assert (await log_in(admin, "bob")).status == 200


async def test_an_unblocked_user_may_log_in_again(admin: RunningGateway) -> None:
    """His old sessions stay ended; unblocking nobody is said to be that."""
    token, subject = await admin.login(), await subject_of(admin)
    await call_admin(admin, "block", subject)
    for lifted in (True, False):
        answer = await call_admin(admin, "unblock", subject)
        assert (answer.status, json.loads(answer.body)) == (200, {"unblocked": lifted})
    assert (await log_in(admin)).status == 200
    assert problem(await who(admin, token))["code"] == "session_revoked"


async def test_a_guest_is_blocked_by_the_anonymous_openid(admin: RunningGateway) -> None:
    """As one is revoked."""
    token, anonymous_openid = await login_as_guest(admin)
    subject = {"platform": "douyin", "app_id": "ttshop", "openid": anonymous_openid}
    answer = await call_admin(admin, "block", subject)
    assert json.loads(answer.body) == {"ended": 1}
    assert problem(await who(admin, token, "/guest/1"))["code"] == "session_revoked"
    given = await admin.codes("shop-douyin", "guest")
    fields = {"app": "shop-douyin", "anonymous_code": given["anonymous_code"]}
    assert problem(await admin.post("/login", fields))["code"] == "user_blocked"


async def test_a_block_ends_when_it_says(tmp_path: Path) -> None:
    """To the second; a later block replaces it; one that is over is refused and ends nobody."""
    clock = HandClock()
    async with run_gateway(tmp_path, clock=clock) as running:
        token, subject = await running.login(), await subject_of(running)
        over = await call_admin(running, "block", {**subject, "until": int(clock())})
        assert problem(over)["code"] == "bad_request"
        assert (await who(running, token)).status == 200
        for until in (None, clock() + 3600):
            answer = await call_admin(running, "block", {**subject, "until": until})
            assert answer.status == 200
        clock.forward(3599)
        assert problem(await log_in(running))["code"] == "user_blocked"
        clock.forward(2)
        assert (await log_in(running)).status == 200


async def test_a_block_can_be_looked_up(admin: RunningGateway) -> None:
    """Until when, and why; by those who may read."""
    subject = await subject_of(admin)
    line = f"GET /api/subjects/block?platform=wechat&app=wxshop&openid={subject['openid']}"
    assert json.loads((await ask_admin(admin, line)).body) == {"blocked": False}
    shown = {"blocked": True, "until": 1900000000.0, "reason": "卖号"}
    fields = {**subject, "until": "2030-03-17T17:46:40Z", "reason": "卖号"}
    assert (await call_admin(admin, "block", fields)).status == 200
    assert json.loads((await ask_admin(admin, line, token=READ_TOKEN)).body) == shown
    half = await ask_admin(admin, "GET /api/subjects/block?platform=wechat")
    assert problem(half)["code"] == "bad_request"


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("block", {"untill": 1900000000}, "a slip that would block for good"),
        ("block", {"until": "tomorrow"}, "no moment"),
        ("block", {"reason": "a\nb"}, "two lines"),
        ("block", {"openid": ""}, "nobody"),
        ("unblock", {"reason": "mercy"}, "nothing that unblocking knows"),
    ],
)
async def test_a_block_that_cannot_be_read_ends_nobody(
    admin: RunningGateway, name: str, more: dict[str, object], why: str
) -> None:
    """400, and nothing has happened."""
    token, subject = await admin.login(), await subject_of(admin)
    answer = await call_admin(admin, name, {**subject, **more})
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why
    assert (await who(admin, token)).status == 200


async def test_a_block_closes_what_is_open(admin: RunningGateway) -> None:
    """WebSockets get 4401, as at any ending."""
    token = await admin.login()
    client, peer = await opened(admin, b"/orders/ws", bearer(token).encode())
    await call_admin(admin, "block", await subject_of(admin))
    assert (await client_frame(client)).close == (4401, "session ended")
    await client.close()
    peer.close()


async def test_the_audit_log_tells_of_blocks(
    admin: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Whom, hashed; until when, why, and how many sessions ended; no openid."""
    caplog.set_level(logging.INFO, "gateway.audit")
    subject = await subject_of(admin)
    await admin.login()
    await call_admin(admin, "block", {**subject, "until": 1900000000, "reason": 'so "he" said'})
    await call_admin(admin, "block", subject)
    await call_admin(admin, "unblock", subject)
    hashed = ",".join(
        hash_subject(f"wechat:wxshop:{kind}{subject['openid']}") for kind in ("", "anonymous:")
    )
    block = f"admin=ops call=POST /api/subjects/block outcome=200 subject={hashed}"
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway.audit"]
    assert lines == [
        f'{block} until=1900000000 reason="so \\"he\\" said" ended=1',
        f'{block} until="for good" reason="" ended=0',
        f"admin=ops call=POST /api/subjects/unblock outcome=200 subject={hashed}",
    ]
    assert str(subject["openid"]) not in caplog.text


async def test_one_failure_keeps_nobody_else_from_it() -> None:
    """A user is ended though the guest of that id could not be, and it is told."""
    asked: list[Subject] = []

    async def act(subject: Subject) -> int:
        asked.append(subject)
        if subject.id == "bad":
            raise GatewayError("store_unavailable")
        return len(asked)

    subjects = [make_subject(name) for name in ("a", "bad", "b")]
    assert await act_on_each(subjects[::2], act) == [1, 2]
    with pytest.raises(GatewayError, match="store_unavailable"):
        await act_on_each(subjects, act)
    assert asked[2:] == subjects
