"""The one decision: which sessions a route lets in (design sections 3 and 5)."""

from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from gateway.access import Access, Grant, authorize
from gateway.errors import GatewayError
from gateway.routing import Route, Router
from gateway.sessions.model import Session
from tests.support.requests import admitted, attempt, raw
from tests.support.sessions import make_session, make_subject

USER = make_session(1, app="shop-wechat")
GUEST = make_session(2, make_subject("a-1", "douyin", "tt1", "anonymous"), app="shop-douyin")
TOKENS = {"gw1.user": USER, "gw1.guest": GUEST}
Rule = Literal["required", "optional", "none"]
SHOP = frozenset({"shop-wechat"})
DOUYIN = frozenset({"douyin"})


@dataclass(slots=True)
class Sessions:
    """Sessions by token or ticket, in memory; it remembers what it was asked.

    `known` are tokens that are recalled; what is not recalled has to be looked up.
    """

    failure: str | None = None
    known: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    recalled: list[str] = field(default_factory=list)
    redeemed: list[tuple[str, str]] = field(default_factory=list)

    def recall(self, token: str) -> Session | None:
        self.recalled.append(token)
        return TOKENS.get(token) if token in self.known else None

    async def redeem(self, ticket: str, path: str) -> Session:
        self.redeemed.append((ticket, path))
        return await self.authenticate(f"gw1.{ticket}")

    async def authenticate(self, token: str) -> Session:
        self.asked.append(token)
        if self.failure is not None:
            raise GatewayError(self.failure)
        if token not in TOKENS:
            raise GatewayError("session_invalid")
        return TOKENS[token]


def route(
    session: Rule = "required",
    *,
    anonymous: bool = False,
    apps: frozenset[str] | None = None,
    platforms: frozenset[str] | None = None,
    ticket: bool = False,
) -> Route:
    return Route(
        "/x/",
        upstream="main",
        session=session,
        anonymous=anonymous,
        apps=apps,
        platforms=platforms,
        ticket=ticket,
    )


def access_to(sessions: Sessions, *rules: Route) -> Access:
    return Access(Router(rules), sessions, sessions, "gw")


async def decide(
    rule: Route, *lines: str, sessions: Sessions | None = None, target: str = "/x/1"
) -> Grant | str:
    """The grant, or the code of the refusal."""
    access = access_to(sessions or Sessions(), rule)
    try:
        return await access.decide(admitted(raw(f"GET {target}", *lines)))
    except GatewayError as error:
        return error.code


BEARER = "Authorization: Bearer "


@pytest.mark.parametrize(
    ("rule", "session", "code", "why"),
    [
        (route(), None, "session_missing", "required"),
        (route(), USER, None, "required, and there"),
        (route(), GUEST, "route_forbidden", "guests need anonymous: true"),
        (route(anonymous=True), GUEST, None, "which this one has"),
        (route(anonymous=True), None, "session_missing", "a guest is somebody"),
        (route("optional"), None, None, "nobody may"),
        (route("optional"), USER, None, "a user may"),
        (route("optional"), GUEST, None, "optional routes admit guests"),
        (route(apps=SHOP), USER, None, "of this app"),
        (route(apps=SHOP), replace(USER, app="game"), "route_forbidden", "S12: of another"),
        (route(apps=frozenset()), USER, "route_forbidden", "of none"),
        (route(apps=SHOP, anonymous=True), GUEST, "route_forbidden", "a guest of another"),
        (route("optional", apps=SHOP), GUEST, "route_forbidden", "optional is no way round"),
        (route("optional", apps=SHOP), None, None, "nobody has no app"),
        (route(platforms=frozenset({"wechat"})), USER, None, "of this platform"),
        (route(platforms=DOUYIN), USER, "route_forbidden", "S12: of another"),
        (route("optional", platforms=DOUYIN), USER, "route_forbidden", "optional is no way round"),
        (route(apps=SHOP, platforms=DOUYIN), USER, "route_forbidden", "both must fit"),
    ],
)
def test_authorize(rule: Route, session: Session | None, code: str | None, why: str) -> None:
    """Each kind of rule, letting in and keeping out."""
    refusal = attempt(lambda: authorize(rule, session))
    assert (refusal.code if isinstance(refusal, GatewayError) else None) == code, why


@pytest.mark.parametrize(
    ("rule", "lines", "granted", "why"),
    [
        ("required", [BEARER + "gw1.user"], USER, "a good token"),
        ("required", ["X-Session-Token: gw1.user"], USER, "in our own header"),
        ("required", ["Cookie: gw=gw1.user"], USER, "in the cookie"),
        ("optional", [BEARER + "gw1.user"], USER, "looked at, too"),
        ("optional", [], None, "no token is no session"),
        ("optional", ["X-Session-Token:"], None, "nor is an empty one"),
        ("optional", ["Authorization: Basic eA=="], None, "nor is somebody else's"),
        ("none", [], None, "open to all"),
        ("none", [BEARER + "gw1.user"], None, "the token is not looked at"),
        ("none", [BEARER + "gw1.bad"], None, "even where it is bad"),
        ("none", [BEARER + "gw1.a", "X-Session-Token: gw1.b"], None, "or two disagree"),
    ],
)
async def test_a_grant(rule: Rule, lines: list[str], granted: Session | None, why: str) -> None:
    """The route, and the session it was granted to."""
    chosen = route(rule)
    sessions = Sessions()
    assert await decide(chosen, *lines, sessions=sessions) == Grant(chosen, granted), why
    assert bool(sessions.asked) == (granted is not None), why


