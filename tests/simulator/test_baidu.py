"""Baidu's answers, asked for over HTTP (platforms.md section 3)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, Told

OLD = "/oauth/jscode2sessionkey"
V2 = "/rest/2.0/smartapp/getsessionkey"
TOKEN = "/oauth/2.0/token"
UNIONID = "/rest/2.0/smartapp/getunionid"
SCOPE = "smartapp_snsapi_base"


async def login(sim: Simulator, code: str, /, **changed: str) -> Told:
    """Exchange a code the old way."""
    return await sim.form(OLD, **{"code": code, "client_id": "bd1", "sk": "bd1-secret", **changed})


async def token(sim: Simulator, **changed: str) -> Told:
    """Ask for an access token."""
    good = {"grant_type": "client_credentials", "client_id": "bd1", "client_secret": "bd1-secret"}
    return await sim.form(TOKEN, **{**good, "scope": SCOPE, **changed})


async def test_old_login(sim: Simulator) -> None:
    """The old login is flat; its session_key looks like hex and is base64 of 24 bytes."""
    minted = await sim.codes("baidu", "bd1")
    told = await login(sim, minted["code"])
    assert (told.status, told.content_type) == (200, "application/json")
    assert set(told.json) == {"openid", "session_key"}
    assert told.json["openid"] == minted["openid"]
    assert re.fullmatch(r"[A-Za-z0-9]{26}", told.json["openid"])
    assert re.fullmatch(r"[0-9a-f]{32}", told.json["session_key"])
    assert len(base64.b64decode(told.json["session_key"], validate=True)) == 24


@pytest.mark.parametrize("path", [OLD, "/nalogin/getSessionKeyByCode"])
async def test_old_login_by_query(sim: Simulator, path: str) -> None:
    """The vendor's SDK sends the fields by GET in the query; the older path serves too."""
    code = await sim.code("baidu", "bd1")
    told = await sim.get(path, code=code, client_id="bd1", sk="bd1-secret")
    assert "openid" in told.json


async def test_federated_code(sim: Simulator) -> None:
    """A code with an @ is taken as it is."""
    code = await sim.code("baidu", "bd1", federated=True)
    assert "@" in code
    assert "openid" in (await login(sim, code)).json


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"code": ""}, "Code", id="code missing"),
        pytest.param({"client_id": ""}, "ClientID", id="App Key missing"),
        pytest.param({"sk": ""}, "Sk", id="secret missing"),
    ],
)
async def test_old_login_lacks_a_field(sim: Simulator, changed: dict[str, str], field: str) -> None:
    """A missing field is errno 10010100, and the description names it."""
    told = await login(sim, "c", **changed)
    assert told.status == 200
    assert (told.json["errno"], told.json["error"]) == (10010100, "parameter is invalid")
    assert f"'Code2SessionKeyParam.{field}'" in told.json["error_description"]


async def test_old_login_refusals(sim: Simulator) -> None:
    """A wrong secret and a bad code are OAuth's errors, with HTTP 400."""
    code = await sim.code("baidu", "bd1")
    told = await login(sim, code, sk="wrong")
    assert (told.status, told.json["error"]) == (400, "invalid_client")
    told = await login(sim, code, client_id="bd9")
    assert told.json == {"error": "invalid_client", "error_description": "unknown client id"}
    told = await login(sim, await sim.code("baidu", "bd2"))
    assert (told.status, told.json["error"]) == (400, "invalid_grant")
    assert "openid" in (await login(sim, code)).json
    assert (await login(sim, code)).json["error"] == "invalid_grant"


async def test_code_lives_ten_minutes(sim: Simulator) -> None:
    """At 599 s a code is good, at 600 s it is not."""
    early, late = await sim.code("baidu", "bd1"), await sim.code("baidu", "bd1")
    sim.clock.forward(599)
    assert "openid" in (await login(sim, early)).json
    sim.clock.forward(1)
    assert (await login(sim, late)).json["error"] == "invalid_grant"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_v2_login(sim: Simulator, method: str) -> None:
    """The new login needs a token, nests its answer and writes open_id."""
    minted = await sim.codes("baidu", "bd1")
    query = {"access_token": (await token(sim)).json["access_token"], "code": minted["code"]}
    told = (await sim.ask(method, V2, params=query)).json
    assert (told["errno"], told["errmsg"]) == (0, "succ")
    assert set(told) == {"data", "errno", "errmsg", "request_id", "timestamp"}
    assert told["data"]["open_id"] == minted["openid"]
    assert set(told["data"]) == {"open_id", "session_key"}
    again = await sim.ask(method, V2, params=query)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


async def test_v2_refusals(sim: Simulator) -> None:
    """The gateway before the service answers error_code: no token, expired, no scope, no code."""
    good = (await token(sim)).json["access_token"]
    scopeless = (await token(sim, scope="basic")).json["access_token"]
    code = await sim.code("baidu", "bd1")
    assert (await sim.get(V2, code=code)).json["error_code"] == 110
    assert (await sim.get(V2, access_token="x", code=code)).json["error_code"] == 110
    assert (await sim.get(V2, access_token=scopeless, code=code)).json["error_code"] == 6
    assert (await sim.get(V2, access_token=good)).json["error_code"] == 100
    sim.clock.forward(2_592_000)
    told = (await sim.get(V2, access_token=good, code=code)).json
    assert told["error_code"] == 111
    assert "error_msg" in told


async def test_token(sim: Simulator) -> None:
    """A token lives a month, by form or query; a new one does not retire it."""
    old = (await token(sim)).json
    assert old["expires_in"] == 2_592_000
    query = {"client_id": "bd1", "client_secret": "bd1-secret", "scope": SCOPE}
    assert "access_token" in (await sim.get(TOKEN, grant_type="client_credentials", **query)).json
    code = await sim.code("baidu", "bd1")
    assert (await sim.get(V2, access_token=old["access_token"], code=code)).json["errno"] == 0
    told = await token(sim, client_secret="wrong")
    assert (told.status, told.json["error"]) == (400, "invalid_client")
    assert (await token(sim, grant_type="x")).json["error"] == "unsupported_grant_type"


async def test_unionid(sim: Simulator) -> None:
    """The union id comes by a call of its own, for somebody who logged in."""
    openid = (await login(sim, await sim.code("baidu", "bd1"))).json["openid"]
    path = f"{UNIONID}?access_token={(await token(sim)).json['access_token']}"
    told = (await sim.form(path, openid=openid)).json
    assert (told["errno"], len(told["data"]["unionid"])) == (0, 23)
    assert (await sim.form(path, openid="nobody")).json["errno"] == 1
    assert (await sim.form(UNIONID, openid=openid)).json["error_code"] == 110


async def test_the_devtools_mock_code(sim: Simulator) -> None:
    """The literal is taken many times, by both logins."""
    mock = "the code is a mock one"
    first, second = await login(sim, mock), await login(sim, mock)
    assert first.json["openid"] == second.json["openid"]
    access_token = (await token(sim)).json["access_token"]
    told = (await sim.get(V2, access_token=access_token, code=mock)).json
    assert told["data"]["open_id"] == first.json["openid"]
