"""`POST /login` and its alias path, through a real gateway and the simulator."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from gateway.app import Gateway
from gateway.clock import now
from gateway.endpoints.login import MOCK_CODE, _new_login
from gateway.errors import GatewayError
from gateway.platforms.base import PlatformApp, PlatformIdentity
from gateway.simulator.codes import MOCK_CODE as SIMULATED_MOCK_CODE
from tests.support.gateway import APPS, RunningGateway, problem, run_gateway
from tests.support.metrics import scrape, value
from tests.support.own import (
    FORM,
    JSON,
    ask_admin,
    bearer,
    exchanges,
    head,
    send,
    send_form,
    token_of,
    who,
)
from tests.support.raw import Message, connect
from tests.support.sessions import HandClock

ALIAS = "/api/v1/registers"
TOLD = {
    "token",
    "token_type",
    "platform",
    "app",
    "created_at",
    "expires_at",
    "expires_in",
    "anonymous",
}


async def seen_openid(running: RunningGateway, answer: Message) -> str | None:
    """The openid that a service gets for the token of this login."""
    assert (await who(running, token_of(answer), "/guest/")).status == 200
    return running.upstream.requests[-1].value("X-OpenId")


# -- who logs in ------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
async def test_every_app_logs_in_by_json_and_by_form(running: RunningGateway, app: str) -> None:
    """The answer says what the contract says, and the token names this user."""
    chosen = running.settings.apps[app]
    for post in (running.post, None):
        given = await running.codes(app)
        fields = {"app": app, "code": str(given["code"])}
        answer = await (post("/login", fields) if post else send_form(running, "/login", **fields))
        told = json.loads(answer.body)
        assert set(told) == TOLD
        assert (told["token_type"], told["anonymous"]) == ("Bearer", False)
        assert (told["platform"], told["app"]) == (chosen.platform, app)
        assert await seen_openid(running, answer) == given["openid"]


@pytest.mark.parametrize("app", APPS)
async def test_an_app_is_named_by_the_platforms_id_too(running: RunningGateway, app: str) -> None:
    """With or without the platform beside it."""
    chosen = running.settings.apps[app]
    for more in ({}, {"platform": chosen.platform}):
        fields = {"app": chosen.app_identifier, "code": await running.code(app), **more}
        token_of(await running.post("/login", fields))


@pytest.mark.parametrize(
    ("fields", "code", "why"),
    [
        ({}, "bad_request", "eight apps fit"),
        ({"platform": "wechat"}, "bad_request", "two apps of this platform fit"),
        ({"app": None, "platform": ""}, "bad_request", "null and empty mean absent"),
        ({"app": "nobody"}, "app_unknown", "no such name or id"),
        ({"app": "shop-wechat", "platform": "douyin"}, "app_unknown", "the app is elsewhere"),
        ({"platform": "alipay"}, "app_unknown", "no app of this platform"),
        ({"app": "../wxshop"}, "app_unknown", "no path"),
        ({"app": "wxshop\r\nx"}, "bad_request", "no control characters"),
        ({"app": 1}, "bad_request", "not a text"),
    ],
)
async def test_an_app_that_is_not_one_causes_no_call(
    running: RunningGateway, fields: dict[str, object], code: str, why: str
) -> None:
    """Nothing goes out for an app that is not configured (attacks.md S10)."""
    answer = await running.post("/login", {"code": await running.code(), **fields})
    assert (answer.status, problem(answer)["code"]) == (400, code), why
    assert await exchanges(running, "wechat") == 0


@pytest.mark.parametrize(
    ("apps", "fields", "why"),
    [
        (["shop-wechat"], {}, "the only one there is"),
        (["shop-wechat", "shop-baidu"], {"platform": "wechat"}, "the only one of its platform"),
    ],
)
async def test_the_app_may_be_left_out_where_one_fits(
    running: RunningGateway, apps: list[str], fields: dict[str, object], why: str
) -> None:
    """Nothing else could be meant."""
    few = {name: running.settings.apps[name] for name in apps}
    async with Gateway(running.settings.model_copy(update={"apps": few}), now) as gateway:
        smaller = replace(running, gateway=gateway)
        answer = await smaller.post("/login", {"code": await running.code(), **fields})
        assert json.loads(answer.body)["app"] == "shop-wechat", why


# -- the alias path ---------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
async def test_the_alias_path_logs_in(running: RunningGateway, app: str) -> None:
    """Platform and app id from the path; the code from query or body, by GET or POST."""
    chosen = running.settings.apps[app]
    path = f"{ALIAS}/{chosen.platform}_program/{chosen.app_identifier}"

    async def fresh() -> str:
        return str((await running.codes(app))["code"])

    answers = [
        await running.get(f"{path}?{urlencode({'code': await fresh()})}"),
        await send(running, f"POST {path}?{urlencode({'code': await fresh()})}"),
        await send_form(running, path, code=await fresh()),
        await running.post(path, {"code": await fresh()}),
        await send(running, f"GET {path}", json.dumps({"code": await fresh()}).encode(), JSON),
    ]
    for answer in answers:
        token_of(answer)
        assert json.loads(answer.body)["app"] == app


@pytest.mark.parametrize("app", ["shop-baidu", "new-baidu"])
async def test_a_federated_code_arrives_as_it_is(running: RunningGateway, app: str) -> None:
    """Baidu's codes may hold an `@`; it passes plain and percent-encoded (platforms.md 3.1)."""
    chosen = running.settings.apps[app]
    path = f"{ALIAS}/baidu_program/{chosen.app_identifier}"
    for spell in (str, quote):
        given = await running.simulate(
            "codes",
            platform="baidu",
            app_id=chosen.app_identifier,
            user="alice",
            federated=True,
        )
        code = str(given["code"])
        assert "@" in code
        answer = await running.get(f"{path}?code={spell(code)}")
        assert await seen_openid(running, answer) == given["openid"]