@pytest.mark.parametrize(
    ("rule", "lines", "code", "why"),
    [
        ("required", [], "session_missing", "no token"),
        ("required", ["Authorization: Basic eA=="], "session_missing", "not ours"),
        ("required", [BEARER + "gw1.bad"], "session_invalid", "a bad one"),
        ("optional", [BEARER + "gw1.bad"], "session_invalid", "a bad one is not no token"),
        ("optional", ["X-Session-Token: null"], "session_invalid", "S2"),
        ("required", [BEARER + "gw1.user", "Cookie: gw=gw1.x"], "token_conflict", "S13"),
        ("optional", [BEARER + "gw1.user", "Cookie: gw=gw1.x"], "token_conflict", "S13"),
        ("required", [BEARER + "gw1.guest"], "route_forbidden", "a guest"),
        ("required", ["X-OpenId: o-alice"], "session_missing", "a claim is no session"),
        ("required", ["Connection: Authorization"], "session_missing", "nor is anything else"),
    ],
)
async def test_a_refusal(rule: Rule, lines: list[str], code: str, why: str) -> None:
    """Absence of a good token means refused."""
    assert await decide(route(rule), *lines) == code, why


@pytest.mark.parametrize("rule", ["required", "optional"])
@pytest.mark.parametrize("code", ["store_unavailable", "session_expired", "session_revoked"])
async def test_what_the_sessions_say_stands(rule: Rule, code: str) -> None:
    """A store away is 503 on optional routes too, never "anonymous"."""
    assert await decide(route(rule), BEARER + "gw1.user", sessions=Sessions(code)) == code


async def test_the_route_comes_first() -> None:
    """A path that leads nowhere asks no session."""
    sessions = Sessions()
    access = access_to(sessions)
    with pytest.raises(GatewayError, match="route_not_found"):
        await access.decide(admitted(raw("GET /x/1", BEARER + "gw1.user")))
    assert sessions.asked == []


async def test_the_route_of_a_refused_request_is_told() -> None:
    """A log line names it; a request that has no route tells none."""
    access = access_to(Sessions(), route())
    seen: list[Route] = []
    for target, code in (("/x/1", "session_missing"), ("/y", "route_not_found")):
        with pytest.raises(GatewayError) as refused:
            await access.decide(admitted(raw(f"GET {target}")), seen.append)
        assert refused.value.code == code
    assert [each.path for each in seen] == ["/x/"]


# -- recalled or looked up ------------------------------------------------------------------------

EVERY = [
    route(),
    route("optional"),
    route("none"),
    route(anonymous=True),
    route(apps=SHOP),
    route("optional", platforms=DOUYIN),
]
CARRIED = [
    [],
    [BEARER + "gw1.user"],
    [BEARER + "gw1.guest"],
    [BEARER + "gw1.bad"],
    ["Cookie: gw=gw1.user"],
    ["X-Session-Token: gw1.guest"],
    ["X-Session-Token: \xe9"],
    ["Authorization: Basic eA=="],
    [BEARER + "gw1.user", "Cookie: gw=gw1.guest"],
]


@pytest.mark.parametrize("rule", EVERY, ids=str)
@pytest.mark.parametrize("lines", CARRIED, ids=str)
async def test_a_recalled_session_is_decided_about_as_one_looked_up(
    rule: Route, lines: list[str]
) -> None:
    """Memory saves the look-up and changes no outcome; what is recalled is not asked for again."""
    new, known = Sessions(), Sessions(known=frozenset(TOKENS))
    assert await decide(rule, *lines, sessions=known) == await decide(rule, *lines, sessions=new)
    assert not set(known.asked) & set(TOKENS)
    assert new.asked == new.recalled == known.recalled


@pytest.mark.parametrize("rule", EVERY, ids=str)
@pytest.mark.parametrize("lines", CARRIED, ids=str)
async def test_recall_decides_as_decide_does_or_not_at_all(rule: Route, lines: list[str]) -> None:
    """Without a look-up: the same grant, the same refusal, or None, which says nothing."""
    request = admitted(raw("GET /x/1", *lines))
    for known in (frozenset[str](), frozenset(TOKENS)):
        sessions = Sessions(known=known)
        access = access_to(sessions, rule)
        found = attempt(lambda access=access: access.recall(request, access.match(request)))  # type: ignore[misc] # mypy cannot infer a lambda with a default
        assert sessions.asked == []
        outcome = await decide(rule, *lines, sessions=Sessions(known=known))
        if found is None:
            assert sessions.recalled
            assert sessions.recalled[0] not in known
        else:
            assert (found.code if isinstance(found, GatewayError) else found) == outcome


