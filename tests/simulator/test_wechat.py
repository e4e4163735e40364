"""WeChat's answers, asked for over HTTP (platforms.md section 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator, Told

LOGIN = "/sns/jscode2session"
TOKEN = "/cgi-bin/token"
STABLE = "/cgi-bin/stable_token"
PHONE = "/wxa/business/getuserphonenumber"
MOCK = "the code is a mock one"


async def login(sim: Simulator, code: str, app_id: str = "wx1", **changed: str) -> Told:
    """Exchange a code as the documents say."""
    query = {
        "appid": app_id,
        "secret": f"{app_id}-secret",
        "js_code": code,
        "grant_type": "authorization_code",
    }
    return await sim.get(LOGIN, **{**query, **changed})


async def token(sim: Simulator, app_id: str = "wx1") -> str:
    """Get a classic access token."""
    query = {"appid": app_id, "secret": f"{app_id}-secret", "grant_type": "client_credential"}
    text: str = (await sim.get(TOKEN, **query)).json["access_token"]
    return text


async def stable(sim: Simulator, *, force: bool = False) -> Told:
    """Get the stable access token."""
    fields = {"appid": "wx1", "secret": "wx1-secret", "grant_type": "client_credential"}
    return await sim.post(STABLE, {**fields, "force_refresh": force})


async def check(sim: Simulator, path: str, openid: str, key: str, access_token: str) -> Told:
    """Call a signed session call: HMAC-SHA256 of nothing, keyed with the key's text."""
    signature = hmac.new(key.encode(), b"", hashlib.sha256).hexdigest()
    query = {"access_token": access_token, "openid": openid, "signature": signature}
    return await sim.get(path, sig_method="hmac_sha256", **query)


async def test_login_succeeds_as_text(sim: Simulator) -> None:
    """A login answers JSON under text/plain, without errcode and without unionid."""
    minted = await sim.codes("wechat", "wx1")
    told = await login(sim, minted["code"])
    assert (told.status, told.content_type) == (200, "text/plain")
    assert set(told.json) == {"openid", "session_key"}
    assert told.json["openid"] == minted["openid"]
    assert re.fullmatch(r"o[A-Za-z0-9_-]{27}", told.json["openid"])
    assert len(base64.b64decode(told.json["session_key"], validate=True)) == 16


async def test_unionid_only_for_bound_apps_or_users(sim: Simulator) -> None:
    """A bound app gets the unionid, which is the same across apps; so does a user who has one."""
    bound = (await login(sim, await sim.code("wechat", "wx2"), "wx2")).json
    having = (await login(sim, await sim.code("wechat", "wx1", unionid=True))).json
    assert bound["unionid"] == having["unionid"]
    assert bound["openid"] != having["openid"]


@pytest.mark.parametrize(
    ("changed", "errcode"),
    [
        pytest.param({"appid": ""}, 41002, id="appid missing"),
        pytest.param({"secret": ""}, 41004, id="secret missing"),
        pytest.param({"js_code": ""}, 41008, id="code missing, or under another name"),
        pytest.param({"grant_type": ""}, 40002, id="grant type missing"),
        pytest.param({"appid": "wx9"}, 40013, id="no such app"),
        pytest.param({"secret": "wx2-secret"}, 40125, id="another app's secret"),
        pytest.param({"js_code": "never minted"}, 40029, id="no such code"),
    ],
)
async def test_refusals(sim: Simulator, changed: dict[str, str], errcode: int) -> None:
    """Each refusal is HTTP 200 with its number and the request's id, and spares the code."""
    code = await sim.code("wechat", "wx1")
    told = await login(sim, code, **changed)
    assert (told.status, told.content_type) == (200, "text/plain")
    assert told.json["errcode"] == errcode
    assert re.search(r", rid: [0-9a-f]{8}(-[0-9a-f]{8}){2}$", told.json["errmsg"])
    assert "openid" in (await login(sim, code)).json


