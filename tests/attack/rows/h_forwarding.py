"""H13 to H22: what may take identity away or bring it in otherwise: hops, trailers, answers."""

from collections.abc import Iterator

from tests.attack.model import (
    EVERYWHERE,
    Arrives,
    Carried,
    Case,
    Entry,
    Expect,
    NotApplicable,
    Proven,
    Reply,
    Usual,
    forwarded,
    is_let_in,
    refused,
    request,
)

_LINE = b"POST @ROUTE@/x HTTP/1.1"
_TOKENS: dict[Carried, bytes] = {"none": b"", "valid": b"@A@", "invalid": b"@BAD@"}


def _each(
    row: str, title: str, send: bytes, expect: Expect, replies: tuple[Reply, ...] = ()
) -> Iterator[Case]:
    """Expect this wherever one is let in, and 401 elsewhere."""
    for route, carried in EVERYWHERE:
        yield Case(
            row=row,
            title=f"{title}, {route}, {carried}",
            send=send,
            expect=expect if is_let_in(route, carried) else refused(401, ends="either"),
            over=((route, carried),),
            replies=replies,
        )


_CONNECTIONS = (
    (b"Connection: X-Platform",),
    (b"connection: x-openid, x-subject, x-session-id, x-appid",),
    (b"Connection: keep-alive", b"Connection: X-OpenId"),
    (b"Connection: , ,X-OpenId",),
    (b"Connection: X_OpenId",),
    (b"Connection: X-Forwarded-For, X-Real-IP, X-Request-Id",),
)
_CLOSING = (
    (b"Connection: close, X-OpenId",),
    (b"Connection: x-platform, Close",),
    (b"Connection: X-OpenId", b"Connection: close"),
)