@pytest.mark.parametrize(
    ("sent", "got", "why"),
    [
        ("a+b%40c", "a+b@c", "a plus in a query that was joined by hand"),
        ("a%2Bb@c", "a+b@c", "a plus that was encoded"),
        ("a%2526b", "a%26b", "decoded once"),
    ],
)
async def test_a_code_in_the_query_is_read_as_meant(
    tmp_path: Path, sent: str, got: str, why: str
) -> None:
    """A code holds no space, so a plus is a plus; the platform sees what the client got."""
    async with run_gateway(tmp_path) as running:
        path = f"{ALIAS}/wechat_program/wxshop"
        by_query = await running.get(f"{path}?code={sent}")
        by_body = await running.post("/login", {"app": "shop-wechat", "code": got})
        assert problem(by_query)["code"] == problem(by_body)["code"] == "code_invalid", why
        # The same code said in query and body agrees with itself, whatever its spelling.
        both = await running.post(f"{path}?code={sent}", {"code": got})
        assert problem(both)["code"] == "code_invalid", why


@pytest.mark.parametrize(
    ("target", "fields", "code", "why"),
    [
        ("alipay_program/wxshop?code=c", {}, "app_unknown", "unknown platform"),
        ("wechat_program/nobody?code=c", {}, "app_unknown", "unknown app"),
        ("douyin_program/wxshop?code=c", {}, "app_unknown", "another platform's app"),
        ("wechat_program/wx%2Fshop?code=c", {}, "app_unknown", "an encoded slash"),
        ("wechat_program/wxshop", {}, "bad_request", "no code"),
        ("wechat_program/wxshop?code=", {}, "bad_request", "an empty code"),
        ("wechat_program/wxshop?code=a&code=b", {}, "bad_request", "two codes"),
        ("wechat_program/wxshop?code=%ff", {}, "bad_request", "no UTF-8"),
        ("wechat_program/wxshop?code=a", {"code": "b"}, "bad_request", "two that differ"),
        ("wechat_program/wxshop?code=a", {"platform": "douyin"}, "bad_request", "path and body"),
        ("wechat_program/wxshop?code=a", {"app": "wxgame"}, "bad_request", "path and body"),
    ],
)
async def test_an_alias_login_that_cannot_be_one(
    running: RunningGateway, target: str, fields: dict[str, object], code: str, why: str
) -> None:
    """Each with its code, and no call to any platform."""
    answer = await running.post(f"{ALIAS}/{target}", fields)
    assert problem(answer)["code"] == code, why
    assert await exchanges(running, "wechat") == 0


