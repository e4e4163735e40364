"""Faults on the wire: what arrives, when, and whether the code was used up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, Told

WECHAT = {"appid": "wx1", "secret": "wx1-secret", "grant_type": "authorization_code"}


async def login(sim: Simulator, platform: str, code: str) -> Told:
    """Exchange a code at one of the platforms."""
    match platform:
        case "wechat":
            return await sim.get("/sns/jscode2session", js_code=code, **WECHAT)
        case "douyin":
            fields = {"appid": "tt1", "secret": "tt1-secret", "code": code}
            return await sim.post("/api/apps/v2/jscode2session", fields)
        case "baidu":
            fields = {"client_id": "bd1", "sk": "bd1-secret", "code": code}
            return await sim.form("/oauth/jscode2sessionkey", **fields)
        case _:
            fields = {"app_id": "ks1", "app_secret": "ks1-secret", "js_code": code}
            return await sim.form("/oauth2/mp/code2session", **fields)


@pytest.mark.parametrize(
    ("platform", "app_id", "kind", "field", "value"),
    [
        pytest.param("wechat", "wx1", "busy", "errcode", -1, id="system busy"),
        pytest.param("wechat", "wx1", "rate", "errcode", 45011, id="minute quota"),
        pytest.param("wechat", "wx1", "blocked", "errcode", 40226, id="high-risk user"),
        pytest.param("wechat", "wx1", "secret", "errcode", 40125, id="secret invalid"),
        pytest.param("douyin", "tt1", "busy", "err_no", -1, id="system error"),
        pytest.param("douyin", "tt1", "rate", "err_no", 28003018, id="too frequent"),
        pytest.param("douyin", "tt1", "blocked", "err_no", 28001046, id="user banned"),
        pytest.param("douyin", "tt1", "secret", "err_no", 40017, id="secret wrong"),
        pytest.param("baidu", "bd1", "busy", "error_code", 2, id="service unavailable"),
        pytest.param("baidu", "bd1", "rate", "error_code", 4, id="limit reached"),
        pytest.param("baidu", "bd1", "secret", "error", "invalid_client", id="OAuth's word"),
        pytest.param("kuaishou", "ks1", "busy", "result", 100200500, id="internal error"),
        pytest.param("kuaishou", "ks1", "secret", "result", 100200101, id="unauthorized"),
    ],
)
async def test_a_named_fault_is_the_platforms_number(
    sim: Simulator, platform: str, app_id: str, kind: str, field: str, value: object
) -> None:
    """The platform's own number comes in its own shape, and the code is not used up."""
    code = await sim.code(platform, app_id)
    await sim.fault(platform, kind)
    assert (await login(sim, platform, code)).json[field] == value
    told = (await login(sim, platform, code)).json
    assert {"openid", "open_id"} & set(told.get("data") or told)


async def test_an_explicit_number(sim: Simulator) -> None:
    """Any number can be asked for; as a string too."""
    await sim.fault("wechat", "number", number=50002)
    assert (await login(sim, "wechat", "x")).json["errcode"] == 50002
    await sim.fault("wechat", "string_number", number=40029)
    assert (await login(sim, "wechat", "x")).json["errcode"] == "40029"
    await sim.fault("baidu", "number", number=10010200)
    assert (await login(sim, "baidu", "x")).json["errno"] == 10010200


async def test_numbers_as_strings_in_a_good_answer(sim: Simulator) -> None:
    """Without a number, what the platform says comes with its numbers as strings."""
    await sim.fault("kuaishou", "string_number")
    told = await login(sim, "kuaishou", await sim.code("kuaishou", "ks1"))
    assert told.json["result"] == "1"
    await sim.fault("wechat", "string_number")
    told = await login(sim, "wechat", await sim.code("wechat", "wx1"))
    assert (told.json["errcode"], "openid" in told.json) == ("0", True)


