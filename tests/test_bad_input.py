"""The bad input of the issue: each with its code, nothing leaked, the next request fine."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import (
    JSON,
    assert_unsaid,
    bearer,
    exchanges,
    send,
    token_of,
    who,
)
from tests.support.raw import Message
from tests.support.sessions import HandClock

# -- a login that cannot be read --------------------------------------------------------------

CODE = "code-of-mine-0123456789"
OPENID_MARK = "somebody-else"
BAD_LOGINS = [
    (b'{"app":"nobody","code":"%b"}', JSON, 400, "app_unknown", "unknown app"),
    (b'{"app":"shop-wechat"}', JSON, 400, "bad_request", "missing code"),
    (b'{"app":"shop-wechat","code":["%b"]}', JSON, 400, "bad_request", "code is no text"),
    (b'{"app":"shop-wechat","code":""}', JSON, 400, "bad_request", "empty code"),
    (
        b'{"app":"shop-wechat","code":"%b' + b"x" * 65536 + b'"}',
        JSON,
        413,
        "body_too_large",
        "64 kB of code",
    ),
    (
        b'{"app":"shop-wechat","code":"%b' + b"x" * 60000 + b'"}',
        JSON,
        400,
        "bad_request",
        "a code that fits the body and is none",
    ),
    (b'{"app":"shop-wechat","code":"%b"}', "Content-Type: text/plain", 400, "bad_request", "type"),
    (b'{"app":"shop-wechat","code":"%b"', JSON, 400, "bad_request", "broken JSON"),
    (b'["%b"]', JSON, 400, "bad_request", "an array at the top"),
    (b'{"code":"%b","code":"b"}', JSON, 400, "bad_request", "duplicate keys"),
    (b'{"code":"%b","app":NaN}', JSON, 400, "bad_request", "NaN"),
    (b'{"code":"%b\xff"}', JSON, 400, "bad_request", "bad UTF-8"),
    (b'{"code":"%b","x":' + b"[" * 30000, JSON, 400, "bad_request", "deep nesting"),
]


@pytest.mark.parametrize(("body", "content_type", "status", "code", "why"), BAD_LOGINS)
async def test_a_login_that_cannot_be_read(
    running: RunningGateway,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    content_type: str,
    status: int,
    code: str,
    why: str,
) -> None:
    """Its code, no call out, nothing of it said again."""
    caplog.set_level(logging.DEBUG)
    sent = body.replace(b"%b", CODE.encode())
    answer = await send(running, "POST /login", sent, content_type)
    assert (answer.status, problem(answer)["code"]) == (status, code), why
    assert await exchanges(running, "wechat") == 0
    assert_unsaid(running, answer, caplog.records, CODE)
    await running.login()


async def test_an_unknown_platform_in_the_alias_path(
    running: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """400; the code in the query is in no log."""
    caplog.set_level(logging.DEBUG)
    answer = await running.get(f"/api/v1/registers/alipay_program/wxshop?code={CODE}")
    assert (answer.status, problem(answer)["code"]) == (400, "app_unknown")
    assert_unsaid(running, answer, caplog.records, CODE)
    await running.login()


# -- a platform that fails --------------------------------------------------------------------

PLATFORM_APPS = {
    "wechat": "shop-wechat",
    "douyin": "shop-douyin",
    "baidu": "shop-baidu",
    "kuaishou": "shop-kuaishou",
}
FAULTS = [
    ("busy", 503, "platform_busy", "its own number for busy"),
    ("rate", 429, "rate_limited", "its own number for a limit"),
    ("blocked", 403, "user_blocked", "its own number for a user it refuses"),
    ("secret", 502, "platform_config", "our secret is wrong"),
    ("slow", 504, "platform_timeout", "later than login.timeout"),
    ("garbage", 502, "platform_error", "HTML with 200"),
    ("drop", 502, "platform_error", "no answer at all"),
    ("empty", 502, "platform_error", "200 without a body"),
    ("huge", 502, "platform_error", "more than 1 MiB"),
    ("redirect", 502, "platform_error", "we follow none"),
    ("bad_openid", 502, "platform_error", "CR LF in the openid: attacks.md H21"),
]
UNKNOWN_NUMBERS = {("baidu", "blocked"), ("kuaishou", "blocked"), ("kuaishou", "rate")}
"""Platforms that have no such number (platforms.md 3.1, 4.1)."""
CASES = [
    (platform, *fault)
    for platform in PLATFORM_APPS
    for fault in FAULTS
    if (platform, fault[0]) not in UNKNOWN_NUMBERS
]


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway that waits 300 ms for a platform."""
    async with run_gateway(tmp_path, {"login": {"timeout": "300ms"}}) as gateway:
        yield gateway


