"""H: identity headers in whatever spelling, on every kind of route, with every kind of session."""

from collections.abc import Iterator

from tests.attack.model import (
    EVERYWHERE,
    WITH_SESSION,
    Arrives,
    Case,
    Entry,
    Expect,
    Proven,
    Reply,
    Usual,
    forwarded,
    is_let_in,
    refused,
    request,
)

FAMILY = "H"
_NAMES = (b"X-OpenId", b"x-openid", b"X-OPENID")
_TOKEN_CHARACTERS = b"!#$%&'*+.^_`|~"
"""What RFC 9110 5.6.2 lets stand in a name beside letters, digits and `-`."""
_OTHERS = (
    b"X-UnionId X-AppId X-App-Id X-Subject X-Anonymous-OpenId X-User-Id X-Session-Id".split()
    + b"X-Session-Extra X-Gateway-Assertion X-Gateway-Other X-WX-OPENID X-WX-Source".split()
    + b"X-Tt-OpenId X-Open-Id X-Union-Id User-Id X-UserInfo Remote-User From-Source".split()
    + b"X-Auth-Request-User X-Access-Token".split()
)
"""The rest of what we or other hosts' gateways say (H11)."""


def _names() -> Iterator[Case]:
    for name in _NAMES:
        yield _usual("H1", name)
    for name in (b"X_OpenId", b"X-Open_Id", b"x_platform"):
        yield _usual("H3", name)
    for name in (b"X.OpenId", b"X.Platform"):
        yield _usual("H4", name)
    for code in _TOKEN_CHARACTERS:
        yield _usual("H5", b"X%cOpenId" % code)
    for name in _OTHERS:
        for other in (name, name.replace(b"-", b"_"), name.replace(b"-", b".").lower()):
            yield _usual("H11", other)


def _usual(row: str, name: bytes) -> Case:
    return Case(
        row=row,
        title=name.decode(),
        send=request(name + b": evil"),
        expect=Usual(),
        over=EVERYWHERE,
    )


def _several() -> Iterator[Case]:
    for title, lines in (
        ("two lines", (b"X-OpenId: evil-a", b"x-openid: evil-b")),
        ("a list", (b"X-OpenId: evil-a, evil-b",)),
        ("empty", (b"X-OpenId:",)),
        ("before and after the session", (b"X-OpenId: evil", b"X-Platform: evil")),
    ):
        send = request(*lines)
        yield Case(row="H2", title=title, send=send, expect=Usual(), over=EVERYWHERE)
    copies = (b"X-OpenId: evil",) * 126
    yield Case(row="H12", title="127 fields", send=request(*copies), expect=Usual())
    many = (b"X-OpenId: evil",) * 128
    too_many = refused(431, codes=["headers_too_large"])
    yield Case(row="H12", title="129 fields", send=request(*many), expect=too_many)


_MALFORMED = (
    ("H6", "X[OpenId", b"X[OpenId: evil"),
    ("H6", "X OpenId", b"X OpenId: evil"),
    ("H6", "X]OpenId", b"X]OpenId: evil"),
    ("H7", "space before the colon", b"X-OpenId : evil"),
    ("H7", "tab before the colon", b"X-OpenId\t: evil"),
    ("H7", "space first, later line", b" X-OpenId: evil"),
    ("H7", "tab first, later line", b"\tX-OpenId: evil"),
    ("H8", "LF inside", b"Foo: a\nX-OpenId: evil"),
    ("H8", "CR inside", b"Foo: a\rX-OpenId: evil"),
    ("H8", "folded line", b"Foo: a\r\n\tX-OpenId: evil"),
    ("H9", "NUL in the name", b"X-OpenId\x00: evil"),
    ("H9", "NUL in the value", b"X-OpenId: e\x00vil"),
    ("H9", "NUL in another value", b"Foo: e\x00vil"),
    ("H9", "DEL in the name", b"X-Open\x7fId: evil"),
    ("H10", "dotted capital I", "X-Open\u0130d: evil".encode()),
    ("H10", "full width", "\uff38-OpenId: evil".encode()),
    ("H10", "a dash of another kind", "X\u2010OpenId: evil".encode()),
    ("H10", "latin-1 letter", b"X-Openl\xe4d: evil"),
    ("H10", "no name", b": evil"),
    ("H10", "no colon", b"X-OpenId evil"),
)


def _malformed() -> Iterator[Case]:
    expect = refused(400, codes=["bad_request"])
    for row, title, line in _MALFORMED:
        send = request(line)
        yield Case(row=row, title=title, send=send, expect=expect, over=EVERYWHERE)
    first = b"GET @ROUTE@/x HTTP/1.1\r\n X-OpenId: evil\r\nHost: @HOST@\r\n\r\n"
    yield Case(row="H7", title="space first, first line", send=first, expect=expect)


_CONNECTIONS = (
    (b"Connection: close, X-OpenId",),
    (b"Connection: X-Platform",),
    (b"connection: x-openid, x-subject, x-session-id, x-appid",),
    (b"Connection: keep-alive", b"Connection: X-OpenId"),
    (b"Connection: , ,X-OpenId",),
    (b"Connection: X_OpenId",),
    (b"Connection: X-Forwarded-For, X-Real-IP, X-Request-Id",),
)


