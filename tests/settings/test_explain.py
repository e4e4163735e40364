"""What pydantic refused, in plain words."""

from collections.abc import Callable

import pytest

from gateway.errors import Problem
from gateway.settings.explain import show
from gateway.settings.findings import nowhere

Raw = dict[str, object]
Refused = Callable[[Raw], dict[str, Problem]]
MAPPING = "a mapping of settings; leave the key out for its defaults"


@pytest.mark.parametrize(
    ("raw", "path", "found", "allowed"),
    [
        ({"server": 5}, "server", "5", MAPPING),
        ({"server": None}, "server", "nothing", MAPPING),
        ({"apps": ["a"]}, "apps", "a list", MAPPING),
        ({"routes": {"a": 1}}, "routes", "a mapping", "a list"),
        ({"routes": [5]}, "routes[0]", "5", MAPPING),
        ({"upstreams": {"a": {}}}, "upstreams.a.targets", "nothing", "this key must be there"),
        ({"upstreams": {"a": {"targets": []}}}, "upstreams.a.targets", "an empty list", "1 entry"),
        (
            {"session": {"signing_keys": ["k" * 31 + str(n) for n in range(6)]}},
            "session.signing_keys",
            "a list",
            "at most 5 entries",
        ),
        ({"environment": "prod"}, "environment", "'prod'", "production or development"),
        ({"sever": {}}, "sever", "the unknown key 'sever'", "did you mean 'server'?"),
        ({"server": {"lisen": "x"}}, "server.lisen", "the unknown key 'lisen'", "'listen'"),
        ({"apps": {"A": {}}}, "apps.A", "the name 'A'", "a-z, 0-9 and -"),
        ({"logs": {"level": 5}}, "logs.level", "5", "debug, info, warning or error"),
    ],
)
def test_a_mistake_is_told_plainly(
    refused: Refused, raw: Raw, path: str, found: str, allowed: str
) -> None:
    """Each of pydantic's errors has its words."""
    problem = refused(raw)[path]
    assert problem.found == found
    assert allowed in problem.allowed


def test_one_bad_entry_is_not_an_empty_list(refused: Refused) -> None:
    """The list is only told to be too short when it is."""
    problems = refused({"upstreams": {"a": {"targets": ["nowhere"]}}})
    assert "upstreams.a.targets[0]" in problems
    assert "upstreams.a.targets" not in problems


def test_a_secret_is_never_found(refused: Refused) -> None:
    """Only its length is told, in every place that holds one."""
    raw: Raw = {
        "session": {
            "signing_keys": ["hunter2"],
            "encryption_keys": ["hunter2"],
            "store": "hunter2",
        },
        "admin": {"tokens": [{"name": "a", "token": "hunter2", "scopes": ["read"]}]},
        "apps": {"a": {"platform": "wechat", "app_id": "x", "secret": 71234567}},
    }
    problems = refused(raw)
    assert problems["session.signing_keys[0]"].found == "a secret of 7 characters"
    assert problems["admin.tokens[0].token"].found == "a secret of 7 characters"
    assert problems["apps.a.secret"].found == "a secret of 8 characters"
    text = "".join(map(str, problems.values()))
    assert "hunter2" not in text
    assert "71234567" not in text


def test_a_value_is_shown_by_its_place() -> None:
    """Whether a value is secret depends on where it stands."""
    raw: Raw = {"apps": {"a": {"secret": "x", "kind": "x"}}}
    assert show(raw, ("apps", "a", "secret"), nowhere) == "a secret of 1 characters"
    assert show(raw, ("apps", "a", "kind"), nowhere) == "'x'"
