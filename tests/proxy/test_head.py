"""The heads that go out: identity last and only ours, framing written anew (attacks.md H, F, R)."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import Grant
from gateway.headers import Field
from gateway.proxy.framing import AnswerHead
from gateway.proxy.head import (
    Outgoing,
    build_answer,
    build_interim,
    build_request,
    read_request,
)
from gateway.routing import Route
from gateway.sessions.model import Session
from gateway.survey import survey_answer
from tests.support.requests import (
    PEER,
    REQUEST_ID,
    TCHAR_MARKS,
    admitted,
    attempt,
    code_of,
    fields,
    raw,
)
from tests.support.sessions import make_session, make_subject

COOKIE = "gw"
USER = replace(make_session(1), unionid="u-1", user_id="42")
NO_UNIONID = make_session(2)
GUEST = make_session(3, make_subject("a-1", "douyin", "tt1", "anonymous"))
SESSIONS = [None, USER, NO_UNIONID, GUEST]
# Design section 7, written down again: what only we may say, names and families.
RESERVED = {
    *("x-openid", "x-platform", "x-appid", "x-subject", "x-unionid", "x-anonymous-openid"),
    *("x-user-id", "x-session-id", "x-gateway-assertion", "x-request-id", "x-real-ip"),
    *("forwarded", "x-app-id", "from-source", "x-userinfo", "remote-user"),
    *("x-auth-request-user", "user-id", "user-key", "username", "x-http-method-override"),
}
FAMILIES = (
    *("x-forwarded-", "x-original-", "x-rewrite-", "x-session-", "x-gateway-", "x-wx-", "x-tt-"),
)


def folded(name: bytes) -> str:
    """A name as CGI, WSGI and PHP read it; written here again, not imported."""
    text = name.decode("ascii").lower()
    return "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789" else "-" for c in text)


def is_ours(field: Field) -> bool:
    name = folded(field[0])
    return name in RESERVED or name.startswith(FAMILIES)


def expected(session: Session | None) -> list[tuple[str, str]]:
    """What only we may say, as a service must see it, in order."""
    always = [
        ("X-Request-Id", REQUEST_ID),
        ("X-Forwarded-For", PEER),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "good"),
        ("X-Real-IP", PEER),
    ]
    if session is None:
        return always
    subject = session.subject
    identity = [
        ("X-OpenId", session.openid),
        ("X-Platform", subject.platform),
        ("X-AppId", subject.app_id),
        ("X-Subject", str(subject)),
        ("X-UnionId", session.unionid),
        ("X-Anonymous-OpenId", session.anonymous_openid),
        ("X-User-Id", session.user_id),
        ("X-Session-Id", session.key),
    ]
    return always + [(name, value) for name, value in identity if value]


def sent_bytes(
    *lines: str,
    line: str = "GET /api/x",
    session: Session | None = USER,
    prefix: str | None = None,
    host: str = "good",
    upstream_host: str | None = None,
    more: tuple[Field, ...] = (),
) -> bytes:
    """The head that goes to the service."""
    grant = Grant(Route("/api/", upstream="main", strip_prefix=prefix), session)
    request = admitted(raw(line, *lines, host=host, more=more))
    return build_request(request, grant, COOKIE, upstream_host)


def sent(
    *lines: str,
    line: str = "GET /api/x",
    session: Session | None = USER,
    prefix: str | None = None,
    host: str = "good",
    upstream_host: str | None = None,
    more: tuple[Field, ...] = (),
) -> Outgoing:
    """What goes to the service, read again."""
    return read_request(
        sent_bytes(
            *lines,
            line=line,
            session=session,
            prefix=prefix,
            host=host,
            upstream_host=upstream_host,
            more=more,
        )
    )


def said(outgoing: Outgoing) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode("latin-1")) for name, value in outgoing.fields]


# -- H, F: nobody but us --------------------------------------------------------------------------


@st.composite
def spelt_names(draw: st.DrawFn) -> bytes:
    """A reserved name in any spelling that a header name may have."""
    tail = draw(st.sampled_from(["openid", "for", "url", "token", "x", ""]))
    name = draw(st.sampled_from(sorted(RESERVED) + [family + tail for family in FAMILIES]))
    marks = draw(st.lists(st.sampled_from(TCHAR_MARKS + "["), min_size=8, max_size=8))
    spelt = "".join(marks.pop() if c == "-" else c for c in name)
    return draw(st.sampled_from([spelt, spelt.upper(), spelt.title(), spelt.swapcase()])).encode()


VALUES = st.sampled_from([b"evil", b"", b"a, b", b"\xff", b"127.0.0.1", b"o-alice"])
CONNECTIONS = st.sampled_from(
    ["close", "X-OpenId", "x-openid, X-Platform", ", ,X-Subject", "X-Forwarded-For", "X-Real-IP"]
)


@given(
    st.sampled_from(SESSIONS),
    st.lists(st.tuples(spelt_names(), VALUES), max_size=6),
    st.lists(CONNECTIONS, max_size=2),
)
def test_only_the_sessions_identity_arrives(
    session: Session | None, forged: list[Field], connections: list[str]
) -> None:
    """H1 to H5, H11, H13, H18, F1 to F3: on every route, with every session or none."""
    lines = [f"Connection: {connection}" for connection in connections]
    outgoing = sent(*lines, "Accept: a", session=session, more=tuple(forged))
    ours = [(name.decode(), value.decode()) for name, value in filter(is_ours, outgoing.fields)]
    assert ours == expected(session)
    assert said(outgoing)[-len(ours) :] == ours, "ours come last"


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["X-OpenId: a", "x-openid: b", "X-OpenId: a, b", "X-OpenId:"], "H2: several"),
        (["X-OpenId: evil"] * 126, "H12: as many as the parser lets through"),
        (["Trailer: X-OpenId"], "H16: announced as a trailer"),
        (["X-UnionId: evil", "X_Union_Id: evil"], "H18: where the session has none"),
        (["X-Forwarded-Uri: /public/x", "X-Original-URL: /", "X-Rewrite-URL: /"], "F2"),
        (["X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE"], "G4"),
    ],
)
def test_forged_headers_leave_no_trace(session: Session | None, lines: list[str], why: str) -> None:
    """The service sees what it would have seen without them."""
    assert said(sent(*lines, session=session)) == said(sent(session=session)), why


@pytest.mark.parametrize(
    "lines",
    [
        ["Authorization: Bearer gw1.secret"],
        ["authorization: bearer  gw1.secret"],
        ["X-Session-Token: gw1.secret"],
        ["Cookie: a=b; gw=gw1.secret; c=d"],
        ["Cookie: gw = gw1.secret", "Cookie: gw=gw1.secret"],
    ],
)
@pytest.mark.parametrize("session", SESSIONS)
def test_our_token_is_not_forwarded(session: Session | None, lines: list[str]) -> None:
    """H22: on every route, public ones too."""
    assert b"gw1." not in sent_bytes(*lines, session=session)


def test_what_is_not_ours_passes_in_order() -> None:
    """Names, case, order and bytes as they came; Host first, ours last."""
    outgoing = sent(
        "ACCEPT: a", "x-my: \xe4", "Accept: b", "Authorization: Basic eA==", session=None
    )
    assert said(outgoing) == [
        ("Host", "good"),
        ("ACCEPT", "a"),
        ("x-my", "\xe4"),
        ("Accept", "b"),
        ("Authorization", "Basic eA=="),
        *expected(None),
    ]


# -- forwarded headers ----------------------------------------------------------------------------


def test_a_trusted_peers_words_are_rebuilt() -> None:
    """F3, F4: the chain that we believe, the scheme and host it told, its request id."""
    lines = [
        "X-Forwarded-For: evil, 1.2.3.4",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-Port: 1",
        "X-Request-Id: 0123-its-own",
    ]
    request = admitted(raw("GET /api/x", *lines), (ip_network("203.0.113.0/24"),))
    grant = Grant(Route("/api/", upstream="main", strip_prefix="/api"), None)
    assert said(read_request(build_request(request, grant, None, None)))[1:] == [
        ("X-Request-Id", "0123-its-own"),
        ("X-Forwarded-Prefix", "/api"),
        ("X-Forwarded-For", f"1.2.3.4, {PEER}"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example"),
        ("X-Real-IP", "1.2.3.4"),
    ]


def test_a_unix_socket_has_no_address() -> None:
    """An empty header would be a claim, too: it is left out."""
    request = admitted(raw("GET /api/x", peer=""))
    head = build_request(request, Grant(Route("/api/", upstream="main"), None), None, None)
    assert [name for name, _ in said(read_request(head))] == [
        *("Host", "X-Request-Id", "X-Forwarded-Proto", "X-Forwarded-Host")
    ]


@pytest.mark.parametrize(
    ("host", "upstream_host", "expected_host"),
    [
        ("Good.:8080", None, "Good.:8080"),
        ("good", "orders:9000", "orders:9000"),
        ("[::1]:80", None, "[::1]:80"),
    ],
)
def test_the_host(host: str, upstream_host: str | None, expected_host: str) -> None:
    """The client's, as it wrote it, or the service's own; what was asked for is told beside it."""
    outgoing = sent(host=host, upstream_host=upstream_host)
    assert said(outgoing)[0] == ("Host", expected_host)
    assert ("X-Forwarded-Host", host) in said(outgoing)


# -- target ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "prefix", "forwarded", "why"),
    [
        ("/api/x", None, "/api/x", "as it came"),
        ("/%61pi/%e8%ae%a2?a=%zz&a=;", None, "/%61pi/%e8%ae%a2?a=%zz&a=;", "P16, P21: raw"),
        ("/api/%252e%252e/", None, "/api/%252e%252e/", "P3: unchanged"),
        ("/api?", None, "/api?", "an empty query stays"),
        ("http://GOOD:81/api/x?y", None, "/api/x?y", "P17: origin form"),
        ("/api/x?y", "/api", "/x?y", "the prefix is cut"),
        ("/api?y=/api", "/api", "/?y=/api", "to the root, the query stays"),
        ("/api/%e8", "/api", "/%e8", "the rest stays raw"),
    ],
)
def test_the_target(target: str, prefix: str | None, forwarded: str, why: str) -> None:
    """Design section 8: the raw bytes, less the prefix."""
    assert sent(line=f"GET {target}", prefix=prefix).target == forwarded, why


@pytest.mark.parametrize("target", ["/%61pi/x", "/api//x", "/api/%2fx", "/api/;/x"])
def test_an_unusual_prefix_is_refused(target: str) -> None:
    """R1 to R4."""
    assert code_of(lambda: sent(line=f"GET {target}", prefix="/api")) == "target_refused"


def test_the_head_as_bytes() -> None:
    """RFC 9112 2.1, to the last byte."""
    ours = "".join(f"{name}: {value}\r\n" for name, value in expected(USER))
    assert sent_bytes("X-My: \xe4", line="GET /api/a?b", host="Good") == (
        b"GET /api/a?b HTTP/1.1\r\nHost: Good\r\nX-My: \xe4\r\n"
        + ours.replace("good", "Good").encode()
        + b"\r\n"
    )


def test_a_head_is_read_as_it_was_built() -> None:
    """`explain` shows what is sent: no field more, none less, in order."""
    head = b"GET /a?b HTTP/1.1\r\nHost: good\r\nX-My: \xe4: b\r\nX-Empty: \r\n\r\n"
    assert read_request(head) == Outgoing(
        "GET", "/a?b", ((b"Host", b"good"), (b"X-My", b"\xe4: b"), (b"X-Empty", b""))
    )


@given(st.lists(st.tuples(spelt_names(), st.binary(max_size=20)), max_size=5))
def test_no_line_is_added_to_the_head(received: list[Field]) -> None:
    """X1: no value that the parser lets through makes a line, and the head ends once."""
    clean = [(name, value.translate(None, b"\r\n\0")) for name, value in received]
    head = attempt(lambda: sent_bytes(more=tuple(clean)))
    assert isinstance(head, bytes)
    assert head.count(b"\r\n") == 1 + len(sent().fields) + 1
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    assert head.index(b"\r\n\r\n") == len(head) - 4


COPIED_NAMES = st.sampled_from([b"Accept", b"X-My", b"x-my"])


@given(st.lists(st.tuples(COPIED_NAMES, st.binary(max_size=20)), max_size=5))
def test_what_is_copied_arrives_as_it_was_sent(received: list[Field]) -> None:
    """Byte for byte, one line for each field, whatever else is in it."""
    clean = tuple((name, value.translate(None, b"\r\n\0")) for name, value in received)
    assert sent(more=clean).fields[1 : 1 + len(clean)] == clean


# -- framing --------------------------------------------------------------------------------------

FRAMING_NAMES = {"content-length", "transfer-encoding", "expect", "connection", "upgrade"}


@pytest.mark.parametrize(
    ("line", "lines", "framing", "why"),
    [
        ("GET /api/", [], [], "no body"),
        ("POST /api/", ["content-length: 007"], [("Content-Length", "7")], "rewritten"),
        ("GET /api/", ["Content-Length: 3"], [("Content-Length", "3")], "T11: same framing"),
        ("DELETE /api/", ["Content-Length: 0"], [("Content-Length", "0")], "an empty body is said"),
        ("POST /api/", ["transfer-encoding: CHUNKED"], [("Transfer-Encoding", "chunked")], "T4"),
        (
            "POST /api/",
            ["Content-Length: 3", "Expect: 100-Continue"],
            [("Content-Length", "3"), ("Expect", "100-continue")],
            "T13: passed on",
        ),
        ("POST /api/", ["Expect: 100-continue"], [], "T13: no body to wait for"),
        (
            "GET /api/",
            ["connection: keep-alive, Upgrade, X-My", "upgrade: WebSocket", "X-My: 1"],
            [("Connection", "Upgrade"), ("Upgrade", "websocket")],
            "a handshake, and nothing else that Connection named",
        ),
        ("GET /api/", ["Connection: keep-alive", "Keep-Alive: 5"], [], "H15: ends here"),
        ("GET /api/", ["TE: trailers", "Trailer: X-My"], [], "H15, H16: end here"),
        ("GET /api/", ["Upgrade: h2c", "HTTP2-Settings: x"], [], "H15: not asked, not passed"),
        (
            "POST /api/",
            ["Connection: Content-Length, Host, Transfer-Encoding", "Content-Length: 3"],
            [("Content-Length", "3")],
            "H14: framing cannot be named away",
        ),
    ],
)
def test_framing_is_written_anew(
    line: str, lines: list[str], framing: list[tuple[str, str]], why: str
) -> None:
    """One framing, in one spelling, and no other hop-by-hop header."""
    said_fields = said(sent(*lines, line=line))
    assert [each for each in said_fields if each[0].lower() in FRAMING_NAMES] == framing, why
    others = {"keep-alive", "te", "trailer", "http2-settings", "x-my"}
    assert not others & {name.lower() for name, _ in said_fields}, why


# -- answers --------------------------------------------------------------------------------------


def answered(
    *lines: str,
    status: int = 200,
    reason: str = "OK",
    length: int | None = None,
    has_body: bool = True,
    connection: bytes = b"",
    is_chunked: bool = False,
) -> str:
    """The head that the client gets."""
    received = list(fields(*lines))
    head = AnswerHead(
        status,
        reason.encode("latin-1"),
        received,
        survey_answer(received),
        length,
        is_chunked,
        has_body,
    )
    return build_answer(head, REQUEST_ID, COOKIE, connection, is_chunked=is_chunked).decode(
        "latin-1"
    )


def test_an_answer_passes_as_it_is() -> None:
    """Less hop-by-hop and what only we may say; plus our request id."""
    head = answered(
        "Content-Type: text/plain",
        "Server: s",
        "Connection: keep-alive, X-Ends",
        "X-Ends: here",
        "X-OpenId: evil",
        "X-Gateway-Error: evil",
        "x_request_id: evil",
        "Set-Cookie: a=b",
        "Set-Cookie: gw=evil",
        "Content-Length: 2",
        "X-My: \xe4",
        reason="Fine\xe4",
        length=2,
        connection=b"Connection: close\r\n",
    )
    assert head == (
        "HTTP/1.1 200 Fine\xe4\r\n"
        "Content-Type: text/plain\r\nServer: s\r\nSet-Cookie: a=b\r\nX-My: \xe4\r\n"
        f"Content-Length: 2\r\nX-Request-Id: {REQUEST_ID}\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "length", "has_body", "is_chunked", "framing", "why"),
    [
        (200, 5, True, False, "Content-Length: 5\r\n", "a length"),
        (200, 0, True, False, "Content-Length: 0\r\n", "of nothing"),
        (200, None, True, True, "Transfer-Encoding: chunked\r\n", "chunked"),
        (200, None, True, False, "", "until the connection ends"),
        (200, 5, False, False, "Content-Length: 5\r\n", "T17: HEAD tells the length"),
        (304, 5, False, False, "Content-Length: 5\r\n", "RFC 9110 8.6: so does 304"),
        (204, 5, False, False, "", "T17: 204 has none, whatever the service says"),
        (204, 0, False, False, "", "T17: not even 0"),
        (101, 5, False, False, "", "T17: nor has 101"),
    ],
)
def test_an_answers_framing(
    status: int, length: int | None, has_body: bool, is_chunked: bool, framing: str, why: str
) -> None:
    """RFC 9112 6: one framing at most, and ours."""
    head = answered(status=status, length=length, has_body=has_body, is_chunked=is_chunked)
    line = f"HTTP/1.1 {status} OK\r\n"
    assert head == f"{line}{framing}X-Request-Id: {REQUEST_ID}\r\n\r\n", why


@pytest.mark.parametrize(
    ("status", "lines", "expected_lines", "why"),
    [
        (100, (), "", "nothing to say"),
        (103, ("Link: </a>",), "Link: </a>\r\n", "what it is for"),
        (103, ("Set-Cookie: gw=evil", "Link: </a>"), "Link: </a>\r\n", "H20: not our cookie"),
        (103, ("X-OpenId: evil", "X-Gateway-Error: evil"), "", "H20: nor what only we may say"),
        (103, ("Content-Length: 3", "Transfer-Encoding: chunked"), "", "it has no body"),
        (103, ("Connection: X-My", "X-My: a", "Link: b"), "Link: b\r\n", "what ends here"),
    ],
)
def test_an_interim_head(
    status: int, lines: tuple[str, ...], expected_lines: str, why: str
) -> None:
    """RFC 9110 15.2: filtered as any answer, without framing, ours or the service's."""
    received = list(fields(*lines))
    found = survey_answer(received)
    interim = AnswerHead(status, b"Said", received, found, None, is_chunked=False, has_body=True)
    expected_head = f"HTTP/1.1 {status} Said\r\n{expected_lines}\r\n"
    assert build_interim(interim, COOKIE) == expected_head.encode(), why
