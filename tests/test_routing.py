"""Routes: the router agrees with a slow, obvious one (design section 8; attacks.md P, R, G2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.routing import MAX_KNOWN, MAX_KNOWN_CHARACTERS, METHODS, Route, Router
from gateway.target import Oddity, parse
from tests.support.requests import attempt, code_of

MAX = 8192
ALL: tuple[Oddity, ...] = ("double_slash", "encoded_slash", "semicolon")


def route(
    path: str, *methods: str, host: str | None = None, allow: tuple[Oddity, ...] = ()
) -> Route:
    return Route(
        path, host=host, methods=frozenset(methods), upstream="main", allow=frozenset(allow)
    )


def match(router: Router, path: str, method: str = "GET", host: str = "good") -> str:
    """The name of the route taken, or the code of the refusal."""
    found = attempt(lambda: router.match(host, parse(path, MAX), method))
    return found.code if isinstance(found, GatewayError) else found.name


# -- the reference --------------------------------------------------------------------------------


def fits(route: Route, path: str) -> bool:
    """A prefix owns what is below it, and its own path without the slash."""
    if not route.path.endswith("/"):
        return path == route.path
    return path.startswith(route.path) or path == route.path[:-1]


def place_of(routes: list[Route], host: str, path: str) -> list[Route]:
    """Look at every route: host first, exact before prefix, the longest; equal ones pooled."""
    for wanted in (host, None):
        fitting = [each for each in routes if each.host == wanted and fits(each, path)]
        if fitting:
            best = max(fitting, key=lambda each: (not each.path.endswith("/"), len(each.path)))
            return [each for each in fitting if each.path == best.path]
    return []


def reference(routes: list[Route], host: str, path: str, method: str) -> Route | str:
    """Design section 8, word for word, for paths without oddities."""
    pooled = place_of(routes, host, path)
    if not pooled:
        return "route_not_found"
    for each in pooled:
        methods = each.methods or set(METHODS)
        if method in methods or (method == "HEAD" and "GET" in methods):
            return each
    return "method_not_allowed"


HOSTS = st.sampled_from([None, "good", "other"])
ROUTE_PATHS = st.lists(st.sampled_from(["a", "b", "aa", "c:d", "%E8"]), max_size=3).flatmap(
    lambda names: st.sampled_from(["/" + "/".join(names), "/" + "".join(f"{n}/" for n in names)])
)
ROUTES = st.lists(
    st.builds(
        Route,
        path=ROUTE_PATHS,
        host=HOSTS,
        methods=st.frozensets(st.sampled_from(["GET", "HEAD", "POST"]), max_size=2),
        allow=st.frozensets(st.sampled_from(ALL)),
    ),
    max_size=8,
)
REQUEST_METHODS = st.sampled_from([*METHODS, "PROPFIND", "get", ""])
PLAIN_PATHS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "aa", "c:d", "%e8", "%61"]), max_size=4),
    st.sampled_from(["", "/"]),
).map(lambda parts: "/" + "/".join(parts[0]) + (parts[1] if parts[0] else ""))
ODD_PATHS = st.lists(
    st.sampled_from(["/", "//", "a", "b", "%2f", ";x", "%3A", "c%3Ad", "%3b", "%23", "%c0%af"]),
    max_size=8,
).map(lambda pieces: "/" + "".join(pieces))


@given(ROUTES, st.sampled_from(["good", "other", "third"]), PLAIN_PATHS, REQUEST_METHODS)
def test_match_agrees_with_the_reference(
    routes: list[Route], host: str, path: str, method: str
) -> None:
    """For every set of routes and every path without oddities, the same route or refusal."""
    target = parse(path, MAX)
    expected = reference(routes, host, target.path, method)
    found = attempt(lambda: Router(routes).match(host, target, method))
    assert (found.code if isinstance(found, GatewayError) else found) == expected


@given(ROUTES, st.sampled_from(["good", "other"]), ODD_PATHS)
def test_an_odd_path_takes_its_route_or_is_refused(
    routes: list[Route], host: str, path: str
) -> None:
    """A grant means: the reference's route, all oddities allowed, no reading led elsewhere."""
    target = parse(path, MAX)
    expected = reference(routes, host, target.path, "GET")
    found = attempt(lambda: Router(routes).match(host, target, "GET"))
    if isinstance(found, GatewayError):
        assert found.code in (expected, "target_refused")
        return
    assert found == expected
    assert target.oddities <= found.allow
    settled = len(found.path) - 1 if found.is_prefix else len(target.path)
    for reading in target.readings(settled):
        assert place_of(routes, host, reading) == place_of(routes, host, target.path)


# -- the rules, one by one ------------------------------------------------------------------------

RULES = Router(
    [
        route("/", "GET"),
        route("/api/"),
        route("/api/orders/", "GET"),
        route("/api/orders/", "POST"),
        route("/api/orders", "DELETE"),
        route("/admin/"),
        route("/hello.txt"),
        route("/v1/users:export", "POST"),
        route("/v1/"),
        route("/shop/", host="shop.example"),
        route("/api/", "GET", host="shop.example"),
    ]
)