@pytest.mark.parametrize(
    ("platform", "app_id", "field", "number"),
    [
        pytest.param("wechat", "wx1", "errcode", 40163, id="a GET"),
        pytest.param("douyin", "tt1", "err_no", 40018, id="a POST"),
    ],
)
async def test_drop_uses_the_code_up(
    sim: Simulator, platform: str, app_id: str, field: str, number: int
) -> None:
    """The connection ends without an answer, after one call that consumed the code."""
    code = await sim.code(platform, app_id)
    await sim.fault(platform, "drop")
    with pytest.raises(aiohttp.ClientError, match=r"^the connection ended without an answer$"):
        await login(sim, platform, code)
    assert (await sim.calls(platform))["login"] == 1
    assert (await login(sim, platform, code)).json[field] == number


async def test_slow_uses_the_code_up_at_once(sim: Simulator) -> None:
    """While the slow answer is on its way, the code is used already; the answer is good."""
    code = await sim.code("wechat", "wx1")
    await sim.fault("wechat", "slow", seconds=0.3)
    slow = asyncio.create_task(login(sim, "wechat", code))
    while (await sim.calls("wechat"))["login"] == 0:
        assert not slow.done()
    assert (await login(sim, "wechat", code)).json["errcode"] == 40163
    assert not slow.done()
    assert "openid" in (await slow).json


@pytest.mark.parametrize(
    ("kind", "content_type", "start"),
    [
        pytest.param("garbage", "text/html", b"<html>", id="HTML with 200"),
        pytest.param("empty", "text/html", b"", id="nothing with 200"),
    ],
)
async def test_not_json(sim: Simulator, kind: str, content_type: str, start: bytes) -> None:
    """The answer is no JSON, though the code was used up."""
    code = await sim.code("wechat", "wx1")
    await sim.fault("wechat", kind)
    told = await login(sim, "wechat", code)
    assert (told.status, told.content_type) == (200, content_type)
    assert told.body.startswith(start)
    assert (await login(sim, "wechat", code)).json["errcode"] == 40163


async def test_huge(sim: Simulator) -> None:
    """A good answer of more than 1 MiB."""
    await sim.fault("wechat", "huge")
    told = await login(sim, "wechat", await sim.code("wechat", "wx1"))
    assert len(told.body) > 1024 * 1024
    assert "openid" in told.json


async def test_bad_openid(sim: Simulator) -> None:
    """A good answer but for an openid that would split a header."""
    await sim.fault("douyin", "bad_openid")
    told = await login(sim, "douyin", await sim.code("douyin", "tt1"))
    assert "\r\n" in told.json["data"]["openid"]


async def test_redirect_leads_to_a_second_call(sim: Simulator) -> None:
    """Who follows the redirect is counted twice."""
    code = await sim.code("wechat", "wx1")
    await sim.fault("wechat", "redirect")
    told = await sim.ask(
        "GET",
        "/sns/jscode2session",
        params={**WECHAT, "js_code": code},
        allow_redirects=True,
    )
    assert "openid" in told.json
    assert (await sim.calls("wechat"))["login"] == 2


async def test_a_fault_may_be_for_another_kind_of_call(sim: Simulator) -> None:
    """A fault of the token call leaves logins alone."""
    await sim.fault("wechat", "busy", call="token")
    assert "openid" in (await login(sim, "wechat", await sim.code("wechat", "wx1"))).json
    query = {**WECHAT, "grant_type": "client_credential"}
    assert (await sim.get("/cgi-bin/token", **query)).json["errcode"] == -1


async def test_the_first_of_repeated_names_counts(sim: Simulator) -> None:
    """A repeated field is read once, in the query and in a form."""
    code = await sim.code("baidu", "bd1")
    body = f"code={code}&code=x&client_id=bd1&sk=bd1-secret".encode()
    told = await sim.ask(
        "POST",
        "/oauth/jscode2sessionkey?client_id=bd9",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert "openid" in told.json


@pytest.mark.parametrize("body", [pytest.param(b"{", id="half"), pytest.param(b"[1]", id="a list")])
async def test_json_that_holds_no_fields(sim: Simulator, body: bytes) -> None:
    """A body that is no JSON object lacks its parameters."""
    told = await sim.ask(
        "POST",
        "/api/apps/v2/jscode2session",
        data=body,
        headers={"Content-Type": "application/json"},
    )
    assert told.json["err_no"] == 40014
