"""T5, T10, T20: request lines, versions and methods; lines that end in CR or LF alone."""

from collections.abc import Iterator

from tests.attack.model import Case, Entry, Expect, forwarded, refused, request
from tests.attack.rows.t_parts import (
    CHUNKED,
    CHUNKS,
    LINE,
    SMUGGLED,
    WHERE,
    is_malformed,
    passes,
    post,
    shown,
)

_VERSIONS = (
    *(b"HTTP/0.9|HTTP/1.2|HTTP/1.9|HTTP/2.0|HTTP/2|HTTP/3|HTTP/3.0|HTTP/9.9|HTTP/1.1x".split(b"|")),
    *(b"HTTP/1.10|HTTP/11.1|HTTP/01.1|HTTP/1.01|HTTP/+1.1|HTTP/-1.1|HTTP/1|HTTP/1.".split(b"|")),
    *(b"HTTP/.1|HTTP/1,1|HTTP/|HTTP|http/1.1|Http/1.1|HTTP/\r1.1|HTTP/1.\r1|1.1".split(b"|")),
    *(b"HTTP/\n1.1|HTTP/\t1.1|HTTP/ 1.1|HTTP /1.1|HTTP\\1.1|HTTP/1.1\t|HTTP/1.1 ".split(b"|")),
    *(b"HTTP/1.1\x0b|HTTP/1.1\x00|\x00HTTP/1.1|XTTP/1.1|HTTPS/1.1|HTTP/1.1;".split(b"|")),
    *(b"RTSP/1.0|RTSP/1.1|ICE/1.0|ICE/1.1|SIP/2.0|HTTP/1.1 HTTP/1.1|HTTP/1.1, 1.1".split(b"|")),
    *("HTTP/\uff11.\uff11".encode(), "HTTP/1.\uff11".encode()),
)


def _versions() -> Iterator[Case]:
    """T5: HTTP/1.1 and HTTP/1.0, written so, and nothing else."""
    for version in _VERSIONS:
        send = request(line=b"GET @ROUTE@/x " + version)
        case = is_malformed("T5", f"version {shown(version)!r}", send + SMUGGLED)
        yield Case(
            row="T5",
            title=case.title,
            send=case.send,
            expect=refused(400, 505),
            over=WHERE,
            may_arrive=(b"NONE @ROUTE@/x",),
        )
    for line in (b"GET @ROUTE@/x", b"GET @ROUTE@/x ", b"GET", b"@ROUTE@/x", b"GET /", b"G"):
        yield is_malformed("T5", f"HTTP/0.9: {line.decode()!r}", line + b"\r\n\r\n")
    yield is_malformed("T5", "HTTP/0.9 with Host", request(line=b"GET @ROUTE@/x"))
    old = LINE.replace(b"1.1", b"1.0")
    for lines in (
        (CHUNKED,),
        (CHUNKED, b"Connection: keep-alive"),
        (CHUNKED, b"Content-Length: 3"),
    ):
        title = " | ".join(line.decode() for line in lines)
        yield is_malformed("T5", f"HTTP/1.0 with {title}", post(*lines, body=CHUNKS, line=old))
    plain = request(line=b"GET @ROUTE@/x HTTP/1.0")
    yield Case(row="T5", title="HTTP/1.0", send=plain, expect=forwarded(ends="closed"), over=WHERE)
    kept = request(b"Connection: keep-alive", line=b"GET @ROUTE@/x HTTP/1.0")
    yield Case(row="T5", title="HTTP/1.0 kept alive", send=kept, expect=forwarded(), over=WHERE)
    lines = (b"Connection: keep-alive", b"Content-Length: 3")
    body = post(*lines, body=b"abc", line=old)
    yield passes("T5", "HTTP/1.0 kept alive with a body", body, b"abc")
    nameless = request(line=b"GET @ROUTE@/x HTTP/1.0", host=b"")
    yield is_malformed("T5", "HTTP/1.0 without Host", nameless)


_LINES = (
    ("two spaces before the target", b"GET  @ROUTE@/x HTTP/1.1"),
    ("two spaces behind the target", b"GET @ROUTE@/x  HTTP/1.1"),
    ("a thousand spaces", b"GET @ROUTE@/x" + b" " * 1000 + b"HTTP/1.1"),
    ("a tab for a space", b"GET\t@ROUTE@/x HTTP/1.1"),
    ("a tab behind the target", b"GET @ROUTE@/x\tHTTP/1.1"),
    ("VT for a space", b"GET @ROUTE@/x\x0bHTTP/1.1"),
    ("a space before the method", b" GET @ROUTE@/x HTTP/1.1"),
    ("a space behind the version", b"GET @ROUTE@/x HTTP/1.1 "),
    ("a space in the target", b"GET @ROUTE@/x y HTTP/1.1"),
    ("a version in the target", b"GET @ROUTE@/x HTTP/1.1 HTTP/1.1"),
    ("no target", b"GET  HTTP/1.1"),
    ("NUL in the method", b"G\x00T @ROUTE@/x HTTP/1.1"),
    ("CR in the method", b"G\rET @ROUTE@/x HTTP/1.1"),
    ("CR behind the target", b"GET @ROUTE@/x\r HTTP/1.1"),
    ("LF in the target", b"GET @ROUTE@/x\ny HTTP/1.1"),
    ("CR CR LF", b"GET @ROUTE@/x HTTP/1.1\r"),
    ("a colon", b"GET: @ROUTE@/x HTTP/1.1"),
    ("a byte order mark", b"\xef\xbb\xbfGET @ROUTE@/x HTTP/1.1"),
    ("a status line", b"HTTP/1.1 200 OK"),
)
_FEW, _MANY = (0, 1, 2), (3, 4, 100, 20_000)


