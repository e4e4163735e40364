"""What every platform's exchange promises, whichever platform it is. Expectations: platforms.md."""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import open_api_caller
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.registry import Platforms, build_exchanges
from tests.support.leaks import leaked
from tests.support.platform_server import (
    PlatformServer,
    Step,
    answer,
    bomb_answer,
    drip,
    drip_body,
    drop,
    hang,
    json_answer,
    open_platform_server,
)
from tests.support.sessions import HandClock

SECRET = "5ecret0f0ur5"
CODE = "c0de@host+&%2B=?#/'\"微信 x"
OPENID = "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
TOKEN_PATH = "/oauth/2.0/token"


@dataclass(frozen=True)
class Case:
    """One exchange: how it is called, where it puts things, and its error table by class.

    `place` names the members of `request` (query, form, json); `wrap` puts ids into an answer.
    """

    name: str
    app: PlatformApp
    method: str
    path: str
    place: str
    sent: dict[str, str]
    success: dict[str, object]
    wrap: Callable[[dict[str, object]], dict[str, object]]
    refuse: Callable[[object], dict[str, object]]
    openid: str
    unionid: str
    classes: dict[str, list[int | str]] = field(default_factory=dict)

    def answer_with(self, **ids: object) -> bytes:
        return json_answer(self.wrap(ids))


WECHAT_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [-1],
    "CODE": [40029, 40163],
    "BAD": [41008],
    "BLOCKED": [40226, 50002],
    "RATE": [45011],
    "DAY": [45009],
    "CONFIG": [40013, 41002, 41004, 40164, 48001, 48004, 61003],
    "SECRET": [40125, 40001],
    "TOKEN": [40014, 41001, 42001],
    "UNKNOWN": [87009, 1, 99999],
}
DOUYIN_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [-1, 28001005, 28001006],
    "CODE": [40018, 40019, 28005187],
    "BAD": [40014, 28001004, 28001007, 28001038],
    "BLOCKED": [28001045, 28001046, 28001047],
    "RATE": [28001052, 28003018, 28005139],
    "DAY": [28003017],
    "CONFIG": [40015, 40020, 28001014, 28001016, 28001018, 28001019],
    "SECRET": [40017],
    "TOKEN": [28001003, 28001008],
    "UNKNOWN": [1, 40029],
}
KUAISHOU_CLASSES: dict[str, list[int | str]] = {
    "BUSY": [100200500],
    "CODE": [100200105, 100200106, 100200109, 100200110, 100200111, 240001],
    "BAD": [100200107, 100],
    "CONFIG": [100200100, 100200103, 100200104],
    "SECRET": [100200101, 240002],
    "TOKEN": [100200102, 100200108, 100200113],
    "UNKNOWN": [0, -1, 2, 100200999],
}
BAIDU_WORDS: dict[str, list[int | str]] = {
    "CODE": ["invalid_grant"],
    "BAD": ["invalid_request"],
    "CONFIG": ["unauthorized_client", "unsupported_grant_type", "invalid_scope"],
    "SECRET": ["invalid_client"],
    "TOKEN": ["expired_token"],
    "UNKNOWN": ["slow_down"],
}
BAIDU_CODES: dict[str, list[int | str]] = {
    "BUSY": [1, 2],
    "BAD": [100],
    "RATE": [4, 18],
    "DAY": [17, 19],
    "CONFIG": [5, 6, 101],
    "TOKEN": [110, 111],
    "UNKNOWN": [3, 999],
}
OUTCOMES: dict[str, tuple[str, int | None]] = {
    "BUSY": ("platform_busy", 5),
    "CODE": ("code_invalid", None),
    "BAD": ("bad_request", None),
    "BLOCKED": ("user_blocked", None),
    "RATE": ("rate_limited", 60),
    "DAY": ("rate_limited", 3600),
    "CONFIG": ("platform_config", None),
    "SECRET": ("platform_config", None),
    "TOKEN": ("platform_config", None),
    "UNKNOWN": ("platform_error", None),
}


