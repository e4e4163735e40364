"""Baidu's own ways, beyond the contract suite: three places for errors, and the access token."""

import asyncio

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import Reply
from gateway.platforms.baidu import (
    UNKNOWN_LIFE_S,
    call_old,
    call_token,
    call_v2,
    read_old,
    read_token,
    read_v2,
)
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.registry import Platforms
from gateway.platforms.tokens import AppToken
from tests.support.leaks import leaked
from tests.support.platform_server import PlatformServer, drop, json_answer

APP = PlatformApp("a", "baidu", "key-1", "5ecret")
TOKEN_PATH = "/oauth/2.0/token"
SESSION_PATH = "/rest/2.0/smartapp/getsessionkey"
GOOD = json_answer({"errno": 0, "data": {"open_id": "o-1"}})
REFUSED = json_answer({"error_code": 110, "error_msg": "Access token invalid or no longer valid"})


def token_answer(token: str) -> bytes:
    return json_answer({"access_token": token, "expires_in": 2592000})


def app_at(server: PlatformServer) -> PlatformApp:
    return PlatformApp("a", "baidu", "key-1", "5ecret", api="v2", api_base=server.base)


def steps(server: PlatformServer) -> list[str]:
    """The calls in order: `token`, or the access token that a session call carried."""
    return [
        "token" if call.path == TOKEN_PATH else call.query["access_token"]
        for call in server.received
    ]


# The calls


def test_the_calls_of_the_page() -> None:
    """The App Key is client_id; v2 has all in the query and an empty form."""
    old, token = call_old(APP, LoginCodes("c@h"), "s"), call_token(APP, "s")
    v2 = call_v2(LoginCodes("c@h"), AppToken("t", 1))
    assert (old.method, old.origin + old.path, old.form, old.query) == (
        "POST",
        "https://spapi.baidu.com/oauth/jscode2sessionkey",
        {"code": "c@h", "client_id": "key-1", "sk": "s"},
        {},
    )
    assert (v2.method, v2.origin + v2.path, v2.form, v2.query) == (
        "POST",
        "https://openapi.baidu.com/rest/2.0/smartapp/getsessionkey",
        {},
        {"access_token": "t", "code": "c@h"},
    )
    assert (token.method, token.origin + token.path, token.form) == (
        "POST",
        "https://openapi.baidu.com/oauth/2.0/token",
        {
            "grant_type": "client_credentials",
            "client_id": "key-1",
            "client_secret": "s",
            "scope": "smartapp_snsapi_base",
        },
    )


# The errors


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        pytest.param({"errno": 10010100, "error_description": "Key: 'Code2SessionKeyParam.Code' E"},
                     "bad_request", 10010100, id="the code is malformed"),
        pytest.param({"errno": 10010100, "error_description": "'Code2SessionKeyParam.ClientID'"},
                     "platform_config", 10010100, id="the app key is missing"),
        pytest.param({"errno": "10010100", "error_description": "'Code2SessionKeyParam.Sk'"},
                     "platform_config", 10010100, id="the secret is missing"),
        pytest.param({"errno": 10010100, "error_description": "'P.Code' 'P.ClientID'"},
                     "platform_config", 10010100, id="both: ours comes first"),
        pytest.param({"errno": 10010100, "error_description": "'Code2SessionKeyParam.Codes'"},
                     "platform_error", 10010100, id="another parameter"),
        pytest.param({"errno": 10010100}, "platform_error", 10010100, id="no description"),
        pytest.param({"errno": 110}, "platform_error", 110, id="errno is not error_code"),
        pytest.param({"errno": 5}, "platform_error", 5, id="a row of the page we could not read"),
        pytest.param({"error_code": "110"}, "platform_config", 110, id="the gateway's, as a text"),
        pytest.param({"error_code": 4, "errno": 5}, "rate_limited", 4, id="the gateway's first"),
        pytest.param({"error": "invalid_grant"}, "code_invalid", "invalid_grant", id="OAuth"),
        pytest.param({"error": "Bad code 5ecret"}, "platform_error", None, id="no OAuth word"),
    ],
)  # fmt: skip
def test_errors_in_three_places(
    body: dict[str, object], code: str, number: int | str | None
) -> None:
    """platforms.md 3.1: error_code, errno, error; both calls look in all of them."""
    for read in (read_old, read_v2):
        with pytest.raises(GatewayError) as caught:
            read(Reply(200, body))
        assert (caught.value.code, caught.value.platform_code) == (code, number)
        assert "5ecret" not in str(caught.value)