async def test_a_post_with_a_body_lacks_its_appid(sim: Simulator) -> None:
    """Parameters in a body are not seen: 41002."""
    told = await sim.form(LOGIN, appid="wx1", secret="wx1-secret", js_code="c")
    assert told.json["errcode"] == 41002


async def test_code_is_good_once(sim: Simulator) -> None:
    """A used code is 40163."""
    code = await sim.code("wechat", "wx1")
    assert "openid" in (await login(sim, code)).json
    assert (await login(sim, code)).json["errcode"] == 40163


async def test_code_of_another_app(sim: Simulator) -> None:
    """A code minted for another app looks like a bad one, and is still good for its own."""
    code = await sim.code("wechat", "wx2")
    assert (await login(sim, code)).json["errcode"] == 40029
    assert "openid" in (await login(sim, code, "wx2")).json


async def test_code_lives_five_minutes(sim: Simulator) -> None:
    """At 299 s a code is good, at 300 s it is not."""
    early, late = await sim.code("wechat", "wx1"), await sim.code("wechat", "wx1")
    sim.clock.forward(299)
    assert "openid" in (await login(sim, early)).json
    sim.clock.forward(1)
    assert (await login(sim, late)).json["errcode"] == 40029


async def test_each_login_has_a_new_session_key(sim: Simulator) -> None:
    """The openid stays, the session_key does not."""
    first = (await login(sim, await sim.code("wechat", "wx1"))).json
    second = (await login(sim, await sim.code("wechat", "wx1"))).json
    assert first["openid"] == second["openid"]
    assert first["session_key"] != second["session_key"]


async def test_the_devtools_mock_code(sim: Simulator) -> None:
    """The literal is taken again and again, for one fixed user; the app is still checked."""
    first, second = await login(sim, MOCK), await login(sim, MOCK)
    assert first.json["openid"] == second.json["openid"]
    assert (await login(sim, MOCK, secret="wrong")).json["errcode"] == 40125


async def test_classic_token_retires_the_one_before(sim: Simulator) -> None:
    """Each call makes a new token; the old one lives 5 minutes more."""
    old = await token(sim)
    assert await token(sim) != old
    code = await sim.code("wechat", "wx1", kind="phone")
    sim.clock.forward(299)
    assert (await sim.post(f"{PHONE}?access_token={old}", {"code": code})).json["errcode"] == 0
    sim.clock.forward(1)
    assert (await sim.post(f"{PHONE}?access_token={old}", {"code": code})).json["errcode"] == 42001


@pytest.mark.parametrize(
    ("changed", "errcode"),
    [
        pytest.param({"appid": ""}, 41002, id="appid missing"),
        pytest.param({"secret": ""}, 41004, id="secret missing"),
        pytest.param({"appid": "wx9"}, 40013, id="no such app"),
        pytest.param({"secret": "wrong"}, 40125, id="wrong secret"),
        pytest.param({"grant_type": "authorization_code"}, 40002, id="the login's grant type"),
    ],
)
async def test_token_refusals(sim: Simulator, changed: dict[str, str], errcode: int) -> None:
    """Both token calls refuse alike."""
    good = {"appid": "wx1", "secret": "wx1-secret", "grant_type": "client_credential"}
    asked = {**good, **changed}
    assert (await sim.get(TOKEN, **asked)).json["errcode"] == errcode
    assert (await sim.post(STABLE, asked)).json["errcode"] == errcode


async def test_stable_token_stays_the_same(sim: Simulator) -> None:
    """The same token comes with what is left of its life, until its last 5 minutes."""
    first = (await stable(sim)).json
    assert first["expires_in"] == 7200
    sim.clock.forward(6899)
    assert (await stable(sim)).json == {"access_token": first["access_token"], "expires_in": 301}
    sim.clock.forward(1)
    assert (await stable(sim)).json["access_token"] != first["access_token"]


