"""Douyin's answers, asked for over HTTP (platforms.md section 2)."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, Told

V2 = "/api/apps/v2/jscode2session"
GAME = "/mgplatform/api/apps/jscode2session"
V1 = "/api/apps/jscode2session"


async def login(sim: Simulator, **changed: str) -> Told:
    """Exchange codes as a mini-program."""
    return await sim.post(V2, {"appid": "tt1", "secret": "tt1-secret", **changed})


async def game(sim: Simulator, path: str = GAME, **changed: str) -> Told:
    """Exchange codes as a mini-game."""
    return await sim.get(path, **{"appid": "ttgame", "secret": "ttgame-secret", **changed})


async def test_login_with_both_codes(sim: Simulator) -> None:
    """Both codes give all ids, below data, as JSON."""
    minted = await sim.codes("douyin", "tt1")
    told = await login(sim, code=minted["code"], anonymous_code=minted["anonymous_code"])
    assert (told.status, told.content_type) == (200, "application/json")
    assert (told.json["err_no"], told.json["err_tips"]) == (0, "success")
    assert told.json["log_id"]
    data = told.json["data"]
    assert set(data) == {"session_key", "openid", "anonymous_openid", "unionid"}
    assert data["openid"] == minted["openid"]
    assert data["anonymous_openid"] == minted["anonymous_openid"]
    assert str(uuid.UUID(data["unionid"])) == data["unionid"]
    assert len(base64.b64decode(data["session_key"], validate=True)) == 16


async def test_guest_has_no_openid(sim: Simulator) -> None:
    """An anonymous code alone gives the device's id and nothing else."""
    minted = await sim.codes("douyin", "tt1")
    data = (await login(sim, anonymous_code=minted["anonymous_code"])).json["data"]
    assert data == {
        "session_key": "",
        "openid": "",
        "anonymous_openid": minted["anonymous_openid"],
        "unionid": "",
    }


async def test_anonymous_openid_is_the_devices(sim: Simulator) -> None:
    """Two users of one device have the same anonymous_openid; another app has another."""
    ann = await sim.codes("douyin", "tt1", "ann", device="phone-1")
    bob = await sim.codes("douyin", "tt1", "bob", device="phone-1")
    elsewhere = await sim.codes("douyin", "tt2", "ann", device="phone-1")
    assert ann["anonymous_openid"] == bob["anonymous_openid"]
    assert ann["anonymous_openid"] != elsewhere["anonymous_openid"]


async def test_unionid_is_the_same_across_apps(sim: Simulator) -> None:
    """One user, two apps: two openids, one unionid."""
    one = (await login(sim, code=await sim.code("douyin", "tt1"))).json["data"]
    fields = {"appid": "tt2", "secret": "tt2-secret", "code": await sim.code("douyin", "tt2")}
    two = (await sim.post(V2, fields)).json["data"]
    assert one["unionid"] == two["unionid"]
    assert one["openid"] != two["openid"]


@pytest.mark.parametrize(
    ("changed", "err_no"),
    [
        pytest.param({"appid": ""}, 40014, id="appid missing"),
        pytest.param({"secret": ""}, 40014, id="secret missing"),
        pytest.param({"appid": "tt9"}, 40015, id="no such app"),
        pytest.param({"appid": "ttgame", "secret": "ttgame-secret"}, 40015, id="a mini-game here"),
        pytest.param({"secret": "wrong"}, 40017, id="wrong secret"),
        pytest.param({"code": ""}, 40014, id="no code at all"),
        pytest.param({"code": "never minted"}, 40018, id="no such code"),
        pytest.param({"anonymous_code": "never minted"}, 40019, id="no such anonymous code"),
    ],
)
async def test_refusals(sim: Simulator, changed: dict[str, str], err_no: int) -> None:
    """Each refusal is HTTP 200 with its number."""
    told = await login(sim, **{"code": await sim.code("douyin", "tt1"), **changed})
    assert told.status == 200
    assert told.json["err_no"] == err_no
    assert not any((told.json.get("data") or {}).values())


async def test_a_form_is_not_read(sim: Simulator) -> None:
    """The call takes JSON: a form lacks its parameters."""
    told = await sim.form(V2, appid="tt1", secret="tt1-secret", code="c")
    assert told.json["err_no"] == 40014


