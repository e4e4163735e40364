"""D2, D3, D7: sizes of everything, at the limit and one above it; what is many but allowed."""

from collections.abc import Iterator

from tests.attack.model import (
    EVERYWHERE,
    Arrives,
    Case,
    Entry,
    Expect,
    Usual,
    forwarded,
    refused,
    request,
)
from tests.attack.rows.d_stages import BODY_BYTES, HEADERS_BYTES, TARGET_BYTES

_POST = b"POST @ROUTE@/x HTTP/1.1"
_LINES_BYTES = len(b"Host: gw.test\r\n") + len(b"X-A: \r\n")
_USUAL = {"headers": 32 * 1024, "target": 8 * 1024}
_TOO_LARGE = refused(431, codes=["headers_too_large"])
_BODY_TOO_LARGE = refused(413, codes=["body_too_large"])
_WHOLE_TOO_LARGE = refused(413, codes=["body_too_large"], ends="either")
"""Where the whole body has come, the next request may follow it."""
_RANGES = b",".join(b"5-%d" % number for number in range(1, 1300))
_COOKIES = b"; ".join(b"junk%d=%d" % (number, number) for number in range(600))
_MEBIBYTE = 1024 * 1024


def entries() -> Iterator[Entry]:
    """List them."""
    yield from _heads("usual", _USUAL["headers"], _USUAL["target"])
    yield from _heads("small", HEADERS_BYTES, TARGET_BYTES)
    yield from _fields()
    yield from _bodies()
    yield from _many()


def _heads(stage: str, headers_bytes: int, target_bytes: int) -> Iterator[Case]:
    for more, expect in ((0, forwarded()), (1, _TOO_LARGE), (headers_bytes, _TOO_LARGE)):
        line = b"X-A: " + b"a" * (headers_bytes + more - _LINES_BYTES)
        yield _case("D3", f"{stage}: header lines, limit + {more}", request(line), expect, stage)
        pieces = _in_lines(headers_bytes + more)
        title = f"{stage}: ten header lines, limit + {more}"
        yield _case("D3", title, request(*pieces), expect, stage)
    too_long = refused(414, codes=["target_too_long"])
    for more, expect in ((0, forwarded()), (1, too_long), (target_bytes, too_long)):
        size = target_bytes + more
        for title, start in (("path", b"/public/"), ("query", b"/public/x?")):
            line = b"GET %b HTTP/1.1" % (start + b"x" * (size - len(start)))
            name = f"{stage}: {title}, limit + {more}"
            yield _case("D3", name, request(line=line), expect, stage)


def _in_lines(size_bytes: int) -> list[bytes]:
    """Ten lines that are as many bytes as the limit says, with `Host` and the line ends."""
    left = size_bytes - len(b"Host: gw.test\r\n")
    sizes = [left // 10] * 9 + [left - 9 * (left // 10)]
    return [b"X-%d: %b" % (at, b"a" * (size - 7)) for at, size in enumerate(sizes)]


def _fields() -> Iterator[Case]:
    for count, expect in ((127, forwarded()), (128, _TOO_LARGE), (500, _TOO_LARGE)):
        send = request(*(b"X-%d: a" % number for number in range(count)))
        yield _case("D3", f"{count + 1} fields", send, expect)
    endless = b"GET /public/x HTTP/1.1\r\nHost: @HOST@\r\nX-A: " + b"a" * 80_000
    yield _case("D3", "a line without end", endless, _TOO_LARGE)
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(80))
    yield _case("D3", "lines without end", b"GET /public/x HTTP/1.1\r\n" + lines, _TOO_LARGE)
    target = b"GET /public/" + b"a" * 80_000
    # Without its end nobody can say what it was to be: the target or the head.
    too_long = refused(414, 431, codes=["target_too_long", "headers_too_large"])
    yield _case("D3", "a target without end", target, too_long)
    large = (b"X-%d: %b" % (number, b"a" * 8000) for number in range(120))
    yield _case("D7", "120 fields of 8 kB", request(*large), _TOO_LARGE)


