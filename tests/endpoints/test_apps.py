"""Which app a login means: exactly one, or none (attacks.md S10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints.apps import Apps
from gateway.platforms.base import PlatformApp
from tests.support.requests import code_of


def app(name: str, platform: str, app_id: str) -> PlatformApp:
    return PlatformApp(name=name, platform=platform, app_id=app_id, secret="made-up")


APPS = Apps(
    [
        app("shop", "wechat", "wx1"),
        app("game", "wechat", "wx2"),
        app("shop-douyin", "douyin", "tt1"),
        app("twin-a", "baidu", "same"),
        app("twin-b", "kuaishou", "same"),
        app("tt1", "kuaishou", "ks1"),
        app("wx2", "douyin", "tt2"),
    ]
)


@pytest.mark.parametrize(
    ("name", "platform", "found", "why"),
    [
        ("shop", None, "shop", "by name"),
        ("shop", "wechat", "shop", "by name, the platform agreeing"),
        ("wx1", None, "shop", "by the platform's id"),
        ("wx1", "wechat", "shop", "by both"),
        ("same", "baidu", "twin-a", "an id that two platforms gave"),
        ("same", "kuaishou", "twin-b", "the other"),
        (None, "baidu", "twin-a", "the only app of its platform"),
        ("tt1", None, "tt1", "a name wins over an equal id of another app"),
        ("tt1", "douyin", "shop-douyin", "but not over what the platform says"),
        ("wx2", "wechat", "game", "the same, the other way about"),
    ],
)
def test_an_app_is_found(name: str | None, platform: str | None, found: str, why: str) -> None:
    """A name, a platform's id, a platform, or what fits of them."""
    assert APPS.resolve(name, platform).name == found, why


@pytest.mark.parametrize(
    ("name", "platform", "code", "why"),
    [
        ("nobody", None, "app_unknown", "no such name or id"),
        ("", None, "app_unknown", "an empty name is no name"),
        ("SHOP", None, "app_unknown", "names have case"),
        ("shop ", None, "app_unknown", "and are not trimmed"),
        ("shop", "douyin", "app_unknown", "the platform disagrees"),
        (None, "alipay", "app_unknown", "a platform without apps"),
        ("../shop", None, "app_unknown", "S10: a path"),
        ("wx1\r\n", None, "app_unknown", "S10: a line feed"),
        ("wx1&secret=x", None, "app_unknown", "S10: characters of URLs"),
        ("wx1\x00", None, "app_unknown", "S10: NUL"),
        (None, None, "bad_request", "many fit"),
        (None, "wechat", "bad_request", "two fit"),
        ("same", None, "bad_request", "an id that two platforms gave"),
    ],
)
def test_no_app_is_guessed(name: str | None, platform: str | None, code: str, why: str) -> None:
    """None fits, or more than one: nothing leaves the house."""
    assert code_of(lambda: APPS.resolve(name, platform)) == code, why


@pytest.mark.parametrize(
    ("name", "platform", "found", "why"),
    [
        (None, "wechat", ["shop", "game"], "a whole platform"),
        ("same", None, ["twin-a", "twin-b"], "an id that two platforms gave"),
        ("tt1", None, ["tt1"], "a name wins over an equal id"),
        ("shop", "douyin", [], "the platform disagrees"),
        ("nobody", None, [], "unknown"),
    ],
)
def test_what_may_be_meant(
    name: str | None, platform: str | None, found: list[str], why: str
) -> None:
    """All that fit, where a caller does better than to refuse."""
    assert [each.name for each in APPS.fitting(name, platform)] == found, why


def test_the_only_app_needs_no_name() -> None:
    """`app` may be left out where only one fits (design section 4)."""
    assert Apps([app("shop", "wechat", "wx1")]).resolve(None, None).name == "shop"


def test_without_apps_nothing_is_known() -> None:
    """A gateway without apps logs nobody in."""
    assert code_of(lambda: Apps([]).resolve(None, None)) == "app_unknown"


@given(st.text(max_size=8))
def test_only_the_exact_text_finds_an_app(text: str) -> None:
    """No folding, no trimming, no prefix: what is found has this name or this id."""
    apps = Apps([app("shop", "wechat", "wx1"), app("game", "douyin", "tt1")])
    if text in {"shop", "wx1", "game", "tt1"}:
        assert text in {apps.resolve(text, None).name, apps.resolve(text, None).app_id}
    else:
        assert code_of(lambda: apps.resolve(text, None)) == "app_unknown"
