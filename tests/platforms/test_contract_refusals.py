"""How every platform's exchange fails: by number, by shape, by silence (platforms.md)."""

import logging

import pytest

from gateway.platforms.registry import Platforms
from tests.support.platform_cases import (
    BAIDU_V2,
    CASES,
    EVERY_ROW,
    OPENID,
    OUTCOMES,
    SECRET,
    Case,
    refused,
)
from tests.support.platform_server import (
    PlatformServer,
    Step,
    answer,
    bomb_answer,
    drip,
    drip_body,
    drop,
    hang,
    json_answer,
    open_platform_server,
)

# Refusals by number


@pytest.mark.parametrize(("row", "verdict", "number"), EVERY_ROW)
async def test_each_row_of_the_error_table(
    platforms: Platforms, platform: PlatformServer, row: Case, verdict: str, number: int | str
) -> None:
    """Each number of the page ends in its class's code, with the number told."""
    again = verdict == "TOKEN" and row is BAIDU_V2  # the one call that renews its token
    script = [json_answer(row.refuse(number))] * (2 if again else 1)
    error = await refused(platforms, platform, row, *script)
    assert (error.code, error.retry_after_s) == OUTCOMES[verdict]
    assert error.platform_code == number


async def test_numbers_are_read_leniently(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """WeChat's own sample has errcode as a text; an error may also come with HTTP 400 or 500."""
    number = next(iter(case.classes.get("CODE") or case.classes["RATE"]))
    expected = "code_invalid" if "CODE" in case.classes else "rate_limited"
    for status in ("200 OK", "400 Bad Request", "401 Unauthorized", "500 Oops"):
        platform.received.clear()
        script = json_answer(case.refuse(str(number)), status)
        error = await refused(platforms, platform, case, script)
        assert (error.code, error.platform_code) == (expected, number)


async def test_an_identity_beside_an_error_number_does_not_count(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """The number decides, whatever else is in the answer."""
    number = (case.classes.get("CONFIG") or case.classes["UNKNOWN"])[0]
    document = {**case.wrap({case.openid: OPENID}), **case.refuse(number)}
    document |= {"data": {case.openid: OPENID}}
    error = await refused(platforms, platform, case, json_answer(document))
    assert error.code == "platform_config"


@pytest.mark.parametrize("number", ["x", True, [1], {}, 1.5, "1" * 40, 10**40])
async def test_a_number_that_is_none_is_an_unknown_error(
    platforms: Platforms, platform: PlatformServer, case: Case, number: object
) -> None:
    """What stands in the number's place and cannot be read is no success."""
    document = {**case.refuse(number), "data": {case.openid: OPENID}, case.openid: OPENID}
    error = await refused(platforms, platform, case, json_answer(document))
    assert error.code == "platform_error"
    assert error.platform_code in (None, "x")  # "x" would be an OAuth word of Baidu's


# Refusals by shape


GARBAGE = [
    pytest.param(answer("<html>busy</html>"), id="HTML"),
    pytest.param(answer(""), id="empty, as WeChat's token call answered in 2017"),
    pytest.param(answer("[1]"), id="a list"),
    pytest.param(answer("null"), id="null"),
    pytest.param(answer("{}"), id="an empty object"),
    pytest.param(answer('{"openid":'), id="cut short"),
    pytest.param(answer('{"openid":"o","openid":"p","open_id":"o"}'), id="a name twice"),
    pytest.param(answer(b'{"openid":"\xff"}'), id="not UTF-8"),
    pytest.param(answer('{"errcode":NaN,"openid":"o"}'), id="NaN"),
    pytest.param(answer('{"expires_in":1e400,"openid":"o"}'), id="a number out of range"),
    pytest.param(answer('{"a":' * 100_000), id="deep nesting"),
    pytest.param(answer('{"a":' + "9" * 5000 + "}"), id="a long number"),
    pytest.param(answer("{" + " " * 1024 * 1024 + "}"), id="over 1 MiB"),
    pytest.param(bomb_answer(64), id="a gzip bomb"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{", id="short"),
    pytest.param(b"SSH-2.0-OpenSSH\r\nConnection: close\r\n\r\n", id="not HTTP"),
    pytest.param(answer("no", "404 Not Found"), id="404"),
    pytest.param(answer("x", "200 OK", "Content-Encoding: gzip"), id="not gzip"),
    pytest.param(drop, id="the connection is dropped"),
]


@pytest.mark.parametrize("step", GARBAGE)
async def test_garbage_is_no_login_and_is_asked_for_once(
    platforms: Platforms, platform: PlatformServer, case: Case, step: Step
) -> None:
    """attacks.md S15: one exchange, no session."""
    error = await refused(platforms, platform, case, step)
    assert (error.code, error.platform_code) == ("platform_error", None)


async def test_a_server_error_without_a_number_is_a_busy_platform(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """A 5xx says busy when its body says nothing, whether HTML or somebody else's JSON."""
    for body in ("<html>", "", '{"timestamp":1,"path":"/"}'):
        platform.received.clear()
        error = await refused(platforms, platform, case, answer(body, "502 Bad Gateway"))
        assert error.code == "platform_busy"


async def test_an_identity_in_a_server_error_does_not_count(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """Success needs a 2xx: an answer that contradicts itself is no login."""
    document = case.wrap({case.openid: OPENID})
    error = await refused(platforms, platform, case, json_answer(document, "500 Oops"))
    assert error.code == "platform_busy"


@pytest.mark.parametrize("signed", [case for case in CASES if case.success], ids=lambda c: c.name)
async def test_success_without_the_success_sign_is_refused(
    platforms: Platforms, platform: PlatformServer, signed: Case
) -> None:
    """Where the page requires a number for success, its absence is none."""
    document = {signed.openid: OPENID, "data": {signed.openid: OPENID}}
    error = await refused(platforms, platform, signed, json_answer(document))
    assert error.code == "platform_error"


@pytest.mark.parametrize("step", [hang, drip, drip_body])
async def test_a_slow_platform_is_given_up(
    platforms: Platforms, platform: PlatformServer, case: Case, step: Step
) -> None:
    """The app's time-out covers the whole exchange, a dripping body included."""
    error = await refused(platforms, platform, case, step, timeout_s=0.3)
    assert error.code == "platform_timeout"


async def test_no_redirect_is_followed(
    platforms: Platforms, platform: PlatformServer, case: Case
) -> None:
    """Another host never sees the secret (attacks.md S16)."""
    async with open_platform_server() as other:
        for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
            platform.received.clear()
            step = answer("{}", status, f"Location: {other.base}/")
            error = await refused(platforms, platform, case, step)
            assert error.code == "platform_error"
        assert other.connections == 0


async def test_nothing_private_is_logged(
    platforms: Platforms, platform: PlatformServer, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even with every logger at debug and asyncio's debug mode on."""
    caplog.set_level(logging.DEBUG)
    await refused(platforms, platform, case, drop)
    platform.received.clear()
    await refused(platforms, platform, case, answer("<html>"))
    assert SECRET not in caplog.text
    assert "k0de" not in caplog.text
    assert "t0ken" not in caplog.text