@pytest.mark.parametrize("extra", [{"errno": 0}, {"errno": "0", "error": ""}, {"error_code": 0}])
def test_zeros_are_no_errors(extra: dict[str, object]) -> None:
    """Some answers carry them beside success."""
    assert read_old(Reply(200, {"openid": "o-1", **extra})).openid == "o-1"


# The token


@pytest.mark.parametrize(
    ("life", "expected_s"),
    [
        pytest.param(2592000, 2592000, id="a month, the default"),
        pytest.param("86400", 86400, id="a day, as a text"),
        pytest.param(None, UNKNOWN_LIFE_S, id="none told"),
        pytest.param("soon", UNKNOWN_LIFE_S, id="not a number"),
        pytest.param(10**11, 30 * 86400, id="longer than any page says"),
        pytest.param(0, 0, id="none at all"),
    ],
)
def test_the_life_of_a_token(life: object, expected_s: int) -> None:
    """Read leniently, and bounded."""
    assert read_token(Reply(200, {"access_token": "t", "expires_in": life})) == AppToken(
        "t", expected_s
    )


@pytest.mark.parametrize("value", [None, "", 5, "a b", "a\r\nb", "令牌", "t" * 2049])
def test_a_token_must_be_usable(value: object) -> None:
    """It goes into a URL."""
    with pytest.raises(GatewayError) as caught:
        read_token(Reply(200, {"access_token": value}))
    assert caught.value.code == "platform_error"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "invalid_client", "error_description": "unknown client id"}, "platform_config"),
        ({"error": "invalid_grant"}, "platform_config"),
        ({"error": "invalid_request"}, "platform_config"),
        ({"error": "expired_token"}, "platform_config"),
        ({"error_code": 100}, "platform_config"),
        ({"error_code": 2}, "platform_busy"),
        ({"error_code": 4}, "rate_limited"),
        ({}, "platform_error"),
    ],
)
def test_a_refused_token_call_is_never_the_clients_fault(
    body: dict[str, object], code: str
) -> None:
    """No code was sent, so none can be wrong."""
    with pytest.raises(GatewayError) as caught:
        read_token(Reply(200, body))
    assert caught.value.code == code


async def test_a_refused_token_is_renewed_once(
    platforms: Platforms, server: PlatformServer
) -> None:
    """The platform refused before it looked at the code, so the call is made once more."""
    server.script.extend([token_answer("t1"), REFUSED, token_answer("t2"), GOOD, GOOD])
    for _ in range(2):
        identity = await platforms.exchange(app_at(server), LoginCodes("c"))
        assert identity.openid == "o-1"
    assert steps(server) == ["token", "t1", "token", "t2", "t2"]


async def test_a_token_refused_twice_is_a_settings_error(
    platforms: Platforms, server: PlatformServer
) -> None:
    """No third call."""
    server.script.extend([token_answer("t1"), REFUSED, token_answer("t2"), REFUSED])
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(app_at(server), LoginCodes("k0de"))
    assert (caught.value.code, caught.value.platform_code) == ("platform_config", 110)
    assert leaked(caught.value, "5ecret", "k0de", "t1", "t2") == []
    assert steps(server) == ["token", "t1", "token", "t2"]


async def test_many_logins_renew_a_refused_token_once(
    platforms: Platforms, server: PlatformServer
) -> None:
    """However many meet the refusal at the same time."""
    server.script.extend([token_answer("t1"), *[REFUSED] * 10, token_answer("t2"), *[GOOD] * 10])
    await asyncio.gather(
        *(platforms.exchange(app_at(server), LoginCodes(f"c{number}")) for number in range(10))
    )
    assert steps(server).count("token") == 2


async def test_no_code_is_sent_without_a_token(
    platforms: Platforms, server: PlatformServer
) -> None:
    """A lost token call ends the login, and the code is still fresh."""
    server.script.append(drop)
    with pytest.raises(GatewayError) as caught:
        await platforms.exchange(app_at(server), LoginCodes("c"))
    assert (caught.value.code, steps(server)) == ("platform_error", ["token"])


async def test_a_lost_session_call_is_not_repeated(
    platforms: Platforms, server: PlatformServer
) -> None:
    """Only the token's refusal brings a second one."""
    server.script.extend([token_answer("t1"), drop])
    with pytest.raises(GatewayError):
        await platforms.exchange(app_at(server), LoginCodes("c"))
    assert steps(server) == ["token", "t1"]
    assert server.received[-1].path == SESSION_PATH
