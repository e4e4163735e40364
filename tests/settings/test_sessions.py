"""The settings of sessions and of login."""

import pytest
from pydantic import ValidationError

from gateway.settings.sessions import CallbackSettings, CookieSettings, SessionSettings


def test_null_switches_the_idle_timeout_off() -> None:
    """So says the contract; grace may be nothing at all."""
    session = SessionSettings.model_validate({"idle_timeout": None, "grace": "0s"})
    assert session.idle_timeout is None
    assert session.grace == 0


@pytest.mark.parametrize(
    "part", [{"lifetime": "0s"}, {"cache": -1}, {"max_per_subject": 0}, {"expose_openid": "yes"}]
)
def test_a_session_setting_out_of_range_is_refused(part: dict[str, object]) -> None:
    """A session that lives no time logs nobody in."""
    with pytest.raises(ValidationError):
        SessionSettings.model_validate(part)


def test_a_cookie_names_its_origins() -> None:
    """An empty list would let no page, or every page, ask for it."""
    CookieSettings.model_validate({"name": "sid", "origins": ["https://h5.example.com"]})
    for wrong in ({"name": "s d", "origins": ["https://a"]}, {"name": "sid", "origins": []}):
        with pytest.raises(ValidationError):
            CookieSettings.model_validate(wrong)


@pytest.mark.parametrize("url", ["ftp://a", "https://u:p@a/x", "https://a/x#y", "/x"])
def test_a_callback_has_a_plain_url(url: str) -> None:
    """No user, no fragment."""
    CallbackSettings.model_validate({"url": "https://a.b:8443/hook?x=1", "secret": "s"})
    with pytest.raises(ValidationError):
        CallbackSettings.model_validate({"url": url, "secret": "s"})
