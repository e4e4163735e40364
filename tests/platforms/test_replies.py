"""Codes in, ids out: what all platforms share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.platforms.base import LoginCodes
from gateway.platforms.replies import (
    is_usable_code,
    nested,
    optional_id,
    require_code,
    session_key,
)


@given(st.text())
def test_a_usable_code_can_be_sent(code: str) -> None:
    """It has an encoding, it is short, and no control character is in it."""
    if is_usable_code(code):
        assert 0 < len(code.encode()) <= 2048
        assert not any(ord(character) < 32 or ord(character) == 127 for character in code)


@pytest.mark.parametrize(
    ("code", "is_usable"),
    [
        pytest.param("0a3Xr1Ga1abcdefghijklmnopqrstuvw", True, id="like WeChat's"),
        pytest.param("abc@host", True, id="Baidu's federated hosts"),
        pytest.param(
            "the code is a mock one", True, id="the devtools' literal: platforms refuse it"
        ),
        pytest.param("a?b", True, id="a question mark is no lost surrogate"),
        pytest.param("码" * 682, True, id="2046 bytes"),
        pytest.param("码" * 683, False, id="2049 bytes"),
        pytest.param("c" * 2049, False, id="2049 characters"),
        pytest.param("\udc00", False, id="half of a character"),
        pytest.param("a\tb", False, id="a tab"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="none"),
    ],
)
def test_usable_codes(code: str | None, is_usable: bool) -> None:
    """Lenient in signs, strict in size and encoding."""
    assert is_usable_code(code) is is_usable


def test_a_code_is_required() -> None:
    """A guest's code alone is nothing where there are no guests."""
    assert require_code(LoginCodes("c", "a")) == "c"
    with pytest.raises(GatewayError) as caught:
        require_code(LoginCodes(None, "an0nym0us"))
    assert caught.value.code == "bad_request"
    assert "an0nym0us" not in str(caught.value)


def test_an_optional_id_that_is_wrong_is_missing() -> None:
    """So is an empty one: an openid is enough to log in."""
    assert optional_id(None, "unionid") is None
    assert optional_id("", "unionid") is None
    assert optional_id("u-1", "unionid") == "u-1"
    assert optional_id("u,1", "unionid") is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("tiihtNczf5v6AKRyjwEUhQ==", True, id="WeChat's"),
        pytest.param("981ce8b151c0599acf7ad1a673c6ff5e", True, id="Baidu's"),
        pytest.param("k" * 256, True, id="256 bytes"),
        pytest.param("k" * 257, False, id="257 bytes"),
        pytest.param("a b", False, id="a space"),
        pytest.param("", False, id="empty"),
        pytest.param(5, False, id="a number"),
    ],
)
def test_session_keys(value: object, kept: bool) -> None:
    """One that is not usable is dropped, because a login does not need it."""
    assert session_key(value) == (value if kept else None)


@pytest.mark.parametrize("value", [None, "", [], 5, "x"])
def test_data_that_is_no_object_is_empty(value: object) -> None:
    """Absent, null or full of something else."""
    assert nested({"data": value}) == {}
    assert nested({}) == {}
