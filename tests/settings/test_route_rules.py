"""Rules for routes that concern several settings at once."""

from collections.abc import Callable

import pytest

from gateway.errors import Problem
from gateway.settings import build
from gateway.settings.route_rules import check_routes

Raw = dict[str, object]
Refused = Callable[[Raw], dict[str, Problem]]
Dev = Callable[..., Raw]


@pytest.mark.parametrize(
    ("part", "path", "found"),
    [
        ({}, "", "neither upstream nor respond"),
        ({"upstream": "echo", "respond": {"body": "a"}}, "", "upstream and respond"),
        ({"respond": {}}, ".respond", "neither body nor file"),
        ({"upstream": "ehco"}, ".upstream", "'ehco'"),
        ({"upstream": "echo", "apps": ["shop", "shpo"]}, ".apps[1]", "'shpo'"),
        ({"upstream": "echo", "session": "none", "apps": ["shop"]}, ".apps", "a list"),
        (
            {"upstream": "echo", "session": "none", "platforms": ["wechat"]},
            ".platforms",
            "a list",
        ),
        ({"upstream": "echo", "session": "none", "anonymous": True}, ".anonymous", "true"),
        ({"upstream": "echo", "session": "none", "ticket": True}, ".ticket", "true"),
        ({"upstream": "echo", "strip_prefix": "/b"}, ".strip_prefix", "'/b'"),
        ({"upstream": "echo", "strip_prefix": "/ap"}, ".strip_prefix", "'/ap'"),
    ],
)
def test_a_route_that_does_not_fit_is_refused(
    part: Raw, path: str, found: str, dev: Dev, refused: Refused
) -> None:
    """The problem stands where it is mended."""
    problems = refused(dev(routes=[{"path": "/api/x", **part}]))
    assert list(problems) == [f"routes[0]{path}"]
    assert problems[f"routes[0]{path}"].found == found


def test_the_nearest_upstream_is_offered(dev: Dev, refused: Refused) -> None:
    """Most unknown names are slips of the pen."""
    problem = refused(dev(routes=[{"path": "/", "upstream": "ehco"}]))["routes[0].upstream"]
    assert problem.allowed == "did you mean 'echo'? one of: echo"


def test_a_broken_upstream_is_still_known(dev: Dev, refused: Refused) -> None:
    """What follows from another problem is not told."""
    raw = dev(upstreams={"echo": {"targets": []}}, routes=[{"path": "/", "upstream": "echo"}])
    assert list(refused(raw)) == ["upstreams.echo.targets"]


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ({}, {}, True),
        ({"host": "A.example"}, {"host": "a.example"}, True),
        ({"methods": ["GET", "POST"]}, {"methods": ["POST", "GET"]}, True),
        ({"methods": ["GET"]}, {"methods": ["POST"]}, False),
        ({"methods": ["GET"]}, {}, False),
        ({"host": "a.example"}, {}, False),
        ({"path": "/a"}, {"path": "/a/"}, False),
    ],
)
def test_two_routes_are_not_the_same(
    first: Raw, second: Raw, is_refused: bool, dev: Dev, refused: Refused
) -> None:
    """The second of two equal routes would never be reached."""
    route: Raw = {"path": "/a", "upstream": "echo"}
    raw = dev(routes=[{**route, **first}, {**route, **second}])
    if is_refused:
        problems = refused(raw)
        assert list(problems) == ["routes[1]"]
        assert "routes[0]" in problems["routes[1]"].found
    else:
        build(raw)


def test_a_prefix_is_cut_at_a_segment(dev: Dev) -> None:
    """The whole path may be cut too."""
    route: Raw = {"path": "/api", "upstream": "echo", "strip_prefix": "/api"}
    build(dev(routes=[route, {**route, "path": "/api/x/"}]))


def test_production_assertions_need_a_key() -> None:
    """Nothing is signed with a key that was made up."""
    route: Raw = {"path": "/", "upstream": "a", "assertion": True}
    findings = check_routes({"upstreams": {"a": {}}, "routes": [route]})
    assert [finding.loc for finding in findings] == [("routes", 0, "assertion")]
    identity: Raw = {"upstreams": {"a": {}}, "routes": [route], "identity": {}}
    assert list(check_routes(identity)) == []


def test_a_host_that_is_none_is_told_by_each_route(dev: Dev, refused: Refused) -> None:
    """Its shape is the models' business; two of them are equal all the same."""
    route: Raw = {"path": "/a", "upstream": "echo", "host": "a:80"}
    assert list(refused(dev(routes=[route, route]))) == [
        "routes[0].host",
        "routes[1].host",
        "routes[1]",
    ]
