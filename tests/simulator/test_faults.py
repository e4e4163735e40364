"""Faults: their order, their number, and what they leave of an answer."""

import json

import pytest

from gateway.simulator.calls import Answer
from gateway.simulator.faults import MAX_QUEUED, Fault, Faults, spoil, wire


def test_faults_act_in_order_and_as_often_as_asked() -> None:
    """Two of one, one of the other, then none."""
    faults = Faults()
    faults.add("wechat", "login", Fault("busy", times=2))
    faults.add("wechat", "login", Fault("drop"))
    taken = [faults.take("wechat", "login") for _ in range(4)]
    assert [fault and fault.kind for fault in taken] == ["busy", "busy", "drop", None]


def test_faults_are_apart() -> None:
    """A fault of one platform's login touches no other platform and no other call."""
    faults = Faults()
    faults.add("wechat", "login", Fault("busy"))
    assert faults.take("baidu", "login") is None
    assert faults.take("wechat", "token") is None


def test_waiting_faults_are_bounded() -> None:
    """Past the bound a fault is refused."""
    faults = Faults()
    added = [faults.add("wechat", "login", Fault("busy")) for _ in range(MAX_QUEUED + 1)]
    assert added == [True] * MAX_QUEUED + [False]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"openid": "o"}, {"errcode": "0", "openid": "o"}, id="WeChat's success"),
        pytest.param({"result": 1, "open_id": "f"}, {"result": "1", "open_id": "f"}, id="Kuaishou"),
        pytest.param({"err_no": 0, "data": {}}, {"err_no": "0", "data": {}}, id="Douyin"),
        pytest.param({"error": "invalid_grant"}, {"error": "invalid_grant"}, id="a word already"),
        pytest.param({"expires_in": 7200}, {"expires_in": 7200}, id="only error numbers"),
    ],
)
def test_numbers_as_strings(payload: dict[str, object], expected: dict[str, object]) -> None:
    """The fields that hold an outcome become texts, no others."""
    assert json.loads(spoil(Answer(payload), "string_number").body) == expected


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"openid": "o"}, id="flat"),
        pytest.param({"data": {"openid": "o"}}, id="nested"),
        pytest.param({"data": {"open_id": "o"}}, id="nested, with an underscore"),
    ],
)
def test_bad_openid_is_put_where_the_openid_is(payload: dict[str, object]) -> None:
    """CR LF comes into the openid, wherever it stands; the answer itself is not changed."""
    before = json.dumps(payload)
    assert b"o1\\r\\n" in spoil(Answer(payload), "bad_openid").body
    assert json.dumps(payload) == before


def test_a_refusal_stays_a_refusal() -> None:
    """Where there is no openid, none is put in."""
    answer = Answer({"errcode": 40029, "data": None})
    assert json.loads(spoil(answer, "bad_openid").body) == {"errcode": 40029, "data": None}


def test_an_answer_without_a_fault() -> None:
    """Status and content type travel."""
    told = wire(Answer({}, status=400, content_type="text/plain"))
    assert (told.status, told.content_type, told.body) == (400, "text/plain", b"{}")
