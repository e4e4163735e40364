"""Strategies for what a client may send: requests good and bad, in pipelines, in pieces.

Tokens are marks of a token's size, so that lengths stand; `fill` puts the real ones in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

MARKS: Mapping[str, bytes] = {
    name: b"<token-%b-" % name.encode() + b"." * (78 - len(b"<token--") - len(name)) + b">"
    for name in ("A", "B", "forged")
}
NUMBER = b"@NUMB@"
"""In each target; six digits take its place, another number in each example."""
OWN = b"-?own?"
"""Behind it: the request's place in the pipeline, so that no two have the same target."""
EVIL = b"evil"


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent, piece by piece."""

    pieces: tuple[bytes, ...]

    def fill(self, number: int, tokens: Mapping[str, bytes]) -> tuple[bytes, ...]:
        """Put number and tokens in; marks never lie across a piece's end."""
        return tuple(_fill(piece, number, tokens) for piece in self.pieces)


def _fill(piece: bytes, number: int, tokens: Mapping[str, bytes]) -> bytes:
    piece = piece.replace(NUMBER, b"%06d" % number)
    for name, mark in MARKS.items():
        piece = piece.replace(mark, tokens[name])
    return piece


# -- names and values -----------------------------------------------------------------------------

_RESERVED = (
    b"X-OpenId X-Platform X-AppId X-Subject X-UnionId X-Session-Id X-User-Id X-Gateway-Assertion"
    b" X-Forwarded-For X-Forwarded-Uri X-Real-IP Forwarded X-Original-URL X-Rewrite-URL X-Wx-Openid"
    b" X-Tt-Openid Remote-User From-Source X-Request-Id X-Anonymous-Openid X-Session-Extra"
).split()
_HARMLESS = (
    b"Accept User-Agent Referer Content-Type X-Shop Cookie Range Origin If-None-Match".split()
)
_MARKS = st.sampled_from([b"-", b"_", b".", b"!", b"~", b"#", b"$", b"%", b"'", b"*", b"+", b"|"])


@st.composite
def _spellings(draw: st.DrawFn) -> bytes:
    """A reserved name with any of its dashes another mark, in any case."""
    parts = draw(st.sampled_from(_RESERVED)).split(b"-")
    name = parts[0] + b"".join(draw(_MARKS) + part for part in parts[1:])
    return draw(st.sampled_from([name, name.lower(), name.upper()]))


_EVIL_LINES = _spellings().map(lambda name: name + b": " + EVIL + b"\r\n")
_TEXTS = st.sampled_from([b"a", b"", b"a, b", b"\xe8\xae\xa2", b"a\tb", b'"q"', b"x" * 300, b"a=b"])
_HARMLESS_LINES = st.builds(
    lambda name, value: name + b": " + value + b"\r\n", st.sampled_from(_HARMLESS), _TEXTS
)
_CONNECTION_LINES = st.sampled_from(
    [
        b"Connection: keep-alive\r\n",
        b"Connection: close\r\n",
        b"Connection: X-OpenId, X-Platform\r\n",
        b"connection: x_openid\r\n",
        b"Connection: Content-Length, Host, Authorization\r\n",
        b"Proxy-Connection: keep-alive\r\n",
        b"Keep-Alive: timeout=5\r\n",
        b"TE: trailers\r\n",
        b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"Expect: 200-ok\r\n",
    ]
)
_BROKEN_LINES = st.sampled_from(
    [
        b" X-OpenId: evil\r\n",
        b"X-OpenId : evil\r\n",
        b"A: b\nX-OpenId: evil\r\n",
        b"A: b\rX-OpenId: evil\r\n",
        b"A: b\r\n\tX-OpenId: evil\r\n",
        b"X-OpenId\x00: evil\r\n",
        b"A: b\x00c\r\n",
        b"X\xc4\xb0: evil\r\n",
        b": evil\r\n",
        b"no colon\r\n",
        b"Host: other\r\n",
        b"Content_Length: 5\r\n",
        b"Transfer.Encoding: chunked\r\n",
        b"\r\r\n",
    ]
)
_LINES = st.one_of(_EVIL_LINES, _EVIL_LINES, _HARMLESS_LINES, _CONNECTION_LINES)
_SESSIONS = st.sampled_from(
    [
        b"",
        b"",
        b"Authorization: Bearer " + MARKS["A"] + b"\r\n",
        b"Authorization: Bearer " + MARKS["A"] + b"\r\n",
        b"Authorization: Bearer " + MARKS["B"] + b"\r\n",
        b"X-Session-Token: " + MARKS["B"] + b"\r\n",
        b"authorization: bearer \t" + MARKS["A"] + b"\r\n",
        b"Authorization: Bearer " + MARKS["forged"] + b"\r\n",
        b"Authorization: Basic eA==\r\nX-Session-Token: " + MARKS["A"] + b"\r\n",
        b"Authorization: Bearer " + MARKS["A"] + b"\r\nX-Session-Token: " + MARKS["B"] + b"\r\n",
        b"Authorization:Bearer\xa0" + MARKS["A"] + b"\r\n",
    ]
)

