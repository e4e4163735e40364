"""`/_sim/codes`, `/_sim/faults`, `/_sim/encrypt` and `/_sim/calls` over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator

CODES, FAULTS, ENCRYPT = "/_sim/codes", "/_sim/faults", "/_sim/encrypt"
ANN = {"platform": "wechat", "app_id": "wx1", "user": "ann"}


async def login(sim: Simulator, code: str) -> None:
    """Log in to WeChat, whatever comes."""
    query = {"appid": "wx1", "secret": "wx1-secret", "js_code": code}
    await sim.get("/sns/jscode2session", grant_type="authorization_code", **query)


@pytest.mark.parametrize(
    ("platform", "app_id", "names"),
    [
        pytest.param("wechat", "wx1", {"code", "openid"}, id="a code and who it names"),
        pytest.param("baidu", "bd1", {"code", "openid"}, id="the App Key is the app id"),
        pytest.param("kuaishou", "ks1", {"code", "openid"}, id="as WeChat"),
        pytest.param(
            "douyin",
            "tt1",
            {"code", "openid", "anonymous_code", "anonymous_openid"},
            id="Douyin always has an anonymous code",
        ),
    ],
)
async def test_codes(sim: Simulator, platform: str, app_id: str, names: set[str]) -> None:
    """A code comes with the openid it will give, new each time."""
    first = await sim.codes(platform, app_id)
    second = await sim.codes(platform, app_id)
    assert set(first) == names
    assert first["openid"] == second["openid"]
    assert first["code"] != second["code"]


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        pytest.param(CODES, [], "JSON object", id="a list"),
        pytest.param(CODES, {}, "platform", id="nothing"),
        pytest.param(CODES, {**ANN, "platform": "qq"}, "platform", id="no such platform"),
        pytest.param(CODES, {**ANN, "platform": ["wechat"]}, "platform", id="not a text"),
        pytest.param(CODES, {**ANN, "app_id": "wx9"}, "app_id", id="no such app"),
        pytest.param(CODES, {**ANN, "user": ""}, "user", id="empty user"),
        pytest.param(CODES, {**ANN, "user": "a" * 257}, "user", id="long user"),
        pytest.param(CODES, {**ANN, "user": 7}, "user", id="a number"),
        pytest.param(CODES, {**ANN, "kind": "sms"}, "kind", id="no such kind"),
        pytest.param(CODES, {**ANN, "federated": True}, "federated", id="Baidu's only"),
        pytest.param(CODES, {**ANN, "unionid": "yes"}, "unionid", id="not a boolean"),
        pytest.param(
            CODES, {**ANN, "kind": "phone", "phone_number": "+86"}, "phone_number", id="no digits"
        ),
        pytest.param(
            CODES,
            {"platform": "baidu", "app_id": "bd1", "user": "ann", "kind": "phone"},
            "kind",
            id="Baidu has no phone codes",
        ),
        pytest.param(FAULTS, {"platform": "wechat", "kind": "x"}, "kind", id="no such fault"),
        pytest.param(FAULTS, {"platform": "wechat"}, "kind", id="no fault"),
        pytest.param(
            FAULTS, {"platform": "wechat", "kind": "busy", "times": 0}, "times", id="never"
        ),
        pytest.param(
            FAULTS, {"platform": "wechat", "kind": "slow", "seconds": 61}, "seconds", id="too slow"
        ),
        pytest.param(FAULTS, {"platform": "wechat", "kind": "number"}, "number", id="no number"),
        pytest.param(FAULTS, {"platform": "baidu", "kind": "blocked"}, "kind", id="no such number"),
        pytest.param(FAULTS, {"platform": "kuaishou", "kind": "rate"}, "kind", id="nor here"),
        pytest.param(
            FAULTS, {"platform": "wechat", "kind": "busy", "call": "x"}, "call", id="no such call"
        ),
        pytest.param(ENCRYPT, {**ANN, "data": {}}, "user", id="never logged in"),
        pytest.param(ENCRYPT, {**ANN, "data": "text"}, "data", id="data is no object"),
    ],
)
async def test_bad_input(sim: Simulator, path: str, fields: object, named: str) -> None:
    """Bad input is 400 with JSON that names the field."""
    told = await sim.post(path, fields)
    assert told.status == 400
    assert named in told.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b'{"user":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"data":NaN}', id="not a number"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
async def test_bad_json(sim: Simulator, body: bytes) -> None:
    """What is no JSON is 400 in JSON."""
    told = await sim.ask("POST", CODES, data=body)
    assert (told.status, set(told.json)) == (400, {"error"})


async def test_any_app_is_taken_when_none_is_named(open_sim: Simulator) -> None:
    """Without apps, every app id is known, with any secret and of either kind."""
    query = {"app_id": "new", "app_secret": "any", "grant_type": "authorization_code"}
    code = await open_sim.code("kuaishou", "new")
    told = await open_sim.get("/game/minigame/jscode2session", js_code=code, **query)
    assert told.json["result"] == 1


async def test_a_fault_ends_after_its_times(sim: Simulator) -> None:
    """Two faults asked for, the third call goes right; another platform is untouched."""
    await sim.fault("wechat", "busy", times=2)
    query = {"appid": "wx1", "secret": "wx1-secret", "grant_type": "authorization_code"}
    code = await sim.code("wechat", "wx1")
    told = [(await sim.get("/sns/jscode2session", js_code=code, **query)).json for _ in range(3)]
    assert [answer.get("errcode") for answer in told] == [-1, -1, None]


async def test_faults_are_bounded_and_can_be_cleared(sim: Simulator) -> None:
    """The hundred-and-first waiting fault is refused, until they are cleared."""
    for _ in range(100):
        await sim.fault("wechat", "busy")
    told = await sim.post(FAULTS, {"platform": "wechat", "kind": "busy"})
    assert told.status == 400
    assert (await sim.ask("DELETE", FAULTS)).status == 204
    await sim.fault("wechat", "busy")


async def test_encrypt_under_an_older_key(sim: Simulator) -> None:
    """Generation 0 is the newest session_key, 1 the one before, and no more than there were."""
    for _ in range(2):
        await login(sim, await sim.code("wechat", "wx1"))
    for generation, status in ((0, 200), (1, 200), (2, 400)):
        told = await sim.post(ENCRYPT, {**ANN, "data": {"a": 1}, "generation": generation})
        assert told.status == status


async def test_calls_are_counted(sim: Simulator) -> None:
    """Exchanges are counted per platform and per code; unknown codes and secrets never show."""
    code = await sim.code("wechat", "wx1")
    await login(sim, code)
    await login(sim, code)
    await login(sim, "never-minted")
    told = await sim.get("/_sim/calls")
    assert told.json["codes"] == {code: 2}
    assert told.json["platforms"]["wechat"]["login"] == 3
    assert told.json["platforms"]["baidu"]["login"] == 0
    assert b"never-minted" not in told.body
    assert b"secret" not in told.body