async def test_codes_are_good_once_and_not_for_each_other(sim: Simulator) -> None:
    """Each of the two is single use, and one is not taken for the other."""
    minted = await sim.codes("douyin", "tt1")
    code, anonymous = minted["code"], minted["anonymous_code"]
    assert (await login(sim, code=anonymous)).json["err_no"] == 40018
    assert (await login(sim, anonymous_code=code)).json["err_no"] == 40019
    assert (await login(sim, code=code, anonymous_code=anonymous)).json["err_no"] == 0
    assert (await login(sim, code=code)).json["err_no"] == 40018
    assert (await login(sim, anonymous_code=anonymous)).json["err_no"] == 40019


async def test_code_of_another_app(sim: Simulator) -> None:
    """A code minted for another app is 40018."""
    told = await login(sim, code=await sim.code("douyin", "tt2"))
    assert told.json["err_no"] == 40018


async def test_codes_live_three_minutes(sim: Simulator) -> None:
    """At 179 s codes are good, at 180 s they are not."""
    early, late = await sim.codes("douyin", "tt1"), await sim.codes("douyin", "tt1")
    sim.clock.forward(179)
    assert (await login(sim, code=early["code"])).json["err_no"] == 0
    sim.clock.forward(1)
    assert (await login(sim, code=late["code"])).json["err_no"] == 40018
    told = await login(sim, anonymous_code=late["anonymous_code"])
    assert told.json["err_no"] == 40019


async def test_game_login(sim: Simulator) -> None:
    """The mini-game's answer is flat, with error 0."""
    minted = await sim.codes("douyin", "ttgame")
    told = (await game(sim, code=minted["code"])).json
    assert set(told) == {"error", "session_key", "openid", "anonymous_openid", "unionid"}
    assert (told["error"], told["openid"]) == (0, minted["openid"])


async def test_game_refusal(sim: Simulator) -> None:
    """The mini-game's refusal keeps the number in errcode; error is only not zero."""
    told = (await game(sim, code="never minted")).json
    assert told == {"error": 1, "errcode": 40018, "errmsg": "bad code", "message": "bad code"}
    told = (await game(sim, appid="tt1", secret="tt1-secret", code="c")).json
    assert told["errcode"] == 40015


async def test_legacy_login_serves_both_kinds(sim: Simulator) -> None:
    """The legacy call has no unionid, and its refusal has no error."""
    told = (await game(sim, V1, code=await sim.code("douyin", "ttgame"))).json
    assert set(told) == {"error", "session_key", "openid", "anonymous_openid"}
    one = {"appid": "tt1", "secret": "tt1-secret", "code": await sim.code("douyin", "tt1")}
    assert (await sim.get(V1, **one)).json["error"] == 0
    assert (await sim.get(V1, **one)).json == {"errcode": 40018, "errmsg": "bad code"}


@pytest.mark.parametrize(
    ("path", "app_id"),
    [
        pytest.param("/api/apps/v2/token", "tt1", id="mini-program"),
        pytest.param("/mgplatform/api/apps/v2/token", "ttgame", id="mini-game"),
    ],
)
async def test_token(sim: Simulator, path: str, app_id: str) -> None:
    """Tokens come below data; wrong secret and grant type have numbers."""
    good = {"appid": app_id, "secret": f"{app_id}-secret", "grant_type": "client_credential"}
    told = (await sim.post(path, good)).json
    assert told["err_no"] == 0
    assert told["data"]["expires_in"] == 7200
    assert (await sim.post(path, {**good, "secret": "wrong"})).json["err_no"] == 40017
    assert (await sim.post(path, {**good, "grant_type": "x"})).json["err_no"] == 40020
    assert (await sim.post(path, {**good, "appid": "tt9"})).json["err_no"] == 40015


async def test_the_devtools_mock_code(sim: Simulator) -> None:
    """The literal is taken as either code, many times."""
    mock = "the code is a mock one"
    first = await login(sim, code=mock, anonymous_code=mock)
    second = await login(sim, code=mock, anonymous_code=mock)
    assert first.json["data"]["openid"] == second.json["data"]["openid"] != ""
    assert first.json["data"]["anonymous_openid"] == second.json["data"]["anonymous_openid"] != ""
