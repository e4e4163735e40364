"""Whom a revocation means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.subjects import read_subjects, read_text
from gateway.endpoints.apps import Apps
from gateway.platforms.base import PlatformApp
from gateway.sessions.model import Subject
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
    body = json.dumps({"platform": "wechat", "openid": "o", **app}).encode()
    assert read_subjects(body, APPS) == found, why


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
    assert code_of(lambda: read_subjects(json.dumps(fields).encode(), APPS)) == code, why


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Never another exception."""
    assert code_of(lambda: read_subjects(body, APPS)) == "bad_request"


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
