"""What is allowed in the routes but rarely meant."""

from collections.abc import Callable

import pytest

from gateway.settings import build
from gateway.settings.route_advice import advise_routes

Raw = dict[str, object]
Dev = Callable[..., Raw]


def warnings(raw: Raw) -> list[str]:
    """Build settings and take the warnings about their routes."""
    return list(advise_routes(build(raw)))


def route(path: str, session: str = "required", host: str | None = None) -> Raw:
    """Make a route to the echo service."""
    return {"path": path, "upstream": "echo", "session": session, "host": host}


@pytest.mark.parametrize(
    ("first", "second", "is_named"),
    [
        (route("/api/"), route("/api/public/", "none"), True),
        (route("/api/"), route("/api/x", "none"), True),
        (route("/api/"), route("/apix", "none"), False),
        (route("/api/x"), route("/api/", "none"), False),
        (route("/api/", "optional"), route("/api/x", "none"), False),
        (route("/api/"), route("/api/x", "optional"), False),
        (route("/api/", host="a.b"), route("/api/x", "none", "a.b"), True),
        (route("/api/", host="a.b"), route("/api/x", "none", "c.d"), False),
        (route("/api/", host="a.b"), route("/api/x", "none"), False),
        (route("/api/"), route("/", "none", "a.b"), True),
        (route("/api/"), route("/api/x", "none", "a.b"), True),
    ],
)
def test_a_public_route_inside_a_required_one_is_named(
    first: Raw, second: Raw, is_named: bool, dev: Dev
) -> None:
    """Routes that name a host come before those that name none (attacks.md X7)."""
    found = warnings(dev(routes=[first, second]))
    assert [("is public inside" in warning) for warning in found] == [True] * is_named


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/login", "endpoints.login[0]"),
        ("/login/", "endpoints.login[0]"),
        ("/api/v1/registers/baidu_program/key1", "endpoints.login[1]"),
        ("/api/v1/registers/alipay_program/key1", None),
        ("/logout", "endpoints.logout"),
        ("/session/renew", "endpoints.session"),
        ("/session/other", None),
        ("/ping", "server.health_path"),
        ("/decrypt", None),
        ("/", None),
    ],
)
def test_a_route_an_endpoint_answers_is_named(path: str, endpoint: str | None, dev: Dev) -> None:
    """Endpoints come first; those not built yet answer nothing."""
    found = warnings(dev(routes=[route(path)], server={"health_path": "/ping"}))
    expected = [] if endpoint is None else [endpoint]
    assert [warning.split("answered by ")[1].split(",")[0] for warning in found] == expected


def test_endpoints_of_other_hosts_shadow_nothing(dev: Dev) -> None:
    """A route without host is shadowed on the endpoints' hosts."""
    hosts: Raw = {"hosts": ["a.b"]}
    assert not warnings(dev(endpoints=hosts, routes=[route("/login", host="c.d")]))
    assert warnings(dev(endpoints=hosts, routes=[route("/login", host="a.b")]))
    assert warnings(dev(endpoints=hosts, routes=[route("/login")]))


@pytest.mark.parametrize(
    ("routes", "shadowing", "why"),
    [
        ([route("/", host="a.b")], "routes[0]", "a prefix of everything"),
        ([route("/ping", host="a.b")], "routes[0]", "the very path"),
        ([route("/ping/", host="a.b")], "routes[0]", "a prefix owns its path without the slash"),
        ([route("/pi", host="a.b"), route("/pin/", host="a.b")], None, "other paths"),
        ([route("/")], None, "a prefix without host comes after an exact path"),
        ([route("/", host="a.b"), route("/ping", "none", "a.b")], None, "its own answer there"),
        ([route("/ping", "none", "a.b"), route("/ping/", host="a.b")], None, "the same, first"),
        ([route("/", host="a.b"), route("/ping", "none", "c.d")], "routes[0]", "elsewhere only"),
        ([route("/", host="a.b"), route("/ping/", host="a.b")], "routes[1]", "the longest"),
    ],
)
def test_a_host_s_route_over_the_health_path_is_named(
    routes: list[Raw], shadowing: str | None, why: str, dev: Dev
) -> None:
    """Routes that name the request's host come before the health path, which names none."""
    found = warnings(dev(routes=routes, server={"health_path": "/ping"}))
    named = [each.split(":")[0] for each in found if "from server.health_path" in each]
    assert named == ([] if shadowing is None else [shadowing]), why
    assert not any("answered by server.health_path" in each for each in found), why


def test_a_health_path_that_is_a_prefix_is_looked_at_too(dev: Dev) -> None:
    """It owns its path without the slash as well."""
    server: Raw = {"health_path": "/ping/"}
    assert warnings(dev(routes=[route("/ping/", host="a.b")], server=server)) == [
        "routes[0]: on a.b, /ping/ takes /ping/ from server.health_path"
    ]


@pytest.mark.parametrize(
    ("path", "usual", "why"),
    [
        ("/a%3Ab", "/a:b", "a colon may stand as it is"),
        ("/a%40b%2Bc%20/", "/a@b+c%20/", "so may others; a space may not"),
        ("/%21%24%26%27%28%29%2A%2C%3D", "/!$&'()*,=", "all the rest"),
        ("/a%3Bb", None, "a semicolon cannot be written in the settings"),
        ("/a%20b%25%E8%AE%A2", None, "what must be encoded"),
        ("/a:b", None, "as it is"),
    ],
)
def test_a_path_that_encodes_needlessly_is_named(
    path: str, usual: str | None, why: str, dev: Dev
) -> None:
    """Both spellings are different paths (RFC 3986, 2.2), and clients send the other one."""
    found = warnings(dev(routes=[route(path)]))
    text = f"routes[0].path: {path} misses requests for {usual}, as most clients write it"
    assert found == ([] if usual is None else [text]), why
    if usual is not None:
        assert not warnings(dev(routes=[route(path), route(usual)]))
        assert not warnings(dev(routes=[route(path, host="a.b"), route(usual)]))
        assert warnings(dev(routes=[route(path), route(usual, host="a.b")]))


def test_a_route_for_tickets_that_nobody_gets_is_named(dev: Dev) -> None:
    """They come from an endpoint that may be switched off."""
    taking = {**route("/a"), "ticket": True}
    found = warnings(dev(endpoints={"session": None}, routes=[route("/b"), taking]))
    assert found == ["routes[1].ticket: endpoints.session is null, so nobody gets a ticket"]
    assert not warnings(dev(endpoints={"session": None}, routes=[route("/b")]))
    assert not warnings(dev(routes=[taking]))
