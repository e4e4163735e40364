"""What is allowed but rarely meant."""

from collections.abc import Callable

import pytest

from gateway.settings import advise, build

Raw = dict[str, object]
Dev = Callable[..., Raw]


def warnings(raw: Raw) -> list[str]:
    """Build settings and take their warnings."""
    return list(advise(build(raw)))


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


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]"])
def test_a_metadata_service_is_named(host: str, dev: Dev) -> None:
    """There a cloud hands out credentials (attacks.md X4)."""
    found = warnings(dev(upstreams={"m": {"targets": ["http://a", f"http://{host}"]}}))
    assert len(found) == 1
    assert found[0].startswith("upstreams.m.targets[1]")


def test_trusting_everybody_is_named(dev: Dev) -> None:
    """A network of all addresses believes every client."""
    found = warnings(dev(server={"trusted_proxies": ["10.0.0.0/8", "::/0"]}))
    assert found == ["server.trusted_proxies[1]: ::/0 lets every client say who it is"]


def test_a_login_path_without_app_is_named(dev: Dev) -> None:
    """It works only where the platform has one app."""
    found = warnings(dev(endpoints={"login": ["/login", "/in/{platform}", "/in/{app_id}"]}))
    assert found == ["endpoints.login[1]: /in/{platform} does not hold {app_id}"]
