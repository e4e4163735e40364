"""Settings promised but not yet kept are refused, unless they say what happens anyway."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import Problem
from gateway.settings import build
from gateway.settings.unbuilt import ALLOWED, UNBUILT, find_unbuilt
from gateway.settings.walk import find

Raw = dict[str, object]
ROUTE: Raw = {"path": "/", "upstream": "echo"}

CASES: list[tuple[Raw, str]] = [
    ({"server": {"proxy_protocol": True}}, "server.proxy_protocol"),
    ({"server": {"tls": {"cert": "a", "key": "b"}}}, "server.tls"),
    ({"endpoints": {"decrypt": "/d"}}, "endpoints.decrypt"),
    ({"endpoints": {"phone": "/p"}}, "endpoints.phone"),
    ({"endpoints": {"auth": "/a"}}, "endpoints.auth"),
    ({"endpoints": {"jwks": "/j"}}, "endpoints.jwks"),
    ({"session": {"cookie": {"name": "s", "origins": ["https://a"]}}}, "session.cookie"),
    ({"login": {"callback": {"url": "https://a", "secret": "s"}}}, "login.callback"),
    ({"decrypt": {"max_age": "5m"}}, "decrypt"),
    ({"identity": {"issuer": "a", "signing_keys": ["k"]}}, "identity"),
    ({"routes": [{**ROUTE, "rate_limit": {"requests": 1, "per": "1m"}}]}, "routes[0].rate_limit"),
    ({"routes": [{**ROUTE, "identity": "ruoyi"}]}, "routes[0].identity"),
    ({"routes": [{**ROUTE, "assertion": True}]}, "routes[0].assertion"),
    ({"reserved": {"allow": ["x-userinfo"]}}, "reserved.allow"),
]


@pytest.mark.parametrize(("parts", "path"), CASES)
def test_what_is_not_built_is_refused(
    parts: Raw,
    path: str,
    dev: Callable[..., Raw],
    refused: Callable[[Raw], dict[str, Problem]],
) -> None:
    """Silence would be a lie to an operator."""
    problems = refused(dev(**parts))
    assert list(problems) == [path]
    assert problems[path].allowed == ALLOWED


def test_phone_keys_too(
    dev: Callable[..., Raw], refused: Callable[[Raw], dict[str, Problem]]
) -> None:
    """The key is shown by its length only."""
    app = {"platform": "wechat", "app_id": "a", "secret": "s", "phone_private_key": "hunter2"}
    problem = refused(dev(apps={"a": app}))["apps.a.phone_private_key"]
    assert problem.found == "a secret of 7 characters"


def test_what_is_true_anyway_is_taken(dev: Callable[..., Raw]) -> None:
    """Defaults may be written out, in any unit."""
    build(
        dev(
            server={"proxy_protocol": False},
            endpoints={"decrypt": "/decrypt", "phone": None},
            session={"cookie": None},
            login={"callback": None},
            decrypt={"per_session": "60/1m"},
            identity=None,
            reserved={"allow": []},
            routes=[{**ROUTE, "identity": "native"}],
        )
    )


def test_a_slip_in_one_value_is_told_as_such(
    dev: Callable[..., Raw], refused: Callable[[Raw], dict[str, Problem]]
) -> None:
    """A word that never was a choice is not called unbuilt; a mapping is refused whole."""
    problems = refused(
        dev(
            server={"proxy_protocol": "perhaps"},
            login={"callback": {"url": 5}},
            routes=[{**ROUTE, "identity": "x"}],
        )
    )
    assert problems["server.proxy_protocol"].allowed == "true or false"
    assert problems["routes[0].identity"].allowed.startswith("native")
    assert problems["login.callback"].allowed == ALLOWED
    assert "login.callback.url" not in problems


def test_every_row_names_a_setting() -> None:
    """A slip in the table would let a setting through."""
    for pattern in UNBUILT:
        start = 0 if pattern[0] == "routes" else "name"
        place = tuple(start if part == "*" else part for part in pattern)
        spot = find(place)
        assert spot is not None, pattern
        assert spot.field is not None, pattern


def test_what_is_not_written_is_not_found() -> None:
    """Defaults that describe unbuilt things stay."""
    assert list(find_unbuilt({}, Path())) == []