# -- targets --------------------------------------------------------------------------------------

_ROUTES = st.sampled_from([b"/public/", b"/opt/", b"/api/", b"/api/", b"/admin/", b"/none/"])
_PIECES = st.sampled_from(
    b"a b.c %20 + , : @ %E8%AE%A2 %b6%a9 a=b ... ~ .. . %2e%2e %2E. %2f %5c // ; ;x ..; %00 %0d%0a"
    b" %c0%ae %252e %zz # \\ %3f %23 %61dmin admin /".split()
)
_PLAIN = st.sampled_from(b"a b.c %20 + , : @ %E8%AE%A2 %b6%a9 a=b ... ~".split())


@st.composite
def _targets(draw: st.DrawFn, is_good: bool) -> bytes:
    """A path under a route; each holds the example's number, and one of its own."""
    pieces = draw(st.lists(_PLAIN if is_good else _PIECES, max_size=3))
    path = draw(_ROUTES) + NUMBER + OWN + b"".join(b"/" + piece for piece in pieces)
    query = draw(st.sampled_from([b"", b"", b"?", b"?a=b&c", b"?next=/public/", b"?x=%0d;y"]))
    form = draw(st.sampled_from([b"%b", b"%b", b"http://gw.test%b", b"http://evil%b"]))
    return path + query if is_good else form % (path + query)


# -- framing --------------------------------------------------------------------------------------

