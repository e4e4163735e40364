"""The listeners' settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings.scalars import Expanded
from gateway.settings.server import AdminSettings, EndpointsSettings, LogsSettings, ServerSettings


@pytest.mark.parametrize(("written", "workers"), [("auto", "auto"), (1, 1), (Expanded("4"), 4)])
def test_workers_are_auto_or_a_number(written: object, workers: object) -> None:
    """A number may come from the environment."""
    assert ServerSettings.model_validate({"workers": written}).workers == workers


@pytest.mark.parametrize("written", [0, 257, True, "2", None, 1.5])
def test_other_workers_are_refused(written: object) -> None:
    """None at all serves nobody."""
    with pytest.raises(ValidationError, match="auto, or a whole number"):
        ServerSettings.model_validate({"workers": written})


@pytest.mark.parametrize(
    ("written", "access"),
    [("stdout", "stdout"), ("off", "off"), ("./a.log", Path("/etc/a.log")), ("/a", Path("/a"))],
)
def test_the_access_log_is_a_stream_a_file_or_off(written: str, access: object) -> None:
    """A relative file counts from the settings file."""
    logs = LogsSettings.model_validate({"access": written}, context={"base": Path("/etc")})
    assert logs.access == access


def test_a_bare_word_is_no_access_log() -> None:
    """A slip of the pen must not become a file."""
    with pytest.raises(ValidationError, match="with a slash"):
        LogsSettings.model_validate({"access": "sdtout"})


def test_null_switches_an_endpoint_off() -> None:
    """Each may be moved or switched off by itself."""
    endpoints = EndpointsSettings.model_validate({"login": None, "session": "/me", "logout": None})
    assert (endpoints.login, endpoints.session, endpoints.logout) == (None, "/me", None)


@pytest.mark.parametrize(
    "token",
    [
        {"name": "a", "token": "short", "scopes": ["read"]},
        {"name": "a", "token": "k" * 16, "scopes": []},
        {"name": "a", "token": "k" * 16, "scopes": ["root"]},
        {"name": "a b", "token": "k" * 16, "scopes": ["read"]},
        {"token": "k" * 16, "scopes": ["read"]},
    ],
)
def test_an_admin_token_has_a_name_and_scopes(token: object) -> None:
    """A short one could be guessed over the network."""
    with pytest.raises(ValidationError):
        AdminSettings.model_validate({"tokens": [token]})
