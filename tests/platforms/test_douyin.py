"""Douyin's own ways, beyond the contract suite: guests, and the game's two numbers."""

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import Reply
from gateway.platforms.base import LoginCodes, PlatformApp, PlatformIdentity
from gateway.platforms.douyin import (
    call_game,
    call_program,
    check_codes,
    read_game,
    read_program,
)

APP = PlatformApp("a", "douyin", "tt1", "s")
USER = LoginCodes("c")
GUEST = LoginCodes(anonymous_code="ac")
BOTH = LoginCodes("c", "ac")
IDS: dict[str, object] = {
    "openid": "o-1",
    "anonymous_openid": "a-1",
    "unionid": "u-1",
    "session_key": "k",
}


@pytest.mark.parametrize(
    ("codes", "sent"),
    [
        pytest.param(USER, {"code": "c"}, id="a user"),
        pytest.param(GUEST, {"anonymous_code": "ac"}, id="a guest"),
        pytest.param(BOTH, {"code": "c", "anonymous_code": "ac"}, id="both"),
        pytest.param(LoginCodes("", "ac"), {"anonymous_code": "ac"}, id="an empty code is none"),
    ],
)
def test_both_calls_send_the_codes_there_are(codes: LoginCodes, sent: dict[str, str]) -> None:
    """platforms.md 2.1: at least one; a missing one is left out."""
    program, game = call_program(APP, codes, "s"), call_game(APP, codes, "s")
    expected = {"appid": "tt1", "secret": "s", **sent}
    assert (program.method, program.origin + program.path, program.document) == (
        "POST",
        "https://developer.toutiao.com/api/apps/v2/jscode2session",
        expected,
    )
    assert (game.method, game.origin + game.path, game.query) == (
        "GET",
        "https://minigame.zijieapi.com/mgplatform/api/apps/jscode2session",
        expected,
    )


@pytest.mark.parametrize(
    "codes",
    [
        pytest.param(LoginCodes(), id="none"),
        pytest.param(LoginCodes("", ""), id="both empty"),
        pytest.param(LoginCodes("c", "a\nb"), id="one of two is unusable"),
        pytest.param(LoginCodes("\ud800", "ac"), id="the other one"),
    ],
)
def test_codes_that_cannot_be_sent(codes: LoginCodes) -> None:
    """An unusable code is not quietly left out."""
    with pytest.raises(GatewayError) as caught:
        check_codes(codes)
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    ("codes", "identity"),
    [
        pytest.param(USER, PlatformIdentity("o-1", "u-1", None, "k"), id="a user"),
        pytest.param(
            BOTH, PlatformIdentity("o-1", "u-1", "a-1", "k"), id="a user on a known device"
        ),
        pytest.param(
            GUEST, PlatformIdentity(None, None, "a-1", None), id="a guest, whatever it holds"
        ),
    ],
)
def test_what_was_sent_decides_what_is_read(codes: LoginCodes, identity: PlatformIdentity) -> None:
    """The openid comes of `code` only, the anonymous_openid of `anonymous_code` only."""
    assert read_program(Reply(200, {"err_no": 0, "data": IDS}), codes) == identity
    assert read_game(Reply(200, {"error": 0, **IDS}), codes) == identity


def test_a_user_without_an_openid_does_not_become_a_guest() -> None:
    """Whoever sent `code` wants to be a user."""
    ids = {**IDS, "openid": ""}
    with pytest.raises(GatewayError):
        read_program(Reply(200, {"err_no": 0, "data": ids}), BOTH)
    with pytest.raises(GatewayError):
        read_game(Reply(200, {"error": 0, **ids}), BOTH)


@pytest.mark.parametrize("value", ["", None, 5, "a,b"])
def test_a_guest_needs_a_clean_anonymous_openid(value: object) -> None:
    """It is a guest's only id."""
    with pytest.raises(GatewayError, match="anonymous_openid"):
        read_program(Reply(200, {"err_no": 0, "data": {"anonymous_openid": value}}), GUEST)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        pytest.param({"error": 1, "errcode": 40018}, 40018, id="errcode tells more"),
        pytest.param({"error": 40018}, 40018, id="error alone"),
        pytest.param({"error": 40018, "errcode": 0}, 40018, id="errcode 0 hides no error"),
        pytest.param({"error": 0, "errcode": 40018}, 40018, id="error 0 hides no errcode"),
        pytest.param({"errcode": "40018", "errmsg": "x"}, 40018, id="the old shape, as a text"),
    ],
)
def test_the_game_has_two_numbers(body: dict[str, object], number: int) -> None:
    """Success needs both of them to say so."""
    with pytest.raises(GatewayError) as caught:
        read_game(Reply(200, {**body, **IDS}), USER)
    assert (caught.value.code, caught.value.platform_code) == ("code_invalid", number)


@pytest.mark.parametrize("data", [None, "", {}, [], dict.fromkeys(IDS, "")])
def test_an_error_may_come_with_any_data(data: object) -> None:
    """Whether data is absent or empty then is not verified."""
    with pytest.raises(GatewayError) as caught:
        read_program(Reply(200, {"err_no": 40019, "data": data}), GUEST)
    assert caught.value.code == "code_invalid"


def test_the_log_id_is_told() -> None:
    """Only in its own shape."""
    log_id = "2022092914150601020218302D05CA0A34"
    for value, is_told in ((log_id, True), ("5ecret", False), (5, False)):
        with pytest.raises(GatewayError) as caught:
            read_program(Reply(200, {"err_no": 40018, "log_id": value}), USER)
        assert (log_id in caught.value.detail) is is_told
        assert "5ecret" not in caught.value.detail