async def test_forced_renewal(sim: Simulator) -> None:
    """Forcing kills the old token, acts once in 30 s and 20 times a day."""
    old = (await stable(sim)).json["access_token"]
    new = (await stable(sim, force=True)).json["access_token"]
    assert new != old
    told = await sim.post(f"{PHONE}?access_token={old}", {"code": "c"})
    assert told.json["errcode"] == 42001
    assert (await stable(sim, force=True)).json["access_token"] == new
    for _ in range(19):
        sim.clock.forward(30)
        assert "access_token" in (await stable(sim, force=True)).json
    sim.clock.forward(30)
    assert (await stable(sim, force=True)).json["errcode"] == 45009


async def test_check_session(sim: Simulator) -> None:
    """Only the newest session_key signs well."""
    old = (await login(sim, await sim.code("wechat", "wx1"))).json
    new = (await login(sim, await sim.code("wechat", "wx1"))).json
    openid, path, good = old["openid"], "/wxa/checksession", await token(sim)
    told = await check(sim, path, openid, new["session_key"], good)
    assert told.json == {"errcode": 0, "errmsg": "ok"}
    told = await check(sim, path, openid, old["session_key"], good)
    assert told.json["errcode"] == 87009
    told = await check(sim, path, "o-nobody", new["session_key"], good)
    assert told.json["errcode"] == 40003
    assert (await check(sim, path, openid, new["session_key"], "x")).json["errcode"] == 40001


async def test_reset_session_key(sim: Simulator) -> None:
    """A reset gives a new session_key and the old one is dead."""
    one = (await login(sim, await sim.code("wechat", "wx1"))).json
    openid, good = one["openid"], await token(sim)
    told = await check(sim, "/wxa/resetusersessionkey", openid, one["session_key"], good)
    assert (told.json["errcode"], told.json["openid"]) == (0, openid)
    new = told.json["session_key"]
    assert (await check(sim, "/wxa/checksession", openid, new, good)).json["errcode"] == 0
    told = await check(sim, "/wxa/resetusersessionkey", openid, one["session_key"], good)
    assert told.json["errcode"] == 87009


async def test_phone_number(sim: Simulator) -> None:
    """A phone code gives the number once, with a country code that is a number."""
    code = await sim.code("wechat", "wx1", kind="phone", phone_number="13900001111")
    path = f"{PHONE}?access_token={await token(sim)}"
    told = (await sim.post(path, {"code": code})).json
    assert (told["errcode"], told["errmsg"]) == (0, "ok")
    assert told["phone_info"] == {
        "phoneNumber": "13900001111",
        "purePhoneNumber": "13900001111",
        "countryCode": 86,
        "watermark": {"timestamp": 1_700_000_000, "appid": "wx1"},
    }
    assert (await sim.post(path, {"code": code})).json["errcode"] == 40029


async def test_phone_pair_is_checked(sim: Simulator) -> None:
    """An openid sent along must be of the user whose phone it is."""
    ann = (await login(sim, await sim.code("wechat", "wx1", "ann"))).json["openid"]
    bob = (await login(sim, await sim.code("wechat", "wx1", "bob"))).json["openid"]
    code = await sim.code("wechat", "wx1", "ann", kind="phone")
    path = f"{PHONE}?access_token={await token(sim)}"
    assert (await sim.post(path, {"code": code, "openid": bob})).json["errcode"] == 40003
    assert (await sim.post(path, {"code": code, "openid": ann})).json["errcode"] == 0


async def test_phone_refusals(sim: Simulator) -> None:
    """The two kinds of code are not one another's, and a code of another app is 40013."""
    path = f"{PHONE}?access_token={await token(sim)}"
    phone = await sim.code("wechat", "wx1", kind="phone")
    told = await sim.post(path, {"code": await sim.code("wechat", "wx1")})
    assert told.json["errcode"] == 40029
    told = await sim.post(path, {"code": await sim.code("wechat", "wx2", kind="phone")})
    assert told.json["errcode"] == 40013
    assert (await login(sim, phone)).json["errcode"] == 40029
    assert (await sim.post(path, {"code": MOCK})).json["errcode"] == 40029
    assert (await sim.post(PHONE, {"code": phone})).json["errcode"] == 41001
    assert (await sim.post(f"{PHONE}?access_token=x", {"code": phone})).json["errcode"] == 40001