async def test_a_store_away_does_not_concern_who_is_recalled() -> None:
    """Design section 5: no I/O for a valid session."""
    sessions = Sessions("store_unavailable", frozenset(TOKENS))
    assert await decide(EVERY[0], BEARER + "gw1.user", sessions=sessions) == Grant(EVERY[0], USER)


def test_match_chooses_the_route_alone() -> None:
    """No session is asked, and no token looked at."""
    sessions, rule = Sessions(), route()
    access = access_to(sessions, rule)
    lines = (BEARER + "gw1.a", "X-Session-Token: gw1.b")
    assert access.match(admitted(raw("GET /x/1", *lines))) is rule
    with pytest.raises(GatewayError, match="route_not_found"):
        access.match(admitted(raw("GET /y")))
    assert sessions.recalled == sessions.asked == []


# -- tickets --------------------------------------------------------------------------------------

TAKING = route(ticket=True)


@pytest.mark.parametrize(
    ("rule", "query", "lines", "outcome", "why"),
    [
        (TAKING, "gw_ticket=user", [], USER, "a good one"),
        (TAKING, "a&gw%5Fticket=user", [], USER, "in another spelling, beside something"),
        (TAKING, "gw_ticket=bad", [], "session_invalid", "a bad one"),
        (TAKING, "gw_ticket=guest", [], "route_forbidden", "authorized as ever"),
        (TAKING, "gw_ticket=", [], "session_missing", "an empty one is none"),
        (TAKING, "gw_ticket=", [BEARER + "gw1.user"], USER, "so a token may stand beside it"),
        (TAKING, "gw_ticket=user", ["Cookie: gw=gw1.user"], "token_conflict", "a token, and same"),
        (TAKING, "gw_ticket=user", [BEARER + "gw1.bad"], "token_conflict", "even a bad one"),
        (TAKING, "gw_ticket=user", ["X-Session-Token: gw1.x"], "token_conflict", "anywhere"),
        (TAKING, "gw_ticket=user&gw_ticket=user", [], "token_conflict", "two, even the same"),
        (TAKING, "gw_ticket=user", ["Authorization: Basic eA=="], USER, "that is not ours"),
        (route("optional", ticket=True), "gw_ticket=bad", [], "session_invalid", "not nobody"),
        (route("optional", ticket=True), "gw_ticket=user", [], USER, "looked at, too"),
        (route(), "gw_ticket=user", [], "session_missing", "not taken here"),
        (route(), "gw_ticket=bad", [BEARER + "gw1.user"], USER, "nor looked at"),
        (route("none", ticket=True), "gw_ticket=bad", [], None, "nor where nobody is asked"),
    ],
)
@pytest.mark.parametrize("known", [frozenset[str](), frozenset(TOKENS)], ids=["new", "known"])
async def test_a_ticket(
    rule: Route,
    query: str,
    lines: list[str],
    outcome: Session | str | None,
    why: str,
    known: frozenset[str],
) -> None:
    """It is as good as a token where the route takes it; whether a session is known or not."""
    sessions = Sessions(known=known)
    found = await decide(rule, *lines, sessions=sessions, target=f"/x/1?{query}")
    assert (found.session if isinstance(found, Grant) else found) == outcome, why
    is_refused_unseen = outcome in ("token_conflict", "session_missing", None)
    assert bool(sessions.redeemed) == (not is_refused_unseen and not carries_token(lines)), why


@pytest.mark.parametrize(
    ("rule", "query", "said"),
    [
        (route(), "gw_ticket=user", "no ticket is taken here"),
        (route(), "a=b", "log in"),
        (TAKING, "gw_ticket=", "log in"),
    ],
)
async def test_a_ticket_where_none_is_taken_is_told(rule: Route, query: str, said: str) -> None:
    """Its holder would look for a fault in the ticket; the code stays the same."""
    access = access_to(Sessions(), rule)
    with pytest.raises(GatewayError, match=f"session_missing: {said}"):
        await access.decide(admitted(raw(f"GET /x/1?{query}")))


def carries_token(lines: list[str]) -> bool:
    """Whether these lines carry a token of ours."""
    return any("gw1." in line for line in lines)


async def test_a_ticket_is_redeemed_once_for_the_path_as_it_is_matched() -> None:
    """Deciding at once says nothing, so that looking up happens in one place."""
    sessions = Sessions()
    access = access_to(sessions, TAKING)
    request = admitted(raw("GET /x/%61?gw_ticket=user"))
    assert access.recall(request, access.match(request)) is None
    assert sessions.redeemed == []
    assert await access.decide(request) == Grant(TAKING, USER)
    assert sessions.redeemed == [("user", "/x/a")]


async def test_a_ticket_with_the_store_away_is_no_bad_ticket() -> None:
    """503: its client may try again."""
    sessions = Sessions("store_unavailable")
    found = await decide(TAKING, sessions=sessions, target="/x/1?gw_ticket=user")
    assert found == "store_unavailable"