async def test_a_null_in_the_body_leaves_the_query_its_say(running: RunningGateway) -> None:
    """Null and the empty text mean that nothing was sent."""
    for nothing in (None, ""):
        path = f"{ALIAS}/wechat_program/wxshop?code={await running.code()}"
        token_of(await running.post(path, {"code": nothing, "anonymous_code": nothing}))


async def test_login_reads_no_code_from_a_query(running: RunningGateway) -> None:
    """Only the alias does: codes in URLs end up in other people's logs."""
    answer = await running.post(f"/login?code={await running.code()}", {"app": "shop-wechat"})
    assert problem(answer)["code"] == "bad_request"


# -- guests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["shop-douyin", "game-douyin"])
async def test_a_guest_enters_where_guests_may(running: RunningGateway, app: str) -> None:
    """403 on required routes, in on anonymous and optional ones; nobody's openid is told."""
    given = await running.codes(app)
    fields = {"app": app, "anonymous_code": given["anonymous_code"]}
    answer = await running.post("/login", fields)
    token = token_of(answer)
    assert json.loads(answer.body)["anonymous"] is True
    refused = await who(running, token)
    assert (refused.status, problem(refused)["code"]) == (403, "route_forbidden")
    assert running.upstream.requests == []
    for path in ("/guest/1", "/opt/1"):
        assert (await who(running, token, path)).status == 200
        seen = running.upstream.requests[-1]
        assert seen.value("X-OpenId") is None
        assert seen.value("X-Anonymous-OpenId") == given["anonymous_openid"]
        assert ":anonymous:" in str(seen.value("X-Subject"))
    shown = await running.get("/session", bearer(token))
    assert json.loads(shown.body)["anonymous"] is True


async def test_a_user_who_sends_both_codes_is_a_user(running: RunningGateway) -> None:
    """The guest's id stands beside the openid."""
    given = await running.codes("shop-douyin")
    fields = {
        "app": "shop-douyin",
        "code": given["code"],
        "anonymous_code": given["anonymous_code"],
    }
    answer = await running.post("/login", fields)
    assert json.loads(answer.body)["anonymous"] is False
    assert (await who(running, token_of(answer))).status == 200
    seen = running.upstream.requests[-1]
    assert seen.value("X-OpenId") == given["openid"]
    assert seen.value("X-Anonymous-OpenId") == given["anonymous_openid"]


async def test_the_alias_takes_a_guests_code_too(running: RunningGateway) -> None:
    """By its own name in the query."""
    given = await running.codes("shop-douyin")
    query = urlencode({"anonymous_code": given["anonymous_code"]})
    answer = await running.get(f"{ALIAS}/douyin_program/ttshop?{query}")
    assert json.loads(answer.body)["anonymous"] is True


async def test_other_platforms_know_no_guests(running: RunningGateway) -> None:
    """A guest's code alone is no login there, and causes no call."""
    for app in ("shop-wechat", "shop-baidu", "shop-kuaishou"):
        answer = await running.post("/login", {"app": app, "anonymous_code": "a" * 32})
        assert problem(answer)["code"] == "bad_request"
        assert await exchanges(running, running.settings.apps[app].platform) == 0


# -- what a session is made of ----------------------------------------------------------------


async def test_the_unionid_is_kept_unless_settings_say_no(tmp_path: Path) -> None:
    """`unionid: off` neither stores nor tells it."""
    async with run_gateway(tmp_path) as running:
        assert (await who(running, await running.login())).status == 200
        assert running.upstream.requests[-1].value("X-UnionId") is not None
    off = {"apps": {"shop-wechat": {"unionid": "off"}}}
    async with run_gateway(tmp_path, off) as running:
        assert (await who(running, await running.login())).status == 200
        assert running.upstream.requests[-1].value("X-UnionId") is None


