"""H: identity headers in whatever spelling, on every kind of route, with every kind of session."""

from collections.abc import Iterator

from tests.attack.model import EVERYWHERE, Case, Entry, Usual, refused, request
from tests.attack.rows import h_forwarding

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

_FOLDED = (b"X-UnionId", b"X-Session-Id", b"X-WX-OPENID")
"""Of those, in every spelling that RFC 9110 lets stand; `_` and `.` are asked of all."""
_FOLDING = bytes(code for code in _TOKEN_CHARACTERS if code not in b"_.")


def _names() -> Iterator[Case]:
    for name in _NAMES:
        yield _usual("H1", name)
    for name in (b"X_OpenId", b"X-Open_Id", b"x_platform"):
        yield _usual("H3", name)
    for name in (b"X.OpenId", b"X.Platform"):
        yield _usual("H4", name)
    for code in _TOKEN_CHARACTERS:
        yield _usual("H5", b"X%cOpenId" % code)
    for code in _FOLDING:
        for name in _FOLDED:
            yield _usual("H11", name.replace(b"-", b"%c" % code))
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
    # With Host and the session's line these are 128 fields, which is the limit.
    send = request(*(b"X-OpenId: evil",) * 126)
    yield Case(row="H12", title="126 copies", send=send, expect=Usual(), over=EVERYWHERE)
    send = request(*(b"X-OpenId: evil",) * 128)
    expect = refused(431, codes=["headers_too_large"])
    yield Case(row="H12", title="129 fields", send=send, expect=expect, over=EVERYWHERE)


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
    for title, begin in (("space", b" "), ("tab", b"\t")):
        first = begin + b"X-OpenId: evil\r\nHost: @HOST@\r\n@SESSION@\r\n"
        send = b"GET @ROUTE@/x HTTP/1.1\r\n" + first
        name = f"{title} first, first line"
        yield Case(row="H7", title=name, send=send, expect=expect, over=EVERYWHERE)


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _names()
    yield from _several()
    yield from _malformed()
    yield from h_forwarding.entries()
