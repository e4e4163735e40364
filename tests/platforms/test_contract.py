"""What every platform's exchange promises: its call, and what it reads (platforms.md)."""

from dataclasses import replace

import pytest

from gateway.errors import GatewayError
from gateway.platforms.base import LoginCodes
from gateway.platforms.registry import Platforms
from tests.support.platform_cases import CODE, OPENID, Case, refused
from tests.support.platform_server import (
    PlatformServer,
    json_answer,
)

# The request


async def test_the_call_is_the_documented_one(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """Method, path and parameters are the page's, and every value arrives as it was."""
    platform.script.append(case.answer_with(**{case.openid: OPENID}))
    await platforms.exchange(replace(case.app, api_base=platform.base), LoginCodes(CODE))
    [call] = platform.calls(case.path)
    found = {"query": call.query, "form": call.form, "json": call.document}
    expected: dict[str, dict[str, str]] = {"query": {}, "form": {}, "json": {}}
    assert call.method == case.method
    assert found == expected | {case.place: case.sent}
    assert "cookie" not in call.headers


async def test_what_cannot_be_a_code_is_not_sent(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """No exchange is made for nothing, for control characters, for too much or for no text."""
    unusable = [None, "", "a\r\nb", "a\x00b", "a\x7fb", "\ud800", "c" * 2049, "微" * 700]
    for code in unusable:
        app = replace(case.app, api_base=platform.base)
        with pytest.raises(GatewayError) as caught:
            await platforms.exchange(app, LoginCodes(code))
        assert caught.value.code == "bad_request"
    assert platform.received == []


# Success


async def test_an_openid_is_enough(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """Everything but the openid may be missing."""
    platform.script.append(case.answer_with(**{case.openid: OPENID}))
    app = replace(case.app, api_base=platform.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.unionid, identity.session_key) == (OPENID, None, None)
    assert identity.anonymous_openid is None


async def test_everything_is_read_where_the_page_puts_it(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """The openid, the unionid and the session_key come through; strings serve as numbers."""
    ids = {case.openid: OPENID, case.unionid: "u-1", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="}
    document = case.wrap(dict(ids))
    for name in ("errcode", "err_no", "error", "errno", "result"):
        if name in document:
            document[name] = str(document[name])
    platform.script.append(json_answer(document))
    app = replace(case.app, api_base=platform.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.unionid) == (OPENID, "u-1")
    assert identity.session_key == "tiihtNczf5v6AKRyjwEUhQ=="


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty, as Douyin fills its answers"),
        pytest.param(None, id="null"),
        pytest.param(123456, id="a number"),
        pytest.param({"a": 1}, id="an object"),
        pytest.param("k" * 257, id="over 256 bytes"),
        pytest.param("key\r\nkey", id="control characters"),
        pytest.param("密钥", id="not ASCII"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
async def test_an_unusable_session_key_is_a_missing_one(
    platforms: Platforms, platform: PlatformServer, case: Case, value: object
) -> None:
    """The user logs in all the same; only decrypting will fail."""
    platform.script.append(case.answer_with(**{case.openid: OPENID, "session_key": value}))
    app = replace(case.app, api_base=platform.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.session_key) == (OPENID, None)


HOSTILE_IDS = [
    pytest.param("o\r\nX-Admin: 1", id="CR LF makes a header"),
    pytest.param("o-1,o-2", id="a comma makes a list"),
    pytest.param("o\x00", id="NUL"),
    pytest.param("o 1", id="a space"),
    pytest.param("用户", id="not ASCII"),
    pytest.param("o" * 4096, id="4 kB"),
    pytest.param("0", id="nothing made into text, shared by many users"),
    pytest.param(0, id="zero"),
    pytest.param(12345678, id="a number"),
    pytest.param(True, id="true"),
    pytest.param(["o-1"], id="a list"),
    pytest.param({"id": "o-1"}, id="an object"),
]


@pytest.mark.parametrize("value", [*HOSTILE_IDS, "", None])
async def test_a_hostile_openid_is_refused(
    platforms: Platforms, platform: PlatformServer, case: Case, value: object
) -> None:
    """attacks.md H21 and S15: no session comes of an id that is unsafe in a header."""
    error = await refused(platforms, platform, case, case.answer_with(**{case.openid: value}))
    assert error.code == "platform_error"


@pytest.mark.parametrize("value", HOSTILE_IDS)
async def test_a_hostile_unionid_is_left_out(
    platforms: Platforms, platform: PlatformServer, case: Case, value: object
) -> None:
    """It travels in a header like the openid, but an openid is enough to log in."""
    platform.script.append(case.answer_with(**{case.openid: OPENID, case.unionid: value}))
    app = replace(case.app, api_base=platform.base)
    identity = await platforms.exchange(app, LoginCodes(CODE))
    assert (identity.openid, identity.unionid) == (OPENID, None)


@pytest.mark.parametrize("value", ["", None])
async def test_an_empty_unionid_is_a_missing_one(
    platforms: Platforms, platform: PlatformServer, case: Case, value: object
) -> None:
    """Platforms send it empty where there is none."""
    platform.script.append(case.answer_with(**{case.openid: OPENID, case.unionid: value}))
    app = replace(case.app, api_base=platform.base)
    assert (await platforms.exchange(app, LoginCodes(CODE))).unionid is None