def _connection() -> Iterator[Case]:
    arrives = Arrives(lacks=(b"connection",))
    for lines in _CONNECTIONS:
        title = " | ".join(line.decode() for line in lines)
        send, expect = request(*lines), Usual(arrives)
        yield Case(row="H13", title=title, send=send, expect=expect, over=EVERYWHERE)
    for lines in _CLOSING:
        title = " | ".join(line.decode() for line in lines)
        yield from _each("H13", title, request(*lines), forwarded(arrives, ends="closed"))
    named = b"Connection: Authorization, Cookie, Host, Content-Length, Content-Type"
    more = (b"Cookie: a=b", b"Content-Type: text/plain")
    whole = Arrives(line=b"POST @UP@/x HTTP/1.1", body=b"12345", has=(b"Host: @HOST@", *more))
    yield Case(
        row="H14",
        title="Connection names framing and credentials",
        send=request(named, *more, b"Content-Length: 5", line=_LINE, body=b"12345"),
        expect=Usual(whole),
        over=EVERYWHERE,
    )
    hops = (b"Proxy-Connection: keep-alive", b"Keep-Alive: timeout=5", b"TE: trailers")
    other = (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Proxy: http://evil")
    lacks = b"proxy-connection keep-alive te upgrade http2-settings proxy connection".split()
    yield Case(
        row="H15",
        title="hop-by-hop fields end here",
        send=request(*hops, *other),
        expect=Usual(Arrives(lacks=tuple(lacks))),
        over=EVERYWHERE,
    )


_TRAILERS = (
    ("H16", b"X-OpenId: evil"),
    ("H16", b"x-platform: evil"),
    ("H17", b"X_OpenId: evil"),
    ("H17", b"X.OpenId: evil"),
    ("H17", b"Transfer-Encoding: chunked"),
    ("H17", b"Content-Length: 5"),
    ("H17", b"Host: evil"),
    ("H17", b"Authorization: Bearer evil"),
)


def _trailers() -> Iterator[Case]:
    """The page lets a trailer be dropped or refused; ours are dropped, and nothing is left."""
    for row, line in _TRAILERS:
        lines = (b"Transfer-Encoding: chunked", b"Trailer: " + line.partition(b":")[0])
        body = b"3\r\nabc\r\n0\r\n" + line + b"\r\n\r\n"
        yield Case(
            row=row,
            title=f"trailer {line.decode()}",
            send=request(*lines, line=_LINE, body=body),
            expect=Usual(
                Arrives(body=b"abc", has=(b"Host: @HOST@",), lacks=(b"trailer", b"authorization"))
            ),
            over=EVERYWHERE,
        )


_HANDSHAKE = (
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
"""RFC 6455 1.3's own example, so the answer's value stands there too."""
_SWITCH = Reply(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    closes=True,
)
_IN_HANDSHAKES: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    *(
        (name.decode(), (name + b": evil",))
        for name in (b"X-OpenId", b"x_openid", b"X.OpenId", b"X!OpenId", b"X~Platform")
    ),
    ("two lines", (b"X-OpenId: evil-a", b"x-openid: evil-b")),
    ("a list", (b"X-OpenId: evil-a, evil-b",)),
    ("an empty value", (b"X-OpenId:", b"X-Platform: ")),
)


def _handshakes() -> Iterator[Case]:
    switched = Expect(statuses=(frozenset({101}),), ends="closed", arrives=(Arrives(),))
    for title, lines in _IN_HANDSHAKES:
        send = request(*_HANDSHAKE, *lines)
        yield from _each("H19", f"handshake with {title}", send, switched, (_SWITCH,))


def _values() -> Iterator[Entry]:
    """H18, H20, H21."""
    lacks = Arrives(lacks=(b"x-unionid", b"x-user-id", b"x-anonymous-openid"))
    for line in (b"X-UnionId: evil", b"X-User-Id: evil", b"x_anonymous_openid: evil"):
        yield Case(
            row="H18",
            title=f"no such value in the session: {line.decode()}",
            send=request(line),
            expect=Usual(lacks),
            over=EVERYWHERE,
        )
    answer = (
        b"HTTP/1.1 200 OK\r\nX-OpenId: evil\r\nX_Platform: evil\r\nX-Session-Token: evil\r\n"
        b"X-Gateway-Error: evil\r\nX-Request-Id: evil\r\nKept: yes\r\nContent-Length: 2\r\n\r\nok"
    )
    expect = Expect(
        statuses=(frozenset({200}),),
        ends="open",
        arrives=(Arrives(),),
        holds=(b"Kept: yes",),
        hides=(b"evil",),
    )
    title = "identity names in a service's answer"
    yield from _each("H20", title, request(), expect, (Reply(answer),))
    yield NotApplicable(
        row="H20",
        title="Set-Cookie of our session's name",
        reason="waits for `session.cookie`, which this version refuses: no cookie is ours",
    )
    yield Proven(
        row="H21",
        title="an openid with CR, LF, comma, NUL, of 4 kB, outside ASCII",
        tests=(
            "tests/platforms/test_base.py::test_what_passes_is_safe_in_a_header",
            "tests/platforms/test_base.py::test_a_refusal_does_not_repeat_the_value",
            "tests/platforms/test_base.py::test_a_nothing_made_into_text_is_no_id",
            "tests/platforms/test_contract.py::test_a_hostile_openid_is_refused",
            "tests/platforms/test_contract.py::test_a_hostile_unionid_is_left_out",
        ),
    )


def _tokens() -> Iterator[Case]:
    """H22: whatever carries the session, it does not go on."""
    arrives = Arrives(lacks=(b"authorization", b"x-session-token"))
    basic = b"Authorization: Basic ZXhhbXBsZQ=="
    kept = Arrives(has=(basic,), lacks=(b"x-session-token",))
    for route, carried in EVERYWHERE:
        token = _TOKENS[carried]
        named = b"X-Session-Token: " + token if token else b""
        for title, send, expected in (
            ("Authorization", request(), arrives),
            ("X-Session-Token", request(named, session=False), arrives),
            ("both", request(named), arrives),
            ("another Authorization is the service's", request(basic, named, session=False), kept),
        ):
            yield Case(
                row="H22",
                title=f"the token does not go on: {title}, {route}, {carried}",
                send=send,
                expect=Usual(expected),
                over=((route, carried),),
            )


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from _connection()
    yield from _trailers()
    yield from _handshakes()
    yield from _values()
    yield from _tokens()
