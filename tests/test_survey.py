"""What may pass, both ways, and what the rest says (attacks.md H, F2, F3, G4, S13, S18)."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.headers import END_TO_END, Field, Kind, connection_tokens
from gateway.survey import (
    check_names,
    connection_options,
    join_fields,
    lines_to_client,
    lines_to_service,
    survey_answer,
    survey_request,
)
from gateway.survey import read_token as token_of
from tests.support.names import HARMLESS, HOP_BY_HOP, OUR_NAMES, spellings
from tests.support.requests import attempt, code_of, fields

COOKIE = "gw"


def lines_of(lines: bytes) -> list[Field]:
    """Header lines as fields again."""
    named = (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])
    return [(name, value) for name, _, value in named]


def copied_to_upstream(received: tuple[Field, ...], cookie: str | None) -> list[Field]:
    """What of these fields goes to a service."""
    found = survey_request(received).found
    assert found.lines == join_fields(found.copied)
    return lines_of(lines_to_service(found, cookie))


def copied_to_client(received: tuple[Field, ...], cookie: str | None) -> list[Field]:
    """What of these fields goes to a client."""
    found = survey_answer(received)
    assert found.lines == join_fields(found.copied)
    return lines_of(lines_to_client(found, cookie))


def read_token(received: tuple[Field, ...], cookie: str | None) -> str | None:
    """The token in these fields."""
    found, _, bearer = survey_request(received)
    return token_of(found, bearer, cookie)


def sent(*lines: str, cookie: str | None = COOKIE) -> list[Field]:
    """What of these lines goes to a service."""
    return copied_to_upstream(fields(*lines), cookie)


def answered(*lines: str, cookie: str | None = COOKIE) -> list[Field]:
    """What of these lines goes to a client."""
    return copied_to_client(fields(*lines), cookie)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OUR_NAMES)
def test_a_reserved_name_never_passes(name: str) -> None:
    """H1 to H6, H11, F2, F3, G4: each name, in each spelling, in each case."""
    for each in spellings(name):
        assert copied_to_upstream(((each, b"evil"),), COOKIE) == []


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
    assert copied_to_client(received, COOKIE) == list(received)


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
    found = survey_request(fields(f"{name}: 5")).found
    assert code_of(lambda: check_names(found)) == "bad_request", why
    assert found.copied == []


def test_the_usual_spellings_of_framing_are_fine() -> None:
    """Whatever their case."""
    lines = ("CONTENT-LENGTH: 5", "transfer-encoding: chunked", "Host: a", "X_Y: z")
    check_names(survey_request(fields(*lines)).found)


# -- Connection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [sent, answered])
@pytest.mark.parametrize(
    ("connection", "kept", "why"),
    [
        ("close", {"Accept", "X-My"}, "nothing is named"),
        ("X-My", {"Accept"}, "what is named ends here"),
        ("x-mY, accept", set(), "names have no case"),
        ("X_My", {"Accept", "X-My"}, "but one spelling"),
        (", ,X-My", {"Accept"}, "empty members"),
        ("keep-alive", {"Accept", "X-My"}, "nothing is named"),
        ("keep-alive, X-My", {"Accept"}, "beside what is usual"),
    ],
)
def test_what_connection_names_ends_here(
    copied: Callable[..., list[Field]], connection: str, kept: set[str], why: str
) -> None:
    """RFC 9110 7.6.1, in both directions."""
    found = copied(f"Connection: {connection}", "Accept: a", "X-My: b")
    assert {name.decode() for name, _ in found} == kept, why


@pytest.mark.parametrize("copied", [sent, answered])
@pytest.mark.parametrize("option", ["close", "Close", "keep-alive", "upgrade"])
def test_an_option_names_a_field_even_where_it_usually_names_none(
    copied: Callable[..., list[Field]], option: str
) -> None:
    """RFC 9110 7.6.1 makes no exceptions, and neither does a service."""
    assert copied(f"Connection: {option}", f"{option}: x", "Accept: a") == [(b"Accept", b"a")]


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
        ("Authorization: Bearer\xa0gw1.a", None, "H22: behind a space that HTTP does not know"),
        ("Authorization: Bearer:gw1.a", None, "H22: behind a colon"),
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


# -- against a slow, obvious one ------------------------------------------------------------------

NAMES = st.sampled_from(
    b"Authorization AUTHORIZATION authorization Host host Cookie cookie X-Session-Token Connection"
    b" connection X-My x-my Accept Content_Length Content-Length Transfer-Encoding X-OpenId"
    b" x_openid Expect Upgrade Keep-Alive close Set-Cookie Content-Type Proxy"
    b" X_Session_Token".split()
)
VALUES = st.sampled_from(
    [
        *(b"Bearer gw1.a", b"Bearer gw1.b", b"Bearer gw1.a-longer-one", b"bearer gw1.a"),
        *(b"Bearer  gw1.a", b"Bearer gw1.a ", b"Bearer gw1.a\tb", b"Bearer gw1.\xff", b"Bearer "),
        *(b"Bearer gw1.", b"Bearer gw1.a, x", b"Bearer x", b"Basic eA==", b"Token token=gw1.a"),
        *(
            b"",
            b"gw1.a",
            b"keep-alive",
            b"close",
            b"close, X-My",
            b"x-my,authorization",
            b"Upgrade",
        ),
        *(b"a=b; gw=gw1.c", b"gw=gw1.a", b"gw=", b"a=b", b"\xff", b"x" * 100, b"x" * 5000),
    ]
)
FIELDS = st.tuples(NAMES, VALUES)
REQUESTS = st.lists(FIELDS, max_size=7).map(tuple)


def kept_obviously(received: tuple[Field, ...], dropped_names: list[bytes]) -> list[Field]:
    """Less what is dropped by name, and what `Connection` names, whatever it is."""
    dropped = connection_tokens(received) - END_TO_END
    names = {name.replace(b"_", b"-") for name in dropped_names}
    return [
        field
        for field in received
        if field[0].lower() not in dropped
        and field[0].lower().replace(b"_", b"-") not in names | {b"content-length"}
    ]


HOPS = [name.lower().encode() for name in HOP_BY_HOP]


@given(REQUESTS)
def test_a_request_is_surveyed_as_the_rules_say(received: tuple[Field, ...]) -> None:
    """One pass does what one pass for each rule would do."""
    found, size_bytes, bearer = survey_request(received)
    plain = [*HOPS, b"host", b"expect", b"x-openid", b"x-session-token"]
    assert found.copied == [
        (name, value)
        for name, value in kept_obviously(received, plain)
        if name.lower() != b"authorization" or b"gw1." not in value
    ]
    assert found.lines == join_fields(found.copied)
    assert size_bytes == len(join_fields(received))
    for kind, spelt in [
        (Kind.HOST, b"host"),
        (Kind.COOKIE, b"cookie"),
        (Kind.TOKEN, b"x-session-token"),
        (Kind.CONNECTION, b"connection"),
        (Kind.LENGTH, b"content-length"),
        (Kind.CODING, b"transfer-encoding"),
        (Kind.EXPECT, b"expect"),
        (Kind.UPGRADE, b"upgrade"),
        (Kind.MISSPELT, b"content_length"),
    ]:
        assert found.values(kind) == [value for name, value in received if name.lower() == spelt]
    carried = [value for name, value in received if name.lower() == b"authorization"]
    ours = next((value for value in carried if re.fullmatch(rb"Bearer gw1\.[!-~]*", value)), None)
    assert bearer == (ours and ours.removeprefix(b"Bearer "))
    if ours is not None:
        carried.remove(ours)
    assert found.values(Kind.AUTHORIZATION) == carried
    assert connection_options(found) == connection_tokens(received)


@given(REQUESTS)
def test_an_answer_is_surveyed_as_the_rules_say(received: tuple[Field, ...]) -> None:
    """The same, the other way."""
    answer = tuple(field for field in received if field[0] != b"Content_Length")
    found = survey_answer(answer)
    assert found.copied == kept_obviously(answer, [*HOPS, b"x-openid", b"x-session-token"])
    for kind, spelt in [
        (Kind.LENGTH, b"content-length"),
        (Kind.CODING, b"transfer-encoding"),
        (Kind.CONTENT_TYPE, b"content-type"),
        (Kind.COOKIE, b"set-cookie"),
    ]:
        assert found.values(kind) == [value for name, value in answer if name.lower() == spelt]


@given(VALUES | st.binary(max_size=20).map(b"Bearer gw1.".__add__), st.booleans())
def test_a_plain_bearer_is_read_as_any_other(value: bytes, has_cookie: bool) -> None:
    """The short way to the token gives what the long one gives, and passes nothing on."""
    clean = value.translate(None, b"\r\n\0")
    received: tuple[Field, ...] = ((b"Authorization", clean),)
    short = attempt(lambda: read_token(received, None))
    long = attempt(lambda: read_token(received, COOKIE))
    assert str(short) == str(long)
    if survey_request(received).bearer is not None:
        assert short == clean.removeprefix(b"Bearer ").decode("ascii")
        assert copied_to_upstream(received, None) == []


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
    check_names(survey_request(received).found)
    connection_tokens(received)
    connection_options(survey_request(received).found)
    attempt(lambda: read_token(received, None))
    attempt(lambda: read_token(received, COOKIE))
    copied_to_upstream(received, COOKIE)
    copied_to_client(received, COOKIE)
    assert time.process_time() - began_s < 0.25