def _ends() -> Iterator[Case]:
    """T10: lines end in CR LF; a few empty ones may come before a request (RFC 9112 2.2)."""
    for title, line in _LINES:
        case = is_malformed("T10", title, request(line=line) + SMUGGLED)
        yield Case(
            row="T10",
            title=title,
            send=case.send,
            expect=case.expect,
            over=WHERE,
            may_arrive=(b"NONE @ROUTE@/x",),
        )
    get = request()
    bare = get.replace(b"\r\n", b"\n").replace(b"@SESSION@", b"")
    crs = get.replace(b"\r\n", b"\r").replace(b"@SESSION@", b"")
    yield from _all_malformed(
        ("LF alone everywhere", bare),
        ("CR alone everywhere", crs + SMUGGLED),
        ("LF behind the request line", get.replace(b"\r\n", b"\n", 1)),
        ("LF LF at the end", b"GET @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\n\n" + SMUGGLED),
        ("CR LF LF at the end", b"GET @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\r\n\n" + SMUGGLED),
        ("LF CR LF at the end", b"GET @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\n\r\n" + SMUGGLED),
        ("CR LF CR X at the end", b"GET @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\r\n\rX" + SMUGGLED),
        ("CR CR LF at the end", b"GET @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\r\n\r\r\n" + SMUGGLED),
        ("LF CR for CR LF", get.replace(b"\r\n", b"\n\r").replace(b"@SESSION@", b"")),
        ("LF before the request", b"\n" + get),
        ("CR before the request", b"\r" + get),
        ("LF CR before the request", b"\n\r" + get),
        ("an empty line, and LF", b"\r\n\n" + get),
        ("a space before the request", b" \r\n" + get),
        ("NUL before the request", b"\x00" + get),
    )
    for count in _FEW:
        send = b"\r\n" * count + get
        yield Case(
            row="T10",
            title=f"{count} empty lines before the request",
            send=send,
            expect=forwarded(),
            over=WHERE,
            may_arrive=(b"GET @ROUTE@/x",),
            methods=(b"GET",),
        )
    for count in _MANY:
        yield is_malformed("T10", f"{count} empty lines before the request", b"\r\n" * count + get)


def _all_malformed(*rows: tuple[str, bytes]) -> Iterator[Case]:
    for title, send in rows:
        case = is_malformed("T10", title, send)
        yield Case(
            row="T10",
            title=title,
            send=send,
            expect=case.expect,
            over=WHERE,
            may_arrive=(b"NONE @ROUTE@/x",),
            methods=(b"GET",),
        )


_REFUSED = (b"CONNECT", b"TRACE", b"TRACK", b"PRI")
_UNKNOWN = (
    b"GPOST",
    b"get",
    b"Get",
    b"GETT",
    b"GE",
    b"FOO",
    b"_GET",
    b"G@T",
    b"0",
    b"-",
    b"PURGE ",
)


def _methods() -> Iterator[Case]:
    """T20: methods that tunnel or echo, and such as do not exist."""
    expect = refused(400, 405, 501)
    for method in _REFUSED:
        for title, target, rest in (
            ("", b"@ROUTE@/x", (b"", b"")),
            (" with a body", b"@ROUTE@/x", (b"Content-Length: %d" % len(SMUGGLED), SMUGGLED)),
            (" with chunks", b"@ROUTE@/x", (CHUNKED, CHUNKS + SMUGGLED)),
            (" of a host", b"@HOST@:443", (b"", SMUGGLED)),
            (" of a host, with a body", b"evil:443", (b"Content-Length: 3", b"abc" + SMUGGLED)),
            (" of a host, with chunks", b"@HOST@:443", (CHUNKED, CHUNKS + SMUGGLED)),
            (" of *", b"*", (b"", SMUGGLED)),
        ):
            send = request(rest[0], line=method + b" " + target + b" HTTP/1.1", body=rest[1])
            name = f"{method.decode()}{title}"
            yield Case(row="T20", title=name, send=send, expect=expect, over=WHERE)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
    yield Case(row="T20", title="the preface of HTTP/2", send=preface, expect=expect)
    for method in _UNKNOWN:
        send = request(line=method + b" @ROUTE@/x HTTP/1.1")
        yield Case(
            row="T20",
            title=f"method {method.decode()!r}",
            send=send,
            expect=expect,
            over=WHERE,
            may_arrive=(b"NONE @ROUTE@/x",),
        )
    tunnel = request(line=b"CONNECT @HOST@:443 HTTP/1.1") + b"\x16\x03\x01" + SMUGGLED
    refusals = Expect(statuses=(frozenset({400, 405}),), ends="closed", hides=(b"smuggled",))
    yield Case(row="T20", title="CONNECT, and TLS at once", send=tunnel, expect=refusals)


def entries() -> Iterator[Entry]:
    """List T5, T10 and T20."""
    yield from _versions()
    yield from _ends()
    yield from _methods()