def test_a_login_without_an_id_is_nobodys() -> None:
    """A platform's code that named nobody must not make everybody one user."""
    with pytest.raises(GatewayError) as refused:
        _new_login(PlatformApp("a", "wechat", "wx1", "secret"), PlatformIdentity(None))
    assert refused.value.code == "platform_error"


async def test_each_login_has_a_session_of_its_own(running: RunningGateway) -> None:
    """Never the one the client came with, whose token stays good (attacks.md S9)."""
    seen: set[str | None] = set()
    tokens: list[str] = []
    for _ in range(3):
        sent = [bearer(tokens[-1]), f"X-Session-Id: {max(map(str, seen))}"] if tokens else []
        fields = {"app": "shop-wechat", "code": await running.code(), "token": "gw1.mine"}
        tokens.append(token_of(await running.post("/login", fields, *sent)))
        assert (await who(running, tokens[-1])).status == 200
        seen.add(running.upstream.requests[-1].value("X-Session-Id"))
    assert len(seen) == len(set(tokens)) == 3
    for token in tokens:
        assert (await who(running, token)).status == 200


async def test_the_next_secret_is_tried_once(tmp_path: Path) -> None:
    """After an explicit wrong-secret number, and only then."""
    app = {"secret": "old-and-gone", "next_secret": "app-secret-for-tests"}
    async with run_gateway(tmp_path, {"apps": {"shop-wechat": app}}) as running:
        await running.login()
        assert await exchanges(running, "wechat") == 2


async def test_a_login_that_its_client_gave_up_is_counted_as_such(running: RunningGateway) -> None:
    """The platform may have taken the code; neither it nor we failed."""
    code = await running.code()
    await running.simulate("faults", platform="wechat", kind="slow", times=1)
    client = await connect(running.port)
    body = urlencode({"app": "shop-wechat", "code": code}).encode()
    await client.send(head("POST /login", FORM, f"Content-Length: {len(body)}") + body)
    while await exchanges(running, "wechat") == 0:
        pass
    await client.close()
    labels = {"platform": "wechat", "app": "shop-wechat", "outcome": "abandoned"}
    admin_port = running.gateway.admin.port
    while not value(await scrape(admin_port), "gateway_logins_total", **labels):
        pass


