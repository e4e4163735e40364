"""Kuaishou's answers, asked for over HTTP (platforms.md section 4)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, Told

LOGIN = "/oauth2/mp/code2session"
GAME = "/game/minigame/jscode2session"
TOKEN = "/oauth2/access_token"


async def login(sim: Simulator, code: str, /, **changed: str) -> Told:
    """Exchange a code as a mini-program."""
    good = {"app_id": "ks1", "app_secret": "ks1-secret", "js_code": code}
    return await sim.form(LOGIN, **{**good, **changed})


async def game(sim: Simulator, code: str, app_id: str = "ksgame", **changed: str) -> Told:
    """Exchange a code as a mini-game."""
    good = {"app_id": app_id, "app_secret": f"{app_id}-secret", "js_code": code}
    return await sim.get(GAME, **{**good, "grant_type": "authorization_code", **changed})


async def test_login(sim: Simulator) -> None:
    """Success is result 1, with an open_id."""
    minted = await sim.codes("kuaishou", "ks1")
    told = await login(sim, minted["code"])
    assert (told.status, told.content_type) == (200, "application/json")
    assert set(told.json) == {"result", "session_key", "open_id"}
    assert (told.json["result"], told.json["open_id"]) == (1, minted["openid"])
    assert len(base64.b64decode(told.json["session_key"], validate=True)) == 16


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_login_by_query(sim: Simulator, method: str) -> None:
    """Public clients send the fields in the query, by either method."""
    code = await sim.code("kuaishou", "ks1")
    query = {"app_id": "ks1", "app_secret": "ks1-secret", "js_code": code}
    assert (await sim.ask(method, LOGIN, params=query)).json["result"] == 1


@pytest.mark.parametrize(
    ("changed", "result", "error"),
    [
        pytest.param({"js_code": ""}, 100200100, "invalid_request", id="code missing"),
        pytest.param({"app_id": ""}, 100200100, "invalid_request", id="app id missing"),
        pytest.param({"app_id": "ks9"}, 100200101, "unauthorized_client", id="no such app"),
        pytest.param({"app_secret": "x"}, 100200101, "unauthorized_client", id="wrong secret"),
        pytest.param({"js_code": "x"}, 100200105, "invalid_grant", id="no such code"),
    ],
)
async def test_refusals(sim: Simulator, changed: dict[str, str], result: int, error: str) -> None:
    """Each refusal has its number and OAuth's word."""
    told = await login(sim, await sim.code("kuaishou", "ks1"), **changed)
    assert told.status == 200
    assert (told.json["result"], told.json["error"]) == (result, error)


async def test_json_is_not_read(sim: Simulator) -> None:
    """The call takes a form: JSON lacks its parameters."""
    told = await sim.post(LOGIN, {"app_id": "ks1", "app_secret": "ks1-secret", "js_code": "c"})
    assert told.json["result"] == 100200100


async def test_a_kind_has_its_own_path(sim: Simulator) -> None:
    """A mini-game is not known to the mini-program's call, nor the other way round."""
    told = await login(sim, "c", app_id="ksgame", app_secret="ksgame-secret")
    assert told.json["result"] == 100200101
    assert (await game(sim, "c", "ks1")).json["result"] == 100200101


async def test_code_is_good_once_for_its_app(sim: Simulator) -> None:
    """A used code, or another app's, is 100200105."""
    code = await sim.code("kuaishou", "ks1")
    told = await login(sim, code, app_id="ks2", app_secret="ks2-secret")
    assert told.json["result"] == 100200105
    assert (await login(sim, code)).json["result"] == 1
    assert (await login(sim, code)).json["result"] == 100200105


async def test_code_lives_ten_minutes(sim: Simulator) -> None:
    """At 599 s a code is good, at 600 s it is not."""
    early, late = await sim.code("kuaishou", "ks1"), await sim.code("kuaishou", "ks1")
    sim.clock.forward(599)
    assert (await login(sim, early)).json["result"] == 1
    sim.clock.forward(1)
    assert (await login(sim, late)).json["result"] == 100200105


async def test_game_login(sim: Simulator) -> None:
    """A mini-game's answer has a union_id only where the app is bound."""
    bound = (await game(sim, await sim.code("kuaishou", "ksgame"))).json
    assert set(bound) == {"result", "open_id", "session_key", "union_id"}
    plain = (await game(sim, await sim.code("kuaishou", "ksgame2"), "ksgame2")).json
    assert set(plain) == {"result", "open_id", "session_key"}


async def test_game_refusal(sim: Simulator) -> None:
    """A mini-game's refusal has no error field."""
    assert (await game(sim, "x")).json == {"result": 100200105, "error_msg": "invalid_grant"}
    assert (await game(sim, "x", grant_type="")).json["result"] == 100200104


async def test_token(sim: Simulator) -> None:
    """A token lives 48 hours; refusals have the OAuth numbers."""
    good = {"app_id": "ks1", "app_secret": "ks1-secret", "grant_type": "client_credentials"}
    told = (await sim.form(TOKEN, **good)).json
    assert (told["result"], told["expires_in"], told["token_type"]) == (1, 172_800, "bearer")
    told = (await sim.form(TOKEN, **{**good, "app_secret": "x"})).json
    assert told["result"] == 100200101
    assert (await sim.form(TOKEN, **{**good, "grant_type": "x"})).json["result"] == 100200104


async def test_the_devtools_mock_code(sim: Simulator) -> None:
    """The literal is taken many times, for one user."""
    mock = "the code is a mock one"
    first, second = await login(sim, mock), await login(sim, mock)
    assert first.json["open_id"] == second.json["open_id"]
    assert first.json["session_key"] != second.json["session_key"]