@pytest.mark.parametrize(("platform", "kind", "status", "code", "why"), CASES)
async def test_a_platform_that_fails(
    impatient: RunningGateway,
    caplog: pytest.LogCaptureFixture,
    platform: str,
    kind: str,
    status: int,
    code: str,
    why: str,
) -> None:
    """Its code after exactly one exchange; no session, nothing said; the next login is fine."""
    caplog.set_level(logging.DEBUG)
    app = PLATFORM_APPS[platform]
    await impatient.simulate("faults", platform=platform, kind=kind)
    given = await impatient.codes(app)
    answer = await impatient.post("/login", {"app": app, "code": given["code"]})
    assert (answer.status, problem(answer)["code"]) == (status, code), why
    assert await exchanges(impatient, platform) == 1
    private = (str(given["code"]), str(given["openid"]), OPENID_MARK)
    assert_unsaid(impatient, answer, caplog.records, *private)
    told_retry = code in ("rate_limited", "platform_busy")
    assert (answer.value("Retry-After") is not None) == told_retry
    await impatient.login(app)


@pytest.mark.parametrize("platform", PLATFORM_APPS)
async def test_numbers_as_strings_do_not_matter(running: RunningGateway, platform: str) -> None:
    """A success stays one, and a refusal keeps its meaning (platforms.md 1.1)."""
    app = PLATFORM_APPS[platform]
    await running.simulate("faults", platform=platform, kind="string_number")
    await running.login(app)
    code = await running.code(app)
    token_of(await running.post("/login", {"app": app, "code": code}))
    await running.simulate("faults", platform=platform, kind="string_number")
    answer = await running.post("/login", {"app": app, "code": "nobody gave this out"})
    assert problem(answer)["code"] == "code_invalid"
    assert await exchanges(running, platform) == 3


async def test_a_platforms_own_number_is_told(running: RunningGateway) -> None:
    """`platform_code` is what its support asks for (design section 6)."""
    await running.simulate("faults", platform="wechat", kind="busy")
    fields = {"app": "shop-wechat", "code": await running.code()}
    assert problem(await running.post("/login", fields))["platform_code"] == -1


async def test_a_platform_that_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent, so the code is still fresh: 503."""
    caplog.set_level(logging.DEBUG)
    gone = {"apps": {"shop-wechat": {"api_base": "http://127.0.0.1:9"}}}
    async with run_gateway(tmp_path, gone) as running:
        answer = await running.post("/login", {"app": "shop-wechat", "code": CODE})
        assert (answer.status, problem(answer)["code"]) == (503, "platform_busy")
        assert_unsaid(running, answer, caplog.records, CODE)


# -- tokens -----------------------------------------------------------------------------------

DOORS = [
    ("GET /orders/1", "required"),
    ("GET /opt/1", "optional"),
    ("GET /session", "session"),
    ("POST /logout", "logout"),
]


def spoilt(token: str) -> list[tuple[str, str]]:
    """Tokens that are none of ours, each with a reason."""
    body, _, signature = token.rpartition(".")
    flipped = "A" if signature[0] != "A" else "B"
    return [
        (f"{body}.{flipped}{signature[1:]}", "forged: another signature"),
        (f"gw1.{'x' if token[4] != 'x' else 'y'}{token[5:]}", "forged: another session id"),
        (token[:-1], "truncated by one"),
        (body, "truncated: no signature"),
        ("gw1.", "nothing but the prefix"),
        (token + "A", "longer by one"),
        (token + token, "two in one"),
        (token + "=", "with padding"),
        ("gw1." + "A" * 65000, "64 kB"),
    ]


@pytest.mark.parametrize(("line", "door"), DOORS)
async def test_a_token_that_is_none_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: str, door: str
) -> None:
    """401 session_invalid at every door that looks at tokens, without a word of the token."""
    caplog.set_level(logging.DEBUG)
    async with run_gateway(tmp_path, {"server": {"limits": {"headers": "128KiB"}}}) as running:
        good = await running.login()
        for token, why in spoilt(good):
            for carrier in (bearer(token), f"X-Session-Token: {token}"):
                answer = await send(running, line, b"", carrier)
                assert (answer.status, problem(answer)["code"]) == (401, "session_invalid"), why
                assert answer.value("WWW-Authenticate") == "Bearer"
                if len(token) > 20:
                    assert_unsaid(running, answer, caplog.records, token[:60])
        assert running.upstream.requests == []
        assert (await who(running, good)).status == 200


async def test_tokens_outside_ascii(running: RunningGateway) -> None:
    """Bytes that are no ASCII are in no token of ours."""
    for value in ("gw1.\xe9", "gw1.\xff\xfe"):
        answer = await running.get("/orders/1", f"X-Session-Token: {value}")
        assert problem(answer)["code"] == "session_invalid"


async def test_an_authorization_that_is_not_ours_passes(running: RunningGateway) -> None:
    """Without our prefix it belongs to the service; required routes still want a session."""
    for value in ("Bearer eyJhbGciOi", "Basic dTpw", "Bearer", "null"):
        missing = await running.get("/orders/1", f"Authorization: {value}")
        assert problem(missing)["code"] == "session_missing"
        assert (await running.get("/opt/1", f"Authorization: {value}")).status == 200
        assert running.upstream.requests[-1].value("Authorization") == value


async def test_a_foreign_token(tmp_path: Path) -> None:
    """One of another gateway, with other keys, is forged to us."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    async with run_gateway(tmp_path / "there") as there:
        foreign = await there.login()
    async with run_gateway(tmp_path / "here") as here:
        for line, _ in DOORS:
            answer = await send(here, line, b"", bearer(foreign))
            assert problem(answer)["code"] == "session_invalid"


