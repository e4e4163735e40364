"""Whom a call means, and what a block says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.subjects import (
    SUBJECT_FIELDS,
    check_names,
    read_block,
    read_object,
    read_subjects,
    read_text,
)
from gateway.endpoints.apps import Apps
from gateway.platforms.base import PlatformApp
from gateway.sessions.model import Subject
from gateway.sessions.store import Block
from tests.support.requests import code_of

APPS = Apps(
    [
        PlatformApp(name="shop", platform="wechat", app_id="wx1", secret="made-up"),
        PlatformApp(name="wx1", platform="douyin", app_id="tt1", secret="made-up"),
    ]
)
BOTH = (Subject("wechat", "wx1", "user", "o"), Subject("wechat", "wx1", "anonymous", "o"))
GONE = (Subject("wechat", "wx9", "user", "o"), Subject("wechat", "wx9", "anonymous", "o"))


@pytest.mark.parametrize(
    ("app", "found", "why"),
    [
        ({"app": "shop"}, BOTH, "by its name"),
        ({"app": "wx1"}, BOTH, "by the platform's id, though another platform's app has the name"),
        ({"app_id": "wx1"}, BOTH, "by the platform's id, said to be one"),
        ({"app_id": "wx9"}, GONE, "an app that is no longer configured"),
        ({"app": "shop", "app_id": None}, BOTH, "null is nothing"),
        ({"app": "shop", "app_id": ""}, BOTH, "and so is an empty text"),
    ],
)
def test_a_subject_is_named(app: dict[str, object], found: tuple[Subject, ...], why: str) -> None:
    """An openid is a user's or a guest's: both are meant."""
    fields = {"platform": "wechat", "openid": "o", **app}
    assert read_subjects(fields, APPS) == found, why


@pytest.mark.parametrize(
    ("fields", "code", "why"),
    [
        ({"platform": "wechat", "openid": "o"}, "bad_request", "at which app?"),
        ({"app": "shop", "openid": "o"}, "bad_request", "at which platform?"),
        ({"platform": "wechat", "app": "shop"}, "bad_request", "who?"),
        ({"platform": "", "app": "shop", "openid": "o"}, "bad_request", "an empty platform"),
        (
            {"platform": "wechat", "app": "shop", "app_id": "wx1", "openid": "o"},
            "bad_request",
            "two apps, which might disagree",
        ),
        ({"platform": "wechat", "app": "wx9", "openid": "o"}, "app_unknown", "not configured"),
        (
            {"platform": "baidu", "app": "shop", "openid": "o"},
            "app_unknown",
            "not of this platform",
        ),
        ({"platform": "wechat", "app": "shop", "openid": 1}, "bad_request", "no text"),
    ],
)
def test_nobody_is_guessed(fields: dict[str, object], code: str, why: str) -> None:
    """Less would end more than was meant, or nothing at all."""
    assert code_of(lambda: read_subjects(fields, APPS)) == code, why


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Never another exception."""
    assert code_of(lambda: read_subjects(read_object(body), APPS)) == "bad_request"


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=8))
def test_a_text_is_one_that_utf8_can_write(text: str) -> None:
    """Everything else is refused before a store sees it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        assert code_of(lambda: read_text({"x": text}, "x")) == "bad_request"
    else:
        assert read_text({"x": text}, "x") == text


def test_what_is_not_there_is_no_text() -> None:
    """Neither a missing field nor null."""
    assert read_text({"x": None}, "x") is None
    assert read_text({}, "x") is None


# -- blocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "block", "why"),
    [
        ({}, Block("", None), "for good, without a word"),
        ({"until": None, "reason": None}, Block("", None), "null is nothing"),
        ({"until": 1900000000, "reason": "spam"}, Block("spam", 1900000000.0), "seconds"),
        ({"until": 1900000000.5}, Block("", 1900000000.5), "and a part of one"),
        ({"until": "2030-03-17T17:46:40Z"}, Block("", 1900000000.0), "RFC 3339"),
        ({"until": "2030-03-18t01:46:40.25+08:00"}, Block("", 1900000000.25), "in another zone"),
        ({"until": "1970-01-01T00:00:01-00:00"}, Block("", 1.0), "long ago is for others to say"),
        ({"reason": "骚扰 " * 66}, Block("骚扰 " * 66, None), "198 characters of any script"),
    ],
)
def test_a_block_is_read(fields: dict[str, object], block: Block, why: str) -> None:
    """Until when, and why."""
    assert read_block(fields) == block, why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"until": "tomorrow"}, "no moment"),
        ({"until": ""}, "nothing"),
        ({"until": "2030-03-17"}, "a day has no end everywhere"),
        ({"until": "2030-03-17T17:46:40"}, "in which zone?"),
        ({"until": "2030-W12-1T00:00:00Z"}, "ISO 8601 has more than RFC 3339"),
        ({"until": "2030-02-30T00:00:00Z"}, "no such day"),
        ({"until": "\u0662030-03-17T17:46:40Z"}, "a digit of another kind"),
        ({"until": "1900000000"}, "a number as a text"),
        ({"until": True}, "no number"),
        ({"until": []}, "nor this"),
        ({"until": 0}, "the epoch itself"),
        ({"until": -1}, "before it"),
        ({"until": float("nan")}, "JSON as Python reads it"),
        ({"until": float("inf")}, "the same"),
        ({"until": 10**400}, "a number no clock has"),
        ({"until": 1900000000000}, "milliseconds"),
        ({"reason": 1}, "no text"),
        ({"reason": "x" * 201}, "too long"),
        ({"reason": "a\nadmin=ops"}, "a line of its own in the log"),
        ({"reason": "\u202ea"}, "what turns a line round"),
        ({"reason": "\ud800"}, "half a pair"),
    ],
)
def test_a_block_that_cannot_be_read(fields: dict[str, object], why: str) -> None:
    """Guessing would block for too long or not at all."""
    assert code_of(lambda: read_block(fields)) == "bad_request", why


@pytest.mark.parametrize(
    "names", [["until"], ["platform", "OpenId"], ["app", "app"], ["platform", ""]]
)
def test_a_name_that_is_not_known_is_refused(names: list[str]) -> None:
    """So is one said twice; what is known may be left out."""
    assert code_of(lambda: check_names(names, SUBJECT_FIELDS)) == "bad_request"
    assert code_of(lambda: check_names(names, frozenset())) == "bad_request"
    check_names(["app", "openid"], SUBJECT_FIELDS)
    check_names([], frozenset())