def _connection() -> Iterator[Case]:
    for lines in _CONNECTIONS:
        ends = "closed" if b"close" in lines[0] else "open"
        expect = forwarded(Arrives(lacks=(b"connection",)), ends=ends)  # type: ignore[arg-type] # both are ends
        title = " | ".join(line.decode() for line in lines)
        send = request(*lines)
        yield Case(row="H13", title=title, send=send, expect=expect, over=WITH_SESSION)
    named = b"Connection: Authorization, Cookie, Host, Content-Length, Content-Type"
    whole = Arrives(
        line=b"POST @UP@/x HTTP/1.1",
        body=b"12345",
        has=(b"Host: @HOST@", b"Cookie: a=b", b"Content-Type: text/plain"),
    )
    yield Case(
        row="H14",
        title="Connection names framing and credentials",
        send=request(
            *(named, b"Cookie: a=b", b"Content-Type: text/plain", b"Content-Length: 5"),
            line=b"POST @ROUTE@/x HTTP/1.1",
            body=b"12345",
        ),
        expect=forwarded(whole),
        over=WITH_SESSION,
    )
    hops = (b"Proxy-Connection: keep-alive", b"Keep-Alive: timeout=5", b"TE: trailers")
    more = (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Proxy: http://evil")
    lacks = b"proxy-connection keep-alive te upgrade http2-settings proxy connection".split()
    yield Case(
        row="H15",
        title="hop-by-hop fields end here",
        send=request(*hops, *more),
        expect=Usual(Arrives(lacks=tuple(lacks))),
        over=EVERYWHERE,
    )


_TRAILERS = (
    ("H16", b"X-OpenId: evil"),
    ("H16", b"x-platform: evil"),
    ("H17", b"X_OpenId: evil"),
    ("H17", b"Transfer-Encoding: chunked"),
    ("H17", b"Content-Length: 5"),
    ("H17", b"Host: evil"),
    ("H17", b"Authorization: Bearer evil"),
)


def _trailers() -> Iterator[Case]:
    for row, line in _TRAILERS:
        name = line.partition(b":")[0]
        head = request(
            *(b"Transfer-Encoding: chunked", b"Trailer: " + name),
            line=b"POST @ROUTE@/x HTTP/1.1",
        )
        send = head + b"3\r\nabc\r\n0\r\n" + line + b"\r\n\r\n"
        arrives = Arrives(body=b"abc", lacks=(b"trailer",))
        yield Case(
            row=row,
            title=f"trailer {line.decode()}",
            send=send,
            expect=(Expect(statuses=(frozenset({200}),), arrives=(arrives,)), refused(400)),
            over=WITH_SESSION,
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


def _handshakes() -> Iterator[Case]:
    switched = Expect(statuses=(frozenset({101}),), ends="closed", arrives=(Arrives(),))
    for name in (b"X-OpenId", b"x_openid", b"X.OpenId", b"X!OpenId", b"X~Platform"):
        send = request(*_HANDSHAKE, name + b": evil")
        for route, carried in EVERYWHERE:
            is_refused = not is_let_in(route, carried)
            yield Case(
                row="H19",
                title=f"handshake with {name.decode()}, {route}, {carried}",
                send=send,
                expect=refused(401, ends="either") if is_refused else switched,
                over=((route, carried),),
                replies=(_SWITCH,),
            )


def _rest() -> Iterator[Entry]:
    lacks = Arrives(lacks=(b"x-unionid", b"x-user-id", b"x-anonymous-openid"))
    for line in (b"X-UnionId: evil", b"X-User-Id: evil", b"x_anonymous_openid: evil"):
        yield Case(
            row="H18",
            title=f"no such value in the session: {line.decode()}",
            send=request(line),
            expect=forwarded(lacks),
            over=WITH_SESSION,
        )
    answer = (
        b"HTTP/1.1 200 OK\r\nX-OpenId: evil\r\nX_Platform: evil\r\nX-Session-Token: evil\r\n"
        b"X-Gateway-Error: evil\r\nX-Request-Id: evil\r\nKept: yes\r\nContent-Length: 2\r\n\r\nok"
    )
    yield Case(
        row="H20",
        title="identity names in a service's answer",
        send=request(),
        expect=Expect(
            statuses=(frozenset({200}),),
            ends="open",
            arrives=(Arrives(),),
            holds=(b"Kept: yes",),
            hides=(b"evil",),
        ),
        replies=(Reply(answer),),
        over=EVERYWHERE[:1],
    )
    yield Proven(
        row="H21",
        title="an openid with CR, LF, comma, NUL, of 4 kB, outside ASCII",
        tests=("tests/platforms/test_api.py",),
    )
    for title, lines in (
        ("Authorization", ()),
        ("X-Session-Token", (b"X-Session-Token: @A@",)),
        ("both", (b"X-Session-Token: @A@",)),
    ):
        yield Case(
            row="H22",
            title=f"the token does not go on: {title}",
            send=request(*lines, session=title != "X-Session-Token"),
            expect=forwarded(Arrives(lacks=(b"authorization", b"x-session-token"))),
            over=WITH_SESSION,
        )
    basic = b"Authorization: Basic ZXhhbXBsZQ=="
    yield Case(
        row="H22",
        title="another Authorization is the service's",
        send=request(basic, b"X-Session-Token: @A@", session=False),
        expect=forwarded(Arrives(has=(basic,))),
        over=WITH_SESSION,
    )


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _names()
    yield from _several()
    yield from _malformed()
    yield from _connection()
    yield from _trailers()
    yield from _handshakes()
    yield from _rest()