@pytest.mark.parametrize(
    ("path", "method", "host", "found", "why"),
    [
        ("/api/x", "PUT", "good", "/api/", "a prefix"),
        ("/api", "PUT", "good", "/api/", "P14: it owns its path without the slash"),
        ("/api/", "PUT", "good", "/api/", "P14: and with it"),
        ("/apix", "GET", "good", "/", "P14: but no other name"),
        ("/api.", "GET", "good", "/", "P14: a dot belongs to the name"),
        ("/api%20", "GET", "good", "/", "P14: so does a space"),
        ("/API/x", "GET", "good", "/", "P13: paths have case"),
        ("/api/orders/1", "GET", "good", "/api/orders/", "the longest"),
        ("/api/orders/1", "POST", "good", "/api/orders/", "methods are pooled"),
        ("/api/orders/1", "HEAD", "good", "/api/orders/", "GET takes HEAD along"),
        ("/api/orders/1", "PUT", "good", "method_not_allowed", "never a shorter route"),
        ("/api/orders", "DELETE", "good", "/api/orders", "exact before prefix"),
        ("/api/orders", "GET", "good", "method_not_allowed", "even where the prefix would fit"),
        ("/hello.txt", "GET", "good", "/hello.txt", "exact"),
        ("/hello.txt/", "GET", "good", "/", "and nothing else"),
        ("/hello.txt/", "POST", "good", "method_not_allowed", "405 of where the path leads"),
        ("/%61pi/x", "PUT", "good", "/api/", "P10: the canonical copy is matched"),
        ("/admin?x=/api/", "PUT", "good", "/admin/", "P16: the query plays no part"),
        ("/shop/1", "GET", "shop.example", "shop.example/shop/", "a route of this host"),
        ("/api/x", "GET", "shop.example", "shop.example/api/", "first the host's own"),
        ("/api/x", "PUT", "shop.example", "method_not_allowed", "and only those, once one fits"),
        ("/admin/x", "PUT", "shop.example", "/admin/", "then those of no host"),
        ("/shop/1", "GET", "good", "/", "never those of another"),
        ("/x", "PROPFIND", "good", "method_not_allowed", "G4: an unknown method"),
        ("/api/x", "PROPFIND", "good", "method_not_allowed", "G4: also where all are served"),
        ("/api/x", "get", "good", "method_not_allowed", "G4: methods have case"),
        ("/api/x", "TRACE", "good", "method_not_allowed", "T20: never"),
        ("/v1/users:export", "POST", "good", "/v1/users:export", "a colon is a character"),
        ("/v1/users%3Aexport", "POST", "good", "target_refused", "encoded, most read it alike"),
        ("/v1/users%3Aimport", "POST", "good", "/v1/", "harmless where no other route is meant"),
        ("/files/C%23.pdf", "GET", "good", "/", "the same"),
        ("/hello.txt%23", "GET", "good", "target_refused", "P12: cut off, another route"),
        ("/hello.txt%3Fx", "GET", "good", "target_refused", "P15"),
        ("/hello.txt%3Bx", "GET", "good", "target_refused", "P8: encoded"),
        ("/x%C0%AFadmin", "GET", "good", "/", "an overlong slash that leads nowhere else"),
        ("/%C1%A1dmin/x", "GET", "good", "target_refused", "P7: an overlong letter that does"),
        ("//admin/x", "GET", "good", "target_refused", "P4: not allowed"),
        ("/api%2Fx", "GET", "good", "target_refused", "P5"),
        ("/admin;x/y", "GET", "good", "target_refused", "P8"),
    ],
)
def test_the_rules(path: str, method: str, host: str, found: str, why: str) -> None:
    """One row for each sentence of design section 8."""
    assert match(RULES, path, method, host) == found, why


@pytest.mark.parametrize(
    ("path", "allow", "found", "why"),
    [
        ("/pub//x", ("double_slash",), "/pub/", "allowed by name"),
        ("/pub//x", ("encoded_slash", "semicolon"), "target_refused", "others do not help"),
        ("/pub/a%2fb", ("encoded_slash",), "/pub/", "allowed by name"),
        ("/pub/a;b", ("semicolon",), "/pub/", "allowed by name"),
        ("/pub/a;b%2F", ("semicolon",), "target_refused", "each must be"),
        ("/pub//a;b%2Fc", ALL, "/pub/", "all of them"),
        ("/pub/priv;x/y", ALL, "target_refused", "without parameters, another route's"),
        ("/pub/priv%2fy", ALL, "target_refused", "decoded, another route's"),
        ("/pub//priv/y", ALL, "target_refused", "merged, another route's"),
        ("/pub/;/priv/y", ALL, "target_refused", "dropped, then merged"),
        ("/pub/x;%2Fpriv/y", ALL, "/pub/", "in no order another route's"),
        ("/pub/%3B/priv/y", ALL, "target_refused", "decoded, dropped, merged"),
        ("/pub;x/y", ALL, "target_refused", "without parameters, the longer route's"),
        ("//other/y", ALL, "/", "merged, still the same route's"),
        ("//pub/priv/y", ALL, "target_refused", "merged, another route's"),
    ],
)
def test_allowed_oddities_must_not_change_the_route(
    path: str, allow: tuple[Oddity, ...], found: str, why: str
) -> None:
    """Whatever the service makes of the spelling, the decision must have been about it."""
    router = Router([route("/", allow=ALL), route("/pub/", allow=allow), route("/pub/priv/")])
    assert match(router, path) == found, why