def make_app(platform: str, **changes: Any) -> PlatformApp:
    app = PlatformApp(f"shop-{platform}", platform, f"{platform}-app-1", SECRET, timeout_s=5.0)
    return replace(app, **changes)


WECHAT = Case(
    name="wechat",
    app=make_app("wechat"),
    method="GET",
    path="/sns/jscode2session",
    place="query",
    sent={
        "appid": "wechat-app-1",
        "secret": SECRET,
        "js_code": CODE,
        "grant_type": "authorization_code",
    },
    success={},
    wrap=lambda ids: {**ids},
    refuse=lambda number: {"errcode": number, "errmsg": "invalid, rid: 6129ee10-1a2b3c4d-5e6f7a8b"},
    openid="openid",
    unionid="unionid",
    classes=WECHAT_CLASSES,
)
DOUYIN = Case(
    name="douyin",
    app=make_app("douyin"),
    method="POST",
    path="/api/apps/v2/jscode2session",
    place="json",
    sent={"appid": "douyin-app-1", "secret": SECRET, "code": CODE},
    success={"err_no": 0},
    wrap=lambda ids: {"err_no": 0, "data": ids},
    refuse=lambda number: {"err_no": number, "err_tips": "no", "data": None},
    openid="openid",
    unionid="unionid",
    classes=DOUYIN_CLASSES,
)
DOUYIN_GAME = replace(
    DOUYIN,
    name="douyin-game",
    app=make_app("douyin", kind="mini-game"),
    method="GET",
    path="/mgplatform/api/apps/jscode2session",
    place="query",
    success={"error": 0},
    wrap=lambda ids: {"error": 0, **ids},
    refuse=lambda number: {"error": 1, "errcode": number, "errmsg": "no", "message": "no"},
)
KUAISHOU = Case(
    name="kuaishou",
    app=make_app("kuaishou"),
    method="POST",
    path="/oauth2/mp/code2session",
    place="form",
    sent={"app_id": "kuaishou-app-1", "app_secret": SECRET, "js_code": CODE},
    success={"result": 1},
    wrap=lambda ids: {"result": 1, **ids},
    refuse=lambda number: {"result": number, "error_msg": "no"},
    openid="open_id",
    unionid="union_id",
    classes=KUAISHOU_CLASSES,
)
KUAISHOU_GAME = replace(
    KUAISHOU,
    name="kuaishou-game",
    app=make_app("kuaishou", kind="mini-game"),
    method="GET",
    path="/game/minigame/jscode2session",
    place="query",
    sent={**KUAISHOU.sent, "grant_type": "authorization_code"},
)
BAIDU_OLD = Case(
    name="baidu-old",
    app=make_app("baidu"),
    method="POST",
    path="/oauth/jscode2sessionkey",
    place="form",
    sent={"code": CODE, "client_id": "baidu-app-1", "sk": SECRET},
    success={},
    wrap=lambda ids: {**ids},
    refuse=lambda word: {"error": word, "error_description": "no"},
    openid="openid",
    unionid="unionid",
    classes=BAIDU_WORDS,
)
BAIDU_V2 = Case(
    name="baidu-v2",
    app=make_app("baidu", api="v2"),
    method="POST",
    path="/rest/2.0/smartapp/getsessionkey",
    place="query",
    sent={"access_token": "t0ken", "code": CODE},
    success={"errno": 0},
    wrap=lambda ids: {"errno": 0, "errmsg": "succ", "data": ids},
    refuse=lambda number: {"error_code": number, "error_msg": "no"},
    openid="open_id",
    unionid="unionid",
    classes=BAIDU_CODES,
)
WECHAT_GAME = replace(WECHAT, name="wechat-game", app=make_app("wechat", kind="mini-game"))
CASES = [
    WECHAT,
    WECHAT_GAME,
    DOUYIN,
    DOUYIN_GAME,
    BAIDU_OLD,
    BAIDU_V2,
    KUAISHOU,
    KUAISHOU_GAME,
]
EVERY_ROW = [
    pytest.param(case, verdict, number, id=f"{case.name}-{verdict}-{number}")
    for case in CASES
    for verdict, numbers in case.classes.items()
    for number in numbers
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each exchange in turn."""
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture
async def server() -> AsyncIterator[PlatformServer]:
    """A scripted platform, which gives out access tokens without a script."""
    async with open_platform_server() as scripted:
        scripted.always[TOKEN_PATH] = json_answer({"access_token": "t0ken", "expires_in": 86400})
        yield scripted


@pytest.fixture
async def platforms() -> AsyncIterator[Platforms]:
    """The exchanges as the gateway builds them."""
    async with open_api_caller() as caller:
        yield build_exchanges(caller, HandClock())


async def refused(
    platforms: Platforms, server: PlatformServer, case: Case, *script: Step, **changes: Any
) -> GatewayError:
    """Log in against the script, which must fail without saying a secret, in one exchange."""
    server.script.extend(script)
    app = replace(case.app, api_base=server.base, **changes)
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(app, LoginCodes(CODE))
    assert leaked(caught.value, SECRET, CODE, "t0ken", "c0de", "?") == []
    assert len(server.calls(case.path)) == len(script)
    return caught.value


# The request


async def test_the_call_is_the_documented_one(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """Method, path and parameters are the page's, and every value arrives as it was."""
    server.script.append(case.answer_with(**{case.openid: OPENID}))
    await platforms.exchange(replace(case.app, api_base=server.base), LoginCodes(CODE))
    [call] = server.calls(case.path)
    found = {"query": call.query, "form": call.form, "json": call.document}
    expected: dict[str, dict[str, str]] = {"query": {}, "form": {}, "json": {}}
    assert call.method == case.method
    assert found == expected | {case.place: case.sent}
    assert "cookie" not in call.headers


async def test_what_cannot_be_a_code_is_not_sent(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """No exchange is made for nothing, for control characters, for too much or for no text."""
    unusable = [None, "", "a\r\nb", "a\x00b", "a\x7fb", "\ud800", "c" * 2049, "微" * 700]
    for code in unusable:
        app = replace(case.app, api_base=server.base)
        with pytest.raises(GatewayError) as caught:
            await platforms.exchange(app, LoginCodes(code))
        assert caught.value.code == "bad_request"
    assert server.received == []


# Success


async def test_an_openid_is_enough(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """Everything but the openid may be missing."""
    server.script.append(case.answer_with(**{case.openid: OPENID}))
    app = replace(case.app, api_base=server.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.unionid, identity.session_key) == (OPENID, None, None)
    assert identity.anonymous_openid is None


async def test_everything_is_read_where_the_page_puts_it(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """The openid, the unionid and the session_key come through; strings serve as numbers."""
    ids = {case.openid: OPENID, case.unionid: "u-1", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="}
    document = case.wrap(dict(ids))
    for name in ("errcode", "err_no", "error", "errno", "result"):
        if name in document:
            document[name] = str(document[name])
    server.script.append(json_answer(document))
    app = replace(case.app, api_base=server.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.unionid) == (OPENID, "u-1")
    assert identity.session_key == "tiihtNczf5v6AKRyjwEUhQ=="


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty, as Douyin fills its answers"),
        pytest.param(None, id="null"),
        pytest.param(123456, id="a number"),
        pytest.param({"a": 1}, id="an object"),
        pytest.param("k" * 257, id="over 256 bytes"),
        pytest.param("key\r\nkey", id="control characters"),
        pytest.param("密钥", id="not ASCII"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
async def test_an_unusable_session_key_is_a_missing_one(
    platforms: Platforms, server: PlatformServer, case: Case, value: object
) -> None:
    """The user logs in all the same; only decrypting will fail."""
    server.script.append(case.answer_with(**{case.openid: OPENID, "session_key": value}))
    app = replace(case.app, api_base=server.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.session_key) == (OPENID, None)


HOSTILE_IDS = [
    pytest.param("o\r\nX-Admin: 1", id="CR LF makes a header"),
    pytest.param("o-1,o-2", id="a comma makes a list"),
    pytest.param("o\x00", id="NUL"),
    pytest.param("o 1", id="a space"),
    pytest.param("用户", id="not ASCII"),
    pytest.param("o" * 4096, id="4 kB"),
    pytest.param("0", id="nothing made into text, shared by many users"),
    pytest.param(0, id="zero"),
    pytest.param(12345678, id="a number"),
    pytest.param(True, id="true"),
    pytest.param(["o-1"], id="a list"),
    pytest.param({"id": "o-1"}, id="an object"),
]


@pytest.mark.parametrize("value", [*HOSTILE_IDS, "", None])
async def test_a_hostile_openid_is_refused(
    platforms: Platforms, server: PlatformServer, case: Case, value: object
) -> None:
    """attacks.md H21 and S15: no session comes of an id that is unsafe in a header."""
    error = await refused(platforms, server, case, case.answer_with(**{case.openid: value}))
    assert error.code == "platform_error"


@pytest.mark.parametrize("value", HOSTILE_IDS)
async def test_a_hostile_unionid_is_refused(
    platforms: Platforms, server: PlatformServer, case: Case, value: object
) -> None:
    """A unionid travels in a header like the openid."""
    ids = {case.openid: OPENID, case.unionid: value}
    error = await refused(platforms, server, case, case.answer_with(**ids))
    assert error.code == "platform_error"


@pytest.mark.parametrize("value", ["", None])
async def test_an_empty_unionid_is_a_missing_one(
    platforms: Platforms, server: PlatformServer, case: Case, value: object
) -> None:
    """Platforms send it empty where there is none."""
    server.script.append(case.answer_with(**{case.openid: OPENID, case.unionid: value}))
    app = replace(case.app, api_base=server.base)
    assert (await platforms.exchange(app, LoginCodes(CODE))).unionid is None


# Refusals by number


@pytest.mark.parametrize(("row", "verdict", "number"), EVERY_ROW)
async def test_each_row_of_the_error_table(
    platforms: Platforms, server: PlatformServer, row: Case, verdict: str, number: int | str
) -> None:
    """Each number of the page ends in its class's code, with the number told."""
    again = verdict == "TOKEN" and row is BAIDU_V2  # the one call that renews its token
    script = [json_answer(row.refuse(number))] * (2 if again else 1)
    error = await refused(platforms, server, row, *script)
    assert (error.code, error.retry_after_s) == OUTCOMES[verdict]
    assert error.platform_code == number


async def test_numbers_are_read_leniently(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """WeChat's own sample has errcode as a text; an error may also come with HTTP 400 or 500."""
    number = next(iter(case.classes.get("CODE") or case.classes["RATE"]))
    expected = "code_invalid" if "CODE" in case.classes else "rate_limited"
    for status in ("200 OK", "400 Bad Request", "401 Unauthorized", "500 Oops"):
        server.received.clear()
        script = json_answer(case.refuse(str(number)), status)
        error = await refused(platforms, server, case, script)
        assert (error.code, error.platform_code) == (expected, number)


async def test_an_identity_beside_an_error_number_does_not_count(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """The number decides, whatever else is in the answer."""
    number = (case.classes.get("CONFIG") or case.classes["UNKNOWN"])[0]
    document = {**case.wrap({case.openid: OPENID}), **case.refuse(number)}
    document |= {"data": {case.openid: OPENID}}
    error = await refused(platforms, server, case, json_answer(document))
    assert error.code == "platform_config"


@pytest.mark.parametrize("number", ["x", True, [1], {}, 1.5, "1" * 40, 10**40])
async def test_a_number_that_is_none_is_an_unknown_error(
    platforms: Platforms, server: PlatformServer, case: Case, number: object
) -> None:
    """What stands in the number's place and cannot be read is no success."""
    document = {**case.refuse(number), "data": {case.openid: OPENID}, case.openid: OPENID}
    error = await refused(platforms, server, case, json_answer(document))
    assert error.code == "platform_error"
    assert error.platform_code in (None, "x")  # "x" would be an OAuth word of Baidu's


# Refusals by shape


GARBAGE = [
    pytest.param(answer("<html>busy</html>"), id="HTML"),
    pytest.param(answer(""), id="empty, as WeChat's token call answered in 2017"),
    pytest.param(answer("[1]"), id="a list"),
    pytest.param(answer("null"), id="null"),
    pytest.param(answer("{}"), id="an empty object"),
    pytest.param(answer('{"openid":'), id="cut short"),
    pytest.param(answer('{"openid":"o","openid":"p","open_id":"o"}'), id="a name twice"),
    pytest.param(answer(b'{"openid":"\xff"}'), id="not UTF-8"),
    pytest.param(answer('{"errcode":NaN,"openid":"o"}'), id="NaN"),
    pytest.param(answer('{"expires_in":1e400,"openid":"o"}'), id="a number out of range"),
    pytest.param(answer('{"a":' * 100_000), id="deep nesting"),
    pytest.param(answer('{"a":' + "9" * 5000 + "}"), id="a long number"),
    pytest.param(answer("{" + " " * 1024 * 1024 + "}"), id="over 1 MiB"),
    pytest.param(bomb_answer(64), id="a gzip bomb"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{", id="short"),
    pytest.param(b"SSH-2.0-OpenSSH\r\nConnection: close\r\n\r\n", id="not HTTP"),
    pytest.param(answer("no", "404 Not Found"), id="404"),
    pytest.param(answer("x", "200 OK", "Content-Encoding: gzip"), id="not gzip"),
    pytest.param(drop, id="the connection is dropped"),
]


@pytest.mark.parametrize("step", GARBAGE)
async def test_garbage_is_no_login_and_is_asked_for_once(
    platforms: Platforms, server: PlatformServer, case: Case, step: Step
) -> None:
    """attacks.md S15: one exchange, no session."""
    error = await refused(platforms, server, case, step)
    assert (error.code, error.platform_code) == ("platform_error", None)


async def test_a_server_error_without_a_number_is_a_busy_platform(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """A 5xx says busy when its body says nothing, whether HTML or somebody else's JSON."""
    for body in ("<html>", "", '{"timestamp":1,"path":"/"}'):
        server.received.clear()
        error = await refused(platforms, server, case, answer(body, "502 Bad Gateway"))
        assert error.code == "platform_busy"


async def test_an_identity_in_a_server_error_does_not_count(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """Success needs a 2xx: an answer that contradicts itself is no login."""
    document = case.wrap({case.openid: OPENID})
    error = await refused(platforms, server, case, json_answer(document, "500 Oops"))
    assert error.code == "platform_busy"


async def test_success_without_the_success_sign_is_refused(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """Where the page requires a number for success, its absence is none."""
    if not case.success:
        pytest.skip("this platform gives no number on success")
    document = {case.openid: OPENID, "data": {case.openid: OPENID}}
    error = await refused(platforms, server, case, json_answer(document))
    assert error.code == "platform_error"


@pytest.mark.parametrize("step", [hang, drip, drip_body])
async def test_a_slow_platform_is_given_up(
    platforms: Platforms, server: PlatformServer, case: Case, step: Step
) -> None:
    """The app's time-out covers the whole exchange, a dripping body included."""
    error = await refused(platforms, server, case, step, timeout_s=0.3)
    assert error.code == "platform_timeout"


async def test_no_redirect_is_followed(
    platforms: Platforms, server: PlatformServer, case: Case
) -> None:
    """Another host never sees the secret (attacks.md S16)."""
    async with open_platform_server() as other:
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            server.received.clear()
            step = answer("{}", status, f"Location: {other.base}/")
            error = await refused(platforms, server, case, step)
            assert error.code == "platform_error"
        assert other.connections == 0


async def test_nothing_private_is_logged(
    platforms: Platforms, server: PlatformServer, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even with every logger at debug and asyncio's debug mode on."""
    caplog.set_level(logging.DEBUG)
    await refused(platforms, server, case, drop)
    server.received.clear()
    await refused(platforms, server, case, answer("<html>"))
    assert SECRET not in caplog.text
    assert "c0de" not in caplog.text
    assert "t0ken" not in caplog.text
