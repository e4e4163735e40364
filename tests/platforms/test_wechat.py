"""WeChat's own ways, beyond the contract suite (platforms.md 1.1)."""

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import Reply
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.wechat import code2session, read


def test_the_call_of_the_page() -> None:
    """The host, the path and the four parameters."""
    call = code2session(PlatformApp("a", "wechat", "wx1", "s"), LoginCodes("c"), "s")
    assert (call.method, call.origin + call.path) == (
        "GET",
        "https://api.weixin.qq.com/sns/jscode2session",
    )
    assert call.query == {
        "appid": "wx1",
        "secret": "s",
        "js_code": "c",
        "grant_type": "authorization_code",
    }


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({}, id="errcode is normally absent"),
        pytest.param({"errcode": 0, "errmsg": "ok"}, id="the page's sample prints 0"),
        pytest.param({"errcode": "0"}, id="as a text"),
        pytest.param({"errcode": None}, id="null"),
        pytest.param({"expires_in": 7200}, id="old accounts get a meaningless expires_in"),
    ],
)
def test_success_has_many_faces(extra: dict[str, object]) -> None:
    """All of these are logins."""
    identity = read(Reply(200, {"openid": "o-1", "session_key": "k", **extra}))
    assert (identity.openid, identity.session_key) == ("o-1", "k")


@pytest.mark.parametrize(
    ("message", "is_told"),
    [
        pytest.param("invalid code, rid: 6129ee10-1a2b3c4d-5e6f7a8b", True, id="the page's shape"),
        pytest.param("invalid code, hints: [ req_id: x ]", False, id="the older shape"),
        pytest.param("invalid code k0de, rid: 5ecret", False, id="anything else is not repeated"),
        pytest.param(None, False, id="no message"),
    ],
)
def test_only_the_request_id_is_repeated(message: object, is_told: bool) -> None:
    """A message may hold anything; its request id has one shape."""
    with pytest.raises(GatewayError) as caught:
        read(Reply(200, {"errcode": 40029, "errmsg": message}))
    assert ("6129ee10-1a2b3c4d-5e6f7a8b" in caught.value.detail) is is_told
    assert "k0de" not in caught.value.detail
    assert "5ecret" not in caught.value.detail


def test_a_wrong_app_id_is_named_as_a_likely_cause() -> None:
    """ecosystem.md section 4, row 4: 40029 for everybody means that the app ids differ."""
    with pytest.raises(GatewayError) as caught:
        read(Reply(200, {"errcode": 40029}))
    assert "expired" in caught.value.detail
    assert "app id" in caught.value.detail