def test_what_a_route_names_is_not_in_question() -> None:
    """A route may hold `%23`, though some would cut there: the operator wrote it."""
    router = Router([route("/"), route("/C%23/"), route("/what%3F"), route("/D")])
    assert match(router, "/C%23/x") == "/C%23/"
    assert match(router, "/c%23/x") == "/"
    assert match(router, "/C%23") == "/C%23/"
    assert match(router, "/what%3f") == "/what%3F"
    assert match(router, "/D%23") == "target_refused"


def test_a_405_lists_what_the_place_serves() -> None:
    """The pooled methods, HEAD with GET, in the usual order."""
    with pytest.raises(GatewayError) as caught:
        RULES.match("good", parse("/api/orders/1", MAX), "PUT")
    assert caught.value.allow == ("GET", "HEAD", "POST")
    with pytest.raises(GatewayError) as caught:
        RULES.match("good", parse("/admin/", MAX), "PROPFIND")
    assert caught.value.allow == METHODS


@pytest.mark.parametrize("count", [1, 10, 500])
def test_the_number_of_routes_changes_nothing(count: int) -> None:
    """G2: with 1, 10 and 500 hosts and prefixes, the same answers."""
    more = [
        each
        for number in range(count - 1)
        for each in (
            route("/x/", host=f"h{number}.example"),
            route(f"/p{number}/"),
            route(f"/p{number}/exact"),
        )
    ]
    router = Router([*more, route("/api/"), route("/own/", host="good"), *more])
    assert match(router, "/api/x") == "/api/"
    assert match(router, "/own/x") == "good/own/"
    assert match(router, "/own/x", host="GOOD") == "route_not_found"
    assert match(router, "/own/x", host="unknown") == "route_not_found"
    assert match(router, "/x/", host="unknown") == "route_not_found"
    assert match(router, "/API/x") == "route_not_found"
    assert match(router, "/nothing") == "route_not_found"


def test_without_routes_nothing_is_served() -> None:
    """Absence of a rule means refused."""
    router = Router([])
    assert code_of(lambda: router.match("good", parse("/", MAX), "GET")) == "route_not_found"


# -- what is remembered ---------------------------------------------------------------------------

ASKED = st.lists(
    st.tuples(
        st.sampled_from(["good", "other", "third"]), PLAIN_PATHS | ODD_PATHS, REQUEST_METHODS
    ),
    max_size=12,
)


def outcome(router: Router, host: str, path: str, method: str) -> object:
    """The route taken, or all that a refusal says."""
    found = attempt(lambda: router.match(host, parse(path, MAX), method))
    return (found.code, found.detail, found.allow) if isinstance(found, GatewayError) else found


@given(ROUTES, ASKED)
def test_what_is_remembered_changes_no_answer(
    routes: list[Route], asked: list[tuple[str, str, str]]
) -> None:
    """A router that was asked before says what a new one says, each time it is asked."""
    used = Router(routes)
    for host, path, method in asked * 2:
        assert outcome(used, host, path, method) == outcome(Router(routes), host, path, method)


def test_methods_and_hosts_are_remembered_apart() -> None:
    """One path, several answers."""
    router = Router([route("/a", "GET"), route("/a", "POST"), route("/a", host="shop.example")])
    for _ in range(2):
        assert outcome(router, "good", "/a", "GET") == route("/a", "GET")
        assert outcome(router, "good", "/a", "POST") == route("/a", "POST")
        assert match(router, "/a", "PUT") == "method_not_allowed"
        assert match(router, "/a", "PUT", "shop.example") == "shop.example/a"


def test_what_is_asked_does_not_fill_memory() -> None:
    """Made-up paths push out what is remembered, long ones are not; all are answered."""
    router = Router([route("/a/")])
    for number in range(MAX_KNOWN + 10):
        assert match(router, f"/a/{number}") == "/a/"
        assert len(router._known) <= MAX_KNOWN
    before = len(router._known)
    assert match(router, "/a/" + "x" * MAX_KNOWN_CHARACTERS) == "/a/"
    assert match(router, "/b/nothing") == "route_not_found"
    assert match(router, "/a/x", "BREW") == "method_not_allowed"
    assert match(router, "/a//x") == "target_refused"
    assert len(router._known) == before
