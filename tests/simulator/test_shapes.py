"""Ids, codes and keys have each platform's shape."""

import base64
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.shapes import (
    anonymous_openid,
    new_code,
    new_session_key,
    openid,
    unionid,
)

PLATFORMS = st.sampled_from(["wechat", "douyin", "baidu", "kuaishou"])


@pytest.mark.parametrize(
    ("platform", "shape"),
    [
        pytest.param("wechat", r"o[A-Za-z0-9_-]{27}", id="28 characters, o first"),
        pytest.param("douyin", r"[A-Za-z0-9]{36}", id="letters and digits"),
        pytest.param("baidu", r"[A-Za-z0-9]{26}", id="as in the page's sample"),
        pytest.param("kuaishou", r"f[0-9a-f]{32}", id="hex"),
    ],
)
def test_openid(platform: str, shape: str) -> None:
    """The shape is the platform's; the same three names give the same id."""
    assert re.fullmatch(shape, openid(platform, "app", "ann"))
    assert openid(platform, "app", "ann") == openid(platform, "app", "ann")


@given(PLATFORMS, st.text(), st.text(), st.text())
def test_ids_differ_by_app_and_fit_a_header(platform: str, app: str, other: str, user: str) -> None:
    """Whatever the names, ids are printable ASCII, and two apps' ids differ."""
    one = openid(platform, app, user)
    assert all("!" <= character <= "~" for character in one + unionid(platform, user))
    assert (one == openid(platform, other, user)) == (app == other)


def test_other_ids() -> None:
    """Douyin's unionid is a UUID; an anonymous id is not the openid of the same name."""
    assert uuid.UUID(unionid("douyin", "ann")).version == 4
    assert anonymous_openid("tt1", "ann") != openid("douyin", "tt1", "ann")


@pytest.mark.parametrize(
    ("platform", "key_bytes"), [("wechat", 16), ("douyin", 16), ("baidu", 24), ("kuaishou", 16)]
)
def test_session_keys(platform: str, key_bytes: int) -> None:
    """A key decodes to what its cipher needs, and each is new."""
    assert len(base64.b64decode(new_session_key(platform), validate=True)) == key_bytes
    assert new_session_key(platform) != new_session_key(platform)


def test_codes_are_new() -> None:
    """No two codes are the same; a federated one has an @."""
    codes = {new_code("wechat") for _ in range(1000)} | {new_code("kuaishou")}
    assert len(codes) == 1001
    assert "@" in new_code("baidu", federated=True)