async def test_a_fault_of_ours_is_counted_as_one(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody gave that login up."""
    monkeypatch.setattr("gateway.endpoints.login._new_login", _fail)
    answer = await running.post("/login", {"app": "shop-wechat", "code": await running.code()})
    assert (answer.status, problem(answer)["code"]) == (500, "internal_error")
    told = await scrape(running.gateway.admin.port)
    labels = {"platform": "wechat", "app": "shop-wechat"}
    counted = [
        bool(value(told, "gateway_logins_total", **labels, outcome=outcome))
        for outcome in ("internal_error", "abandoned")
    ]
    assert counted == [True, False]


def _fail(*_: object) -> None:
    raise ZeroDivisionError("made up")


# -- codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
async def test_a_used_code_is_invalid(running: RunningGateway, app: str) -> None:
    """401, and the session of its first use lives on (attacks.md S8)."""
    fields = {"app": app, "code": await running.code(app)}
    token = token_of(await running.post("/login", fields))
    answer = await running.post("/login", fields)
    assert (answer.status, problem(answer)["code"]) == (401, "code_invalid")
    assert answer.value("WWW-Authenticate") is None, "the session is not what is wrong"
    assert (await who(running, token)).status == 200


@pytest.mark.parametrize(
    ("minted", "used"),
    [
        ("shop-wechat", "game-wechat"),
        ("shop-douyin", "game-douyin"),
        ("shop-baidu", "new-baidu"),
        ("shop-kuaishou", "game-kuaishou"),
        ("shop-wechat", "shop-douyin"),
    ],
)
async def test_a_code_of_another_app_is_invalid(
    running: RunningGateway, minted: str, used: str
) -> None:
    """The platform refuses it, and so do we (attacks.md S10)."""
    answer = await running.post("/login", {"app": used, "code": await running.code(minted)})
    assert (answer.status, problem(answer)["code"]) == (401, "code_invalid")


async def test_an_expired_code_is_invalid(tmp_path: Path) -> None:
    """Five minutes at WeChat."""
    clock = HandClock()
    async with run_gateway(tmp_path, clock=clock) as running:
        code = await running.code()
        clock.forward(301)
        answer = await running.post("/login", {"app": "shop-wechat", "code": code})
        assert problem(answer)["code"] == "code_invalid"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (None, "null"),
        ("", "empty"),
        (7, "a number"),
        (True, "a boolean"),
        (["c"], "a list"),
        ({"c": 1}, "an object"),
        ("a" * 2049, "longer than any code"),
        ("a\nb", "a line break"),
        ("a\x00b", "a NUL"),
        ("\ud800", "a lone surrogate"),
        ("a\u202eb", "a sign that turns the text around"),
    ],
)
@pytest.mark.parametrize("name", ["code", "anonymous_code"])
async def test_what_is_no_code_causes_no_call(
    running: RunningGateway, code: object, why: str, name: str
) -> None:
    """400 before anything goes out."""
    answer = await running.post("/login", {"app": "shop-douyin", name: code})
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request"), why
    assert await exchanges(running, "douyin") == 0


async def test_a_login_is_never_a_get(running: RunningGateway) -> None:
    """A link that somebody follows must not log in; the alias does, as its clients do."""
    answer = await send(running, f"GET /login?app=shop-wechat&code={await running.code()}")
    assert answer.status == 405
    alias = f"HEAD {ALIAS}/wechat_program/wxshop?code={await running.code()}"
    assert (await send(running, alias, b"", FORM)).status == 405
    assert await exchanges(running, "wechat") == 0


# -- again ------------------------------------------------------------------------------------

KEY = "Idempotency-Key: the-clients-own-key"


async def give_up(running: RunningGateway, code: str, *headers: str) -> None:
    """Log in at a slow platform, and go away before the answer comes."""
    before = await exchanges(running, "wechat")
    await running.simulate("faults", platform="wechat", kind="slow", seconds=0.2)
    client = await connect(running.port)
    body = urlencode({"app": "shop-wechat", "code": code}).encode()
    about = (FORM, f"Content-Length: {len(body)}", *headers)
    await client.send(head("POST /login", *about) + body)
    while await exchanges(running, "wechat") == before:
        pass
    await client.close()


async def sessions_of(running: RunningGateway) -> list[object]:
    listed = await ask_admin(running, "GET /api/sessions")
    found: list[object] = json.loads(listed.body)["sessions"]
    return found


async def test_fifty_at_once_are_one_login(running: RunningGateway) -> None:
    """One session, one call, and nobody is left without a clear answer (attacks.md S8)."""
    fields = {"app": "shop-wechat", "code": await running.code()}
    answers = await asyncio.gather(*(running.post("/login", fields) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 49
    assert len(await sessions_of(running)) == await exchanges(running, "wechat") == 1


async def test_a_lost_reply_is_no_lost_login(running: RunningGateway) -> None:
    """Who has the key gets the session that the platform's answer became."""
    code = await running.code()
    await give_up(running, code, KEY)
    answers = [
        await running.post("/login", {"app": "shop-wechat", "code": code}, KEY) for _ in range(2)
    ]
    for answer in answers:
        assert (await who(running, token_of(answer))).status == 200
    assert len(await sessions_of(running)) == await exchanges(running, "wechat") == 1


async def test_a_reply_nobody_can_ask_for_leaves_no_session(running: RunningGateway) -> None:
    """Without a key the code is used, and the session would only be in the way of others."""
    code = await running.code()
    await give_up(running, code)
    answer = await running.post("/login", {"app": "shop-wechat", "code": code})
    assert problem(answer)["code"] == "code_invalid"
    assert await sessions_of(running) == []


async def test_another_app_has_codes_of_its_own(running: RunningGateway) -> None:
    """The same text at two apps is two codes, and a key opens only its own."""
    code = await running.code()
    token_of(await running.post("/login", {"app": "shop-wechat", "code": code}, KEY))
    for app in ("game-wechat", "shop-douyin"):
        answer = await running.post("/login", {"app": app, "code": code}, KEY)
        assert problem(answer)["code"] == "code_invalid"
    assert await exchanges(running, "wechat") == 2
    assert await exchanges(running, "douyin") == 1


async def test_a_guests_code_is_exchanged_once_too(running: RunningGateway) -> None:
    """It is named by itself where there is no other."""
    given = await running.codes("shop-douyin")
    fields = {"app": "shop-douyin", "anonymous_code": given["anonymous_code"]}
    answers = await asyncio.gather(*(running.post("/login", fields) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 9
    assert await exchanges(running, "douyin") == 1


@pytest.mark.parametrize("user", ["the code beside it", "another code", MOCK_CODE])
async def test_a_guests_code_is_sent_once_whatever_stands_beside_it(
    running: RunningGateway, user: str
) -> None:
    """Also beside the devtools' code, which itself is good again and again."""
    given = await running.codes("shop-douyin")
    guest = {"app": "shop-douyin", "anonymous_code": given["anonymous_code"]}
    code = given["code"] if user == "the code beside it" else user
    fields = [guest, {**guest, "code": code}, guest, {**guest, "code": code}]
    answers = await asyncio.gather(*(running.post("/login", each) for each in fields))
    assert {answer.status for answer in answers} <= {200, 401}
    assert await exchanges(running, "douyin") == 1


async def test_a_guests_code_that_is_not_sent_is_in_nobodys_way(running: RunningGateway) -> None:
    """Other platforms take none, so the same text may come again."""
    for _ in range(2):
        fields = {"app": "shop-wechat", "code": await running.code(), "anonymous_code": "same"}
        token_of(await running.post("/login", fields))


@pytest.mark.parametrize(
    ("app", "names"),
    [
        ("shop-wechat", ["code"]),
        ("shop-douyin", ["code"]),
        ("shop-douyin", ["anonymous_code"]),
        ("shop-douyin", ["code", "anonymous_code"]),
    ],
)
async def test_the_devtools_code_is_no_code_in_production(
    running: RunningGateway, app: str, names: list[str]
) -> None:
    """It is refused without a call; any other code is good, or would be."""
    settings = running.settings.model_copy(update={"environment": "production"})
    platform = settings.apps[app].platform
    async with Gateway(settings, now) as gateway:
        production = replace(running, gateway=gateway)
        given = await running.codes(app)
        answer = await production.post(
            "/login", {"app": app, **given, **dict.fromkeys(names, MOCK_CODE)}
        )
        assert (answer.status, problem(answer)["code"]) == (401, "code_invalid")
        assert await exchanges(running, platform) == 0
        token_of(await production.post("/login", {"app": app, "code": given["code"]}))


async def test_the_devtools_code_is_good_again_and_again(running: RunningGateway) -> None:
    """Everybody without an app id sends the same one."""
    assert MOCK_CODE == SIMULATED_MOCK_CODE
    fields = {"app": "shop-wechat", "code": MOCK_CODE}
    answers = await asyncio.gather(*(running.post("/login", fields) for _ in range(3)))
    assert len({token_of(answer) for answer in answers}) == 3


async def test_no_key_and_no_code_is_logged(running: RunningGateway) -> None:
    """Neither of a login that worked, nor of one that did not (attacks.md L2)."""
    code = await running.code()
    fields = {"app": "shop-wechat", "code": code}
    for headers in ([KEY], [KEY], []):
        await running.post("/login", fields, *headers)
    said = running.log_text() + str(await sessions_of(running))
    assert code not in said
    assert "the-clients-own-key" not in said
