"""The settings of one app."""

import pytest
from pydantic import ValidationError

from gateway.settings.apps import AppSettings
from gateway.settings.scalars import Expanded


def app(**parts: object) -> AppSettings:
    """Make an app from its platform's keys."""
    return AppSettings.model_validate({"platform": "wechat", "secret": "s", **parts})


def test_an_app_is_known_by_its_platform_s_id() -> None:
    """Baidu's is the App Key (platforms.md section 3)."""
    assert app(app_id="wx1").app_identifier == "wx1"
    assert app(platform="baidu", app_key="K-1_a").app_identifier == "K-1_a"


def test_an_app_has_the_contract_s_defaults() -> None:
    """A mini-program, Baidu's old interface, union ids on."""
    made = app(app_id="wx1")
    assert (made.kind, made.api, made.unionid) == ("mini-program", "old", True)
    assert (made.api_base, made.proxy, made.timeout) == (None, None, None)


def test_an_id_of_digits_keeps_its_zeros() -> None:
    """From the environment, and in quotes."""
    assert app(app_id=Expanded("00123")).app_id == "00123"
    assert app(app_id="00123").app_id == "00123"


@pytest.mark.parametrize(("written", "value"), [("off", False), ("on", True), (False, False)])
def test_union_ids_are_on_or_off(written: object, value: bool) -> None:
    """Both spellings of a switch are taken."""
    assert app(app_id="a", unionid=written).unionid is value


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"platform": "alipay"}, "a platform we do not speak with"),
        ({"app_id": "a b"}, "a space"),
        ({"app_id": "a:b"}, "the subject's separator"),
        ({"app_id": "a\r\nb"}, "line breaks (attacks.md X2)"),
        ({"app_id": "a" * 65}, "too long"),
        ({"app_id": 123}, "a number"),
        ({"kind": "game"}, "no kind"),
        ({"api_base": "https://a/b"}, "a path"),
        ({"proxy": "socks5://a"}, "another proxy"),
        ({"timeout": 3}, "no unit"),
        ({"unionid": "maybe"}, "neither on nor off"),
        ({"secret": None}, "no secret"),
    ],
)
def test_a_wrong_app_is_refused(parts: dict[str, object], why: str) -> None:
    """Each value has its own bounds."""
    with pytest.raises(ValidationError):
        app(**{"app_id": "wx1", **parts})