def _bodies() -> Iterator[Case]:
    whole = BODY_BYTES * b"b"
    yield _body("length, at the limit", _by_length(whole), _arrives(whole))
    yield _body("length, one above", _by_length(whole + b"b"), _WHOLE_TOO_LARGE)
    # Nineteen digits are more than some servers count with: refused as no number at all, or so.
    longest = refused(400, 413, codes=["bad_request", "body_too_large"])
    head = request(b"Content-Length: %d" % (2**63 - 1), line=_POST)
    yield _body("length of 2^63 - 1, nothing sent", head, longest)
    for size in (10 * _MEBIBYTE, 2**31, 2**32 + 1):
        head = request(b"Content-Length: %d" % size, line=_POST)
        yield _body(f"length of {size}, nothing sent", head, _BODY_TOO_LARGE)
    yield _body("chunks, at the limit", _chunked(whole[:1000], whole[1000:]), _arrives(whole))
    yield _body("chunks, one above", _chunked(whole, b"b"), _WHOLE_TOO_LARGE)
    yield _body("one chunk above", _chunked(whole + b"b"), _WHOLE_TOO_LARGE)
    yield _body("small chunks above", _chunked(*[b"b"] * (BODY_BYTES + 1)), _WHOLE_TOO_LARGE)
    head = request(b"Content-Length: %d" % (100 * _MEBIBYTE + 1), line=_POST)
    yield _case("D3", "usual: length above 100 MiB", head, _BODY_TOO_LARGE)


def _many() -> Iterator[Case]:
    small = 20_000 * b"b"
    send = _chunked(*[b"b"] * len(small))
    yield _case("D7", "20,000 chunks of a byte", send, _arrives(small))
    extended = b"".join(b"1;%b\r\nb\r\n" % (b"e" * 100) for _ in range(500))
    send = request(b"Transfer-Encoding: chunked", line=_POST, body=extended + b"0\r\n\r\n")
    yield _case("D7", "500 chunks with extensions", send, (_arrives(b"b" * 500), refused(400)))
    lines = [b"X-%d: %b" % (number, b"a" * 200) for number in range(120)]
    arrives = Usual(Arrives(has=tuple(lines)))
    yield Case(row="D7", title="120 fields", send=request(*lines), expect=arrives, over=EVERYWHERE)
    for row, title, line in (
        ("D7", "600 cookies of junk", b"Cookie: " + _COOKIES),
        ("D7", "a cookie of 8 kB", b"Cookie: a=" + b"=;," * 2700),
        ("D2", "1,299 ranges", b"Range: bytes=0-," + _RANGES),
        ("D2", "ranges that overlap", b"Range: bytes=" + b",".join([b"0-"] * 1000)),
        ("D2", "If-Range", b"If-Range: " + b"a" * 4000),
    ):
        expect = Usual(Arrives(has=(line,)))
        yield Case(row=row, title=title, send=request(line), expect=expect, over=EVERYWHERE)


# -- parts ----------------------------------------------------------------------------------------


def _case(
    row: str,
    title: str,
    send: bytes,
    expect: Expect | tuple[Expect, ...],
    stage: str = "usual",
) -> Case:
    return Case(row=row, title=title, send=send, expect=expect, stage=stage, explained=False)


def _body(title: str, send: bytes, expect: Expect) -> Case:
    return _case("D3", f"small: {title}", send, expect, "small")


def _by_length(body: bytes) -> bytes:
    return request(b"Content-Length: %d" % len(body), line=_POST, body=body)


def _chunked(*pieces: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return request(b"Transfer-Encoding: chunked", line=_POST, body=chunks + b"0\r\n\r\n")


def _arrives(body: bytes) -> Expect:
    return forwarded(Arrives(body=body))