async def test_an_expired_token(tmp_path: Path) -> None:
    """By lifetime, and by lying unused too long."""
    clock = HandClock()
    changes = {"session": {"lifetime": "2h", "idle_timeout": "1h"}}
    async with run_gateway(tmp_path, changes, clock) as running:
        used, unused = await running.login(), await running.login()
        for minutes in (50, 50, 19):
            clock.forward(minutes * 60)
            assert (await who(running, used)).status == 200
        for token in (unused, used):
            for line, _ in DOORS:
                answer = await send(running, line, b"", bearer(token))
                assert (answer.status, problem(answer)["code"]) == (401, "session_expired")
            clock.forward(61)


async def test_a_revoked_token(running: RunningGateway) -> None:
    """At every door, and for good."""
    token = await running.login()
    assert (await send(running, "POST /logout", b"", bearer(token))).status == 204
    for line, _ in DOORS:
        answer = await send(running, line, b"", bearer(token))
        assert (answer.status, problem(answer)["code"]) == (401, "session_revoked")


async def test_a_route_without_sessions_looks_at_no_token(running: RunningGateway) -> None:
    """Any rubbish may stand there; it is removed all the same."""
    good = await running.login()
    for token, why in [*spoilt(good)[:8], (good, "a good one")]:
        conflict = [bearer(token), "X-Session-Token: gw1.other"]
        assert (await running.get("/public/1", *conflict)).status == 200, why
        seen = running.upstream.requests[-1]
        assert seen.value("Authorization") is None
        assert seen.value("X-Session-Token") is None
        assert seen.value("X-OpenId") is None


async def test_two_tokens_that_disagree(
    running: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """400 at every door, even if both are good; the same one twice is fine."""
    caplog.set_level(logging.DEBUG)
    first, second = await running.login(), await running.login(user="bob")
    for line, _ in DOORS:
        for other in (second, "gw1.rotten", "null"):
            answer = await send(running, line, b"", bearer(first), f"X-Session-Token: {other}")
            assert (answer.status, problem(answer)["code"]) == (400, "token_conflict")
            assert_unsaid(running, answer, caplog.records, first, second)
        twice = await send(running, line, b"", bearer(first), bearer(second))
        assert problem(twice)["code"] == "token_conflict"
    for line, _ in DOORS[:3]:
        answer = await send(running, line, b"", bearer(first), f"X-Session-Token: {first}")
        assert answer.status == 200


async def test_a_token_in_the_query_is_not_looked_at(running: RunningGateway) -> None:
    """Neither taken nor refused (attacks.md S13), and passed on: it is the service's query.

    But for a ticket, which no service is told of.
    """
    token = await running.login()
    query = f"token={token}&access_token={token}&gw_ticket={token}"
    for path in ("/orders/1", "/session"):
        answer = await running.get(f"{path}?{query}")
        assert problem(answer)["code"] == "session_missing"
    assert (await running.get(f"/opt/1?{query}")).status == 200
    told = query.partition("&gw_ticket=")[0]
    assert running.upstream.requests[-1].target == f"/opt/1?{told}"
    assert token not in running.log_text()


# -- restarts ---------------------------------------------------------------------------------


async def test_after_a_restart_the_same_token_works(tmp_path: Path) -> None:
    """Keys and sessions are kept beside the settings; what was ended stays ended."""
    async with run_gateway(tmp_path) as running:
        token, ended = await running.login(), await running.login()
        await send(running, "POST /logout", b"", bearer(ended))
    async with run_gateway(tmp_path) as running:
        assert (await who(running, token)).status == 200
        assert problem(await who(running, ended))["code"] == "session_revoked"


async def test_without_its_store_a_token_has_expired(tmp_path: Path) -> None:
    """It is ours by its signature, but nobody knows its session any more."""
    async with run_gateway(tmp_path) as running:
        token = await running.login()
    for file in (tmp_path / "data").glob("gateway.db*"):
        file.unlink()
    async with run_gateway(tmp_path) as running:
        for line, _ in DOORS:
            answer: Message = await send(running, line, b"", bearer(token))
            assert (answer.status, problem(answer)["code"]) == (401, "session_expired")
        again = await running.login()
        assert json.loads((await running.get("/session", bearer(again))).body)
