"""The settings of one route."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings.routes import ReadFile, RespondSettings, RouteSettings


def test_a_route_has_the_contract_s_defaults() -> None:
    """A session is required where nothing is said."""
    made = RouteSettings.model_validate({"path": "/a/", "upstream": "b"})
    assert (made.session, made.anonymous, made.identity) == ("required", False, "native")
    assert (made.host, made.methods, made.apps, made.platforms) == (None, None, None, None)
    assert (made.strip_prefix, made.allow, made.limits.body) == (None, (), None)
    assert (made.ticket, made.assertion, made.rate_limit) == (False, False, None)


def test_a_fixed_answer_has_text_or_a_file() -> None:
    """Text goes out as UTF-8, a file as it was read."""
    assert RespondSettings.model_validate({"body": "你好"}).content == "你好".encode()
    file = ReadFile(Path("/a"), b"\xff")
    assert RespondSettings.model_validate({"file": file}).content == b"\xff"


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"path": "a"}, "no slash"),
        ({"host": "a:80"}, "a port"),
        ({"methods": ["get"]}, "lower case"),
        ({"methods": ["CONNECT"]}, "a tunnel to anywhere"),
        ({"methods": ["TRACE"]}, "an echo of headers"),
        ({"methods": []}, "no method at all"),
        ({"session": "maybe"}, "no such rule"),
        ({"anonymous": "yes"}, "text"),
        ({"apps": []}, "nobody may enter"),
        ({"platforms": ["alipay"]}, "a platform we do not know"),
        ({"strip_prefix": "/a/"}, "a slash at the end"),
        ({"allow": ["dots"]}, "never allowed"),
        ({"limits": {"headers": "1KiB"}}, "not a route's limit"),
        ({"timeouts": {"connect": "1s"}}, "the upstream's alone"),
        ({"respond": {"body": "a", "status": 100}}, "no final answer"),
        ({"respond": {"body": "a", "status": 304}}, "no body allowed"),
        ({"respond": {"body": "a", "content_type": "a\r\nb: c"}}, "a second header (X1)"),
        ({"respond": {"file": "not-read"}}, "nobody read it"),
    ],
)
def test_a_wrong_route_is_refused(part: dict[str, object], why: str) -> None:
    """Each value has its own bounds."""
    with pytest.raises(ValidationError):
        RouteSettings.model_validate({"path": "/a/", "upstream": "b", **part})