_METHODS = st.sampled_from(b"GET POST GET POST PUT HEAD DELETE OPTIONS PATCH".split())
_ODD_METHODS = st.sampled_from(b"GET CONNECT TRACE get FOO PRI".split())
_VERSIONS = st.sampled_from(
    b"HTTP/1.1 HTTP/1.1 HTTP/1.0 HTTP/1.9 HTTP/2.0 http/1.1 HTTP/1.1x".split()
)
_SMUGGLED = (
    b"GET /public/" + NUMBER + b"/smuggled HTTP/1.1\r\nHost: gw.test\r\nX-OpenId: evil\r\n\r\n"
)
_BODIES = st.sampled_from(
    [b"", b"12345", b"\x00\xff", b"x" * 300, _SMUGGLED, b"0\r\n\r\n" + _SMUGGLED]
)
_BAD_SIZES = st.sampled_from(
    [b"0x1", b"+1", b"-1", b" 1", b"1 ", b"", b"1Z", b"1_0", b"f" * 17, b"0" * 40 + b"1", b"1;\n"]
)
_GOOD_ENDS = st.sampled_from([b"0\r\n\r\n", b"00;a=b\r\nX-OpenId: evil\r\n\r\n"])
_ENDS = st.sampled_from(
    [b"0\r\n\r\n"] * 2
    + [
        b"0;x=y\r\n\r\n",
        b"00\r\nX-OpenId: evil\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]
    + [b"0\r\n", b"0\n\n", b"0\r\n bad\r\n\r\n", b"0\r\nX:POST / HTTP/1.1\r\n\r\n", b""]
)


@st.composite
def _chunks(draw: st.DrawFn, is_good: bool) -> bytes:
    """A chunked body, right or a little wrong."""
    written = b""
    for data in draw(st.lists(_BODIES.filter(bool), max_size=3)):
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a=b", b'%x;a="b"'])) % len(data)
        if not is_good and draw(st.integers(0, 3)) == 0:
            size = draw(_BAD_SIZES)
        ending = b"\r\n"
        if not is_good and draw(st.integers(0, 3)) == 0:
            ending = draw(st.sampled_from([b"\n", b"\r", b"X"]))
        written += size + b"\r\n" + data + ending
    return written + draw(_GOOD_ENDS if is_good else _ENDS)


@st.composite
def _framings(draw: st.DrawFn, is_good: bool) -> tuple[bytes, bytes]:
    """Framing lines and a body: none, a length, chunks; or two of them at odds."""
    kind = draw(st.sampled_from(["none", "length", "chunks", "none" if is_good else "odd"]))
    body = draw(_BODIES)
    length = b"Content-Length: %d\r\n" % len(body)
    if kind == "none":
        return b"", b""
    if kind == "length":
        return length, body
    if kind == "chunks":
        return b"Transfer-Encoding: chunked\r\n", draw(_chunks(is_good))
    lines = [
        length + length,
        length + b"Content-Length: 0\r\n",
        length + b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n" + length,
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        *(b"Transfer-Encoding: %b\r\n" % each for each in _CODINGS),
        *(b"Content-Length: %b\r\n" % each for each in _LENGTHS),
        b"Content-Length: %d\r\n" % (len(body) + 40),
    ]
    bodies = [body, b"5\r\n12345\r\n0\r\n\r\n", b"0\r\n\r\n" + _SMUGGLED]
    return draw(st.sampled_from(lines)), draw(st.sampled_from(bodies))


_CODINGS = (
    b"xchunked|chunked, identity|identity|chunked, chunked|,chunked|chunked,|gzip, chunked"
    b'|"chunked"|Chunked|\x0bchunked|chunked;q=1|chunked\x00|'
).split(b"|")
_LENGTHS = b"+5|-5|5, 5|0x5|5_0||5 5|05|5.0|99999999999999999999999999|\xef\xbc\x95".split(b"|")

# -- requests -------------------------------------------------------------------------------------


@st.composite
def requests(draw: st.DrawFn, is_good: bool) -> bytes:
    """One request with evil names in it; a good one is otherwise as it should be."""
    lines = draw(st.lists(_LINES, max_size=4))
    framing, body = draw(_framings(is_good))
    host, line, before, ending = b"Host: gw.test\r\n", b"%b %b HTTP/1.1", b"", b"\r\n"
    method = draw(_METHODS)
    if not is_good:
        lines += draw(st.lists(_BROKEN_LINES, max_size=1))
        host = draw(st.sampled_from([host, host, b"", b"Host: a b\r\n", b"host:gw.test\r\n"]))
        method = draw(st.just(method) | _ODD_METHODS)
        gap = draw(st.sampled_from([b" ", b" ", b" ", b"  ", b"\t"]))
        line = b"%b" + gap + b"%b " + draw(_VERSIONS)
        before = draw(st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n\r\n", b"\n", b"\r"]))
        ending = draw(st.sampled_from([ending, ending, ending, b"\n", b"\r", b""]))
    fields = draw(st.permutations([host, draw(_SESSIONS), framing, *lines]))
    first = line % (method, draw(_targets(is_good)))
    return before + first + b"\r\n" + b"".join(fields) + ending + body


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """A pipeline of one to five requests, sent in one to four pieces; at most one is odd."""
    good = st.lists(requests(is_good=True), max_size=2)
    parts = [*draw(good), *draw(st.lists(requests(is_good=False), max_size=1)), *draw(good)]
    parts = parts or [draw(requests(is_good=False))]
    data = b"".join(each.replace(OWN, b"-%d" % place) for place, each in enumerate(parts))
    places = draw(st.lists(st.integers(0, len(data)), max_size=3))
    cuts = sorted({_outside_marks(data, place) for place in places} | {0, len(data)})
    return Script(tuple(data[a:b] for a, b in pairwise(cuts)))


def _outside_marks(data: bytes, place: int) -> int:
    """Move a cut to the front of the mark it would divide."""
    for mark in (NUMBER, *MARKS.values()):
        start = data.rfind(mark, 0, place + len(mark) - 1)
        if start >= 0 and start < place < start + len(mark):
            return start
    return place
