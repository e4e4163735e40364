"""Names and values that may pass, in both directions (attacks.md H, F2, F3, G4, S13, S18)."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.headers import (
    Field,
    check_names,
    connection_tokens,
    copied_to_client,
    copied_to_upstream,
    fold,
    is_reserved,
    read_token,
    values,
)
from tests.support.requests import TCHAR_MARKS, attempt, code_of, fields

COOKIE = "gw"
# Design section 7 and the names of ecosystem.md 1.4, written down again, not imported.
OUR_NAMES = [
    *("X-OpenId", "X-Platform", "X-AppId", "X-Subject", "X-UnionId", "X-Anonymous-OpenId"),
    *("X-User-Id", "X-Session-Id", "X-Gateway-Assertion", "X-Request-Id", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"),
    *("Forwarded", "X-App-Id", "From-Source", "X-Userinfo", "Remote-User", "X-Forwarded-User"),
    *("X-Auth-Request-User", "user_id", "user_key", "username"),
    *("X-WX-OPENID", "X-WX-APPID", "X-WX-UNIONID", "X-WX-FROM-OPENID", "X-WX-SOURCE", "X-WX-ENV"),
    *("X-TT-OPENID", "X-TT-ANONYMOUS-OPENID", "X-TT-UNIONID", "X-TT-APPID", "X-TT-SOURCE"),
    *("X-Original-Forwarded-For", "X-Original-URL", "X-Original-URI", "X-Original-Method"),
    *("X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Port"),
    *("X-Forwarded-Method", "X-Forwarded-Server", "X-HTTP-Method-Override"),
    *("X-Session-Token", "X-Session-Anything", "X-Gateway-Error", "X-Gateway-Anything"),
]
HOP_BY_HOP = [
    *("Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding"),
    *("Upgrade", "HTTP2-Settings", "Proxy-Authorization", "Proxy-Authenticate", "Proxy"),
]
HARMLESS = ["Accept", "Content-Type", "Origin", "User-Agent", "X-Requested-With", "X-My-Thing"]
# Bytes that somebody's CGI, WSGI or PHP reads as the same character (H3 to H6).
MARKS = TCHAR_MARKS + "[ "


def sent(*lines: str, cookie: str | None = COOKIE) -> list[Field]:
    """What of these lines goes to a service."""
    return copied_to_upstream(fields(*lines), cookie)


def answered(*lines: str, cookie: str | None = COOKIE) -> list[Field]:
    """What of these lines goes to a client."""
    return copied_to_client(list(fields(*lines)), cookie)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OUR_NAMES)
def test_a_reserved_name_never_passes(name: str) -> None:
    """H1 to H6, H11, F2, F3, G4: each name, in each spelling, in each case."""
    for mark in MARKS:
        spelt = name.replace("-", mark).replace("_", mark).encode()
        for each in (spelt, spelt.lower(), spelt.upper(), spelt.swapcase()):
            assert copied_to_upstream(((each, b"evil"),), COOKIE) == []
            assert is_reserved(fold(each))


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_a_hop_by_hop_name_never_passes(name: str) -> None:
    """H15: in neither direction, in no spelling."""
    for each in (name, name.lower(), name.upper(), name.replace("-", "_")):
        assert sent(f"{each}: x") == []
        if name != "Proxy":
            assert answered(f"{each}: x") == []


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_pass_as_they_came(name: str) -> None:
    """Order, case, repetition and bytes of the value are kept."""
    received = ((name.upper().encode(), b"\xe4\xbd\xa0"), (name.encode(), b""))
    assert copied_to_upstream(received, COOKIE) == list(received)
    assert copied_to_client(list(received), COOKIE) == list(received)


@given(st.binary(max_size=40))
def test_fold_reads_every_byte(name: bytes) -> None:
    """ASCII letters lower-cased, digits kept, every other byte a hyphen."""
    assert fold(name) == re.sub(rb"[^a-z0-9]", b"-", name.lower())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Content_Length", "T3"),
        ("content.length", "T3"),
        ("Transfer_Encoding", "T4"),
        ("TRANSFER~ENCODING", "T4"),
    ],
)
def test_a_second_spelling_of_framing_is_refused(name: str, why: str) -> None:
    """Framing for one reader and nothing for the other."""
    assert code_of(lambda: check_names(fields(f"{name}: 5"))) == "bad_request", why


def test_the_usual_spellings_of_framing_are_fine() -> None:
    """Whatever their case."""
    check_names(fields("CONTENT-LENGTH: 5", "transfer-encoding: chunked", "Host: a", "X_Y: z"))


def test_values_keep_their_order() -> None:
    """Several lines of one name, compared without case."""
    assert values(fields("A: 1", "B: 2", "a: 3"), b"a") == [b"1", b"3"]


# -- Connection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "tokens", "why"),
    [
        ([], set(), "none"),
        (["Connection: close"], {b"close"}, "one"),
        (["Connection: Close, X-OpenId"], {b"close", b"x-openid"}, "H13: lower-cased"),
        (["connection: a", "CONNECTION: b"], {b"a", b"b"}, "H13: two lines are one list"),
        (["Connection: , ,X-OpenId,"], {b"x-openid"}, "H13: empty members are nothing"),
        (["Connection: \ta\t,\tb"], {b"a", b"b"}, "tabs"),
        (["Connection: a b"], {b"a b"}, "two words are no token, and not two"),
        (["Connection:"], set(), "empty"),
    ],
)
def test_what_connection_names(lines: list[str], tokens: set[bytes], why: str) -> None:
    """RFC 9110 7.6.1."""
    assert connection_tokens(fields(*lines)) == tokens, why


@pytest.mark.parametrize("copied", [sent, answered])
@pytest.mark.parametrize(
    ("connection", "kept", "why"),
    [
        ("close", {"Accept", "X-My"}, "nothing is named"),
        ("X-My", {"Accept"}, "what is named ends here"),
        ("x-mY, accept", set(), "names have no case"),
        ("X_My", {"Accept", "X-My"}, "but one spelling"),
        (", ,X-My", {"Accept"}, "empty members"),
    ],
)
def test_what_connection_names_ends_here(
    copied: Callable[..., list[Field]], connection: str, kept: set[str], why: str
) -> None:
    """RFC 9110 7.6.1, in both directions."""
    found = copied(f"Connection: {connection}", "Accept: a", "X-My: b")
    assert {name.decode() for name, _ in found} == kept, why


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Content-Type"])
def test_connection_cannot_name_what_belongs_to_the_service(name: str) -> None:
    """H14: a caller's credentials and the body's type pass all the same."""
    assert sent(f"Connection: Host, {name}, Content-Length", f"{name}: x") == [
        (name.encode(), b"x")
    ]


@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Transfer-Encoding", "Expect", "Connection", "Upgrade"]
)
def test_framing_is_not_copied(name: str) -> None:
    """H14: who builds the head writes it anew, whatever `Connection` names."""
    assert sent(f"{name}: x") == sent(f"Connection: {name}", f"{name}: x") == []


# -- the token ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "token", "why"),
    [
        ([], None, "none"),
        (["Authorization: Bearer gw1.a"], "gw1.a", "the usual place"),
        (["authorization: bearer gw1.a"], "gw1.a", "schemes have no case"),
        (["Authorization: Bearer   gw1.a  "], "gw1.a", "spaces around it"),
        (["Authorization: Bearer\tgw1.a"], "gw1.a", "a tab"),
        (["Authorization: Bearer gw1.a b"], "gw1.a b", "rubbish behind: refused as invalid later"),
        (["Authorization: Bearer"], None, "S2: no token"),
        (["Authorization: Bearer  "], None, "S2: only spaces"),
        (["Authorization: Bearer null"], None, "S2: not ours"),
        (["Authorization: Bearer eyJhbGciOi.e.e"], None, "somebody else's"),
        (["Authorization: Bearer GW1.a"], None, "tokens have case"),
        (["Authorization: Basic Z3cxLmE="], None, "another scheme"),
        (["Authorization: gw1.a"], None, "no scheme"),
        (["Authorization: Basic gw1.a"], None, "another scheme, whatever follows"),
        (["Authorization: Basic eA==", "Authorization: Bearer gw1.a"], "gw1.a", "two, one ours"),
        (["X-Session-Token: gw1.a"], "gw1.a", "our own header"),
        (["x-session-token: null"], "null", "S2: what is there is looked at, and is invalid"),
        (["X-Session-Token:"], None, "empty: not logged in yet"),
        (["X_Session_Token: gw1.a"], None, "one spelling counts; the other is only stripped"),
        (["Cookie: gw=gw1.a"], "gw1.a", "the cookie"),
        (["Cookie: a=b; gw=gw1.a; c=d"], "gw1.a", "among others"),
        (["Cookie: a=b;gw = gw1.a ;c=d"], "gw1.a", "odd spacing"),
        (["Cookie: a=b", "Cookie: gw=gw1.a"], "gw1.a", "in a second line"),
        (["Cookie: gw="], None, "an empty cookie is none"),
        (["Cookie: gw"], None, "nor is a name alone"),
        (['Cookie: gw="gw1.a"'], '"gw1.a"', "we never quote: refused as invalid later"),
        (["Cookie: xgw=gw1.a; gwx=gw1.b; GW=gw1.c"], None, "other names"),
        (["Cookie: gw=gw1.a=="], "gw1.a==", "only the first = divides"),
        (["Cookie: gw=gw1.a; gw=gw1.a"], "gw1.a", "twice the same is one"),
        (["Authorization: Bearer gw1.a", "X-Session-Token: gw1.a"], "gw1.a", "two that agree"),
        (["Authorization: Bearer gw1.a", "X-Session-Token:"], "gw1.a", "one of them empty"),
    ],
)
def test_the_token_is_found(lines: list[str], token: str | None, why: str) -> None:
    """Design section 5, "Carried"."""
    assert read_token(fields(*lines), COOKIE) == token, why


@pytest.mark.parametrize(
    ("lines", "code", "why"),
    [
        (["Authorization: Bearer gw1.a", "X-Session-Token: gw1.b"], "token_conflict", "S13"),
        (["Authorization: Bearer gw1.a", "Cookie: gw=gw1.b"], "token_conflict", "S13"),
        (["Authorization: Bearer gw1.a", "Authorization: Bearer gw1.b"], "token_conflict", "two"),
        (["X-Session-Token: gw1.a", "X-Session-Token: gw1.b"], "token_conflict", "two lines"),
        (["Cookie: gw=gw1.a; gw=gw1.b"], "token_conflict", "S18: tossed by a sibling domain"),
        (["Cookie: gw=gw1.a", "Cookie: gw=gw1.b"], "token_conflict", "S18: in two lines"),
        (["X-Session-Token: gw1.\xe9"], "session_invalid", "outside ASCII"),
    ],
)
def test_tokens_that_disagree_are_refused(lines: list[str], code: str, why: str) -> None:
    """S13, S18: nobody may guess which is meant."""
    assert code_of(lambda: read_token(fields(*lines), COOKIE)) == code, why
    assert code_of(lambda: read_token(fields(*lines[::-1]), COOKIE)) == code, why


def test_without_a_cookie_name_no_cookie_is_ours() -> None:
    """`session.cookie: null`: cookies are not looked at, and pass."""
    assert read_token(fields("Cookie: gw=gw1.a"), None) is None
    assert sent("Cookie: gw=gw1.a", cookie=None) == [(b"Cookie", b"gw=gw1.a")]


CARRIERS = st.sampled_from(
    ["Authorization: Bearer {}", "X-Session-Token: {}", "Cookie: a=b; gw={}", "cookie:gw={};x"]
)


@given(st.lists(st.tuples(CARRIERS, st.sampled_from(["gw1.a", "gw1.b"])), max_size=4), st.data())
def test_one_token_or_a_conflict_in_any_order(
    carried: list[tuple[str, str]], data: st.DataObject
) -> None:
    """The places and their order say nothing; the number of different tokens does."""
    lines = [carrier.format(token) for carrier, token in carried]
    noise = ["Authorization: Basic eA==", "Cookie: a=b", "X-Session: gw1.c", "Accept: gw1.d"]
    shuffled = data.draw(st.permutations(lines + noise))
    found = attempt(lambda: read_token(fields(*shuffled), COOKIE))
    tokens = {token for _, token in carried}
    if len(tokens) > 1:
        assert isinstance(found, GatewayError)
        assert found.code == "token_conflict"
    else:
        assert found == (tokens.pop() if tokens else None)
    assert not any(b"gw1.a" in value or b"gw1.b" in value for _, value in sent(*shuffled))


@pytest.mark.parametrize(
    ("line", "kept", "why"),
    [
        ("Authorization: Bearer gw1.a", None, "H22: ours"),
        ("Authorization: bearer\t gw1.a", None, "H22: however spaced"),
        ("Authorization: gw1.a", None, "H22: without its scheme"),
        ("Authorization: Token token=gw1.a", None, "H22: in other words"),
        ('Authorization: Token token="gw1.a"', None, "H22: quoted"),
        ("Authorization: Basic eA==, Bearer gw1.a", None, "H22: in a list"),
        ("Authorization: Bearer abc", "Bearer abc", "not ours"),
        ("Authorization: Bearer xgw1.a", "Bearer xgw1.a", "not ours either"),
        ("Authorization: Basic eA==", "Basic eA==", "untouched"),
        ("Authorization:", "", "even empty"),
        ("X-Session-Token: gw1.a", None, "H22: our own header"),
        ("X_Session_Token: gw1.a", None, "H22: in any spelling"),
        ("Cookie: gw=gw1.a", None, "nothing is left"),
        ("Cookie: gw=gw1.a;", None, "nor here"),
        ("Cookie: gw", None, "the name alone"),
        ("Cookie: a=b; gw=gw1.a; c=d", "a=b; c=d", "ours goes, the others stay"),
        ("Cookie: gw=gw1.a; c=d", "c=d", "in front"),
        ("Cookie: a=b; gw=gw1.a", "a=b", "at the end"),
        ("Cookie: a=b;  gw =gw1.a;c=d", "a=b;c=d", "odd spacing"),
        ("Cookie: gw=gw1.a; gw=gw1.b; c=d", "c=d", "each of them"),
        ("Cookie: xgw=1; gwx=2; GW=3; a=gw", "xgw=1; gwx=2; GW=3; a=gw", "other names"),
        ("Cookie: a=b;;c", "a=b;;c", "what is not ours is not tidied"),
    ],
)
def test_our_token_ends_here(line: str, kept: str | None, why: str) -> None:
    """H22: removed before forwarding, on every route; what is not ours passes untouched."""
    name = line.partition(":")[0].encode()
    expected = [] if kept is None else [(name, kept.encode())]
    assert sent(line) == expected, why


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("X-OpenId", "x-openid", "X_OpenId", "X.OpenId", "X-Platform", "X-AppId", "X-Subject"),
        *("X-UnionId", "X-Anonymous-OpenId", "X-User-Id", "X-Session-Id", "X-Gateway-Assertion"),
        *("X-Gateway-Error", "X-Session-Token", "X-Request-Id", "Content-Length", "CONTENT-LENGTH"),
    ],
)
def test_what_a_service_may_not_say(name: str) -> None:
    """H20: only we tell clients these."""
    assert answered(f"{name}: x", "Server: s") == [(b"Server", b"s")]


@pytest.mark.parametrize(
    ("cookie", "passes", "why"),
    [
        ("gw=x", False, "H20: ours"),
        ("gw=x; Path=/; Secure", False, "with attributes"),
        (" gw = x", False, "odd spacing"),
        ("=gw=x", False, "browsers send a nameless cookie back as `gw=x`"),
        ("gw", False, "a name without a value"),
        ("a=gw", True, "another's value"),
        ("gwx=1", True, "another name"),
        ("GW=1", True, "names have case"),
        ("a=b; gw=x", True, "an attribute nobody knows"),
    ],
)
def test_a_service_cannot_set_our_cookie(cookie: str, passes: bool, why: str) -> None:
    """H20: but its own pass as they are."""
    line = f"Set-Cookie: {cookie}"
    assert (answered(line) == list(fields(line))) is passes, why
    assert answered(line, cookie=None) == list(fields(line)), why


# -- run time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Connection: " + "," * 32000,
        "Connection: " + ",".join(f"a{n}" for n in range(5000)),
        "Cookie: " + ";" * 32000,
        "Cookie: " + "gw;" * 10000,
        "Cookie: " + "gw" * 16000,
        "Authorization: Bearer gw1." + " " * 32000 + "x",
        "Authorization: " + "Bearer gw1" * 3200,
        "Authorization: " + "=" * 32000,
        "X-" + "_" * 32000 + ": x",
    ],
    ids=lambda line: line[:20],
)
def test_no_header_is_slow(line: str) -> None:
    """32 KiB of anything cost milliseconds."""
    received = fields(line)
    began_s = time.process_time()
    check_names(received)
    connection_tokens(received)
    attempt(lambda: read_token(received, COOKIE))
    copied_to_upstream(received, COOKIE)
    copied_to_client(list(received), COOKIE)
    assert time.process_time() - began_s < 0.25
