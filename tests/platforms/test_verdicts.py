"""How a platform's number becomes an outcome."""

from collections.abc import Mapping

import pytest

from gateway.errors import OUTCOMES, GatewayError
from gateway.platforms import baidu, douyin, kuaishou, wechat
from gateway.platforms.api import Reply
from gateway.platforms.verdicts import (
    OUTCOME_OF,
    Row,
    SecretRefusedError,
    TokenRefusedError,
    Verdict,
    check_success_status,
    read_number,
    read_word,
    refusal,
    refusal_by_number,
)

TABLES: list[Mapping[int, Row]] = [
    wechat.ERRORS,
    douyin.ERRORS,
    kuaishou.ERRORS,
    baidu.ERROR_CODES,
]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(40029, 40029, id="a number"),
        pytest.param("40029", 40029, id="a text, as in WeChat's sample"),
        pytest.param(" -1 ", -1, id="with spaces"),
        pytest.param(0.0, 0, id="a whole float"),
        pytest.param("0", 0, id="zero as text"),
        pytest.param(1.5, None, id="a part"),
        pytest.param(True, None, id="true is no 1"),
        pytest.param(False, None, id="false is no 0"),
        pytest.param("", None, id="empty"),
        pytest.param("0x10", None, id="hexadecimal"),
        pytest.param("1_000", None, id="Python's own notation"),
        pytest.param("٣", None, id="another script's digit"),
        pytest.param("9" * 13, None, id="too long"),
        pytest.param(10**12, None, id="too large"),
        pytest.param(None, None, id="nothing"),
        pytest.param([1], None, id="a list"),
    ],
)
def test_numbers_are_read_leniently_but_not_wildly(value: object, number: int | None) -> None:
    """One reading for all platforms."""
    assert read_number(value) == number


@pytest.mark.parametrize("value", ["invalid_grant", "a"])
def test_an_oauth_word_is_read(value: str) -> None:
    """Small letters and underscores (RFC 6749 section 5.2)."""
    assert read_word(value) == value


@pytest.mark.parametrize("value", ["", "Invalid grant", "a" * 65, "a\nb", "7", None, 5])
def test_anything_else_is_no_word(value: object) -> None:
    """What is not a word is not repeated to the client."""
    assert read_word(value) is None


def test_every_class_has_an_outcome() -> None:
    """And every outcome is one of the gateway's."""
    assert set(OUTCOME_OF) == set(Verdict)
    assert set(OUTCOME_OF.values()) <= set(OUTCOMES)


def test_every_row_of_every_table_makes_an_answer_that_says_why() -> None:
    """The number and its meaning are in the detail."""
    for table in TABLES:
        for number, row in table.items():
            error = refusal_by_number("wechat", number, table)
            assert (error.code, error.platform_code) == (OUTCOME_OF[row.verdict], number)
            assert f"wechat {number}: {row.meaning}" in error.detail


def test_a_wrong_secret_and_a_wrong_token_are_told_apart() -> None:
    """Both are settings errors for the client, and each has its own second chance."""
    secret = refusal("wechat", 40125, Row(Verdict.SECRET, "the secret is invalid"))
    token = refusal("baidu", 110, Row(Verdict.TOKEN, "the access token is invalid"))
    assert (type(secret), secret.code) == (SecretRefusedError, "platform_config")
    assert (type(token), token.code) == (TokenRefusedError, "platform_config")
    assert type(refusal("wechat", 40013, Row(Verdict.CONFIG, "x"))) is GatewayError


def test_an_unlisted_number_is_told() -> None:
    """The operator can look it up."""
    error = refusal_by_number("wechat", "87009", {})
    assert (error.code, error.platform_code) == ("platform_error", 87009)


def test_the_platforms_request_id_is_told() -> None:
    """Its support asks for it (ecosystem.md section 5)."""
    assert "6129ee10" in refusal("wechat", 1, trace="6129ee10-1a2b3c4d-5e6f7a8b").detail


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, None),
        (204, None),
        (404, "platform_error"),
        (429, "rate_limited"),
        (500, "platform_busy"),
    ],
)
def test_without_a_number_the_status_decides(status: int, code: str | None) -> None:
    """Success needs a 2xx."""
    if code is None:
        check_success_status(Reply(status, {}))
        return
    with pytest.raises(GatewayError) as caught:
        check_success_status(Reply(status, {}))
    assert caught.value.code == code
