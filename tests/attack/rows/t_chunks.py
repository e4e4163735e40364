"""T6 to T9: chunks, their sizes, extensions and trailers; each at once, and behind its head."""

from collections.abc import Iterator

from tests.attack.model import Arrives, Case, Entry, Expect
from tests.attack.rows.t_parts import (
    CHUNKED,
    CHUNKS,
    MALFORMED,
    SMUGGLED,
    in_two,
    is_malformed,
    passes,
    passes_or_not,
    post,
    shown,
)

_SIZES = (
    b"0x3|0_3|+3|-3| 3|3 |\t3|3\t||3Z|3h|3.0|3,|3 ;a|'3'|\x003|3\x00|\x0b3|3\x0b|3\xa0|"
    b"00000000000000003|10000000000000003|fffffffffffffffff|ffffffffffffffff0|g|;|;a=b|3=|--3"
).split(b"|")
_FRAMINGS = (
    ("LF behind the size", b"3\nabc\r\n0\r\n\r\n"),
    ("CR behind the size", b"3\rabc\r\n0\r\n\r\n"),
    ("CR X behind the size", b"3\rXabc\r\n0\r\n\r\n"),
    ("CR CR LF behind the size", b"3\r\r\nabc\r\n0\r\n\r\n"),
    ("LF CR behind the size", b"3\n\rabc\r\n0\r\n\r\n"),
    ("LF behind the data", b"3\r\nabc\n0\r\n\r\n"),
    ("CR behind the data", b"3\r\nabc\r0\r\n\r\n"),
    ("CR X behind the data", b"3\r\nabc\rX0\r\n\r\n"),
    ("two other bytes behind the data", b"3\r\nabcXX0\r\n\r\n"),
    ("nothing behind the data", b"3\r\nabc0\r\n\r\n"),
    ("data longer than its size", b"2\r\nabc\r\n0\r\n\r\n"),
    ("data shorter than its size", b"4\r\nabc\r\n0\r\n\r\n"),
    ("an empty line more", b"3\r\nabc\r\n\r\n0\r\n\r\n"),
    ("an empty line first", b"\r\n3\r\nabc\r\n0\r\n\r\n"),
    ("LF behind the last size", b"3\r\nabc\r\n0\n\r\n"),
    ("LF at the end", b"3\r\nabc\r\n0\r\n\n"),
    ("CR at the end", b"3\r\nabc\r\n0\r\n\rX"),
    ("LF LF at the end", b"3\r\nabc\r\n0\n\n"),
    ("LF in an extension", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("LF behind a semicolon (TERM.EXT)", b"2;\nxx\r\n%x\r\n0\r\n\r\n" % len(SMUGGLED) + SMUGGLED),
    ("LF in a quoted extension", b'3;a="\n"\r\nabc\r\n0\r\n\r\n'),
    ("NUL in an extension", b"3;a\x00\r\nabc\r\n0\r\n\r\n"),
    ("DEL in an extension", b"3;a\x7f\r\nabc\r\n0\r\n\r\n"),
    ("no chunks at all", b"xyz\r\n\r\n"),
    ("a request instead of chunks", SMUGGLED),
)


def _sizes() -> Iterator[Case]:
    for size in (*_SIZES, b"0" * 1000 + b"3", b"f" * 1000):
        body = size + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED
        case = is_malformed("T6", f"chunk size {shown(size)!r}", post(CHUNKED, body=body))
        yield case
        yield in_two(case)
    for size in (b"3", b"03", b"0000000000000003"):
        body = size + b"\r\nabc\r\n" + b"0\r\n\r\n"
        yield passes("T6", f"legal size {size.decode()}", post(CHUNKED, body=body), b"abc")
    upper = b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"
    yield passes("T6", "legal sizes in both cases", post(CHUNKED, body=upper), b"0123456789" * 2)


def _framings() -> Iterator[Case]:
    for title, body in _FRAMINGS:
        case = is_malformed("T7", title, post(CHUNKED, body=body + SMUGGLED))
        yield case
        yield in_two(case)
    extended = b'3;a=b;c="d e";f\r\nabc\r\n0;last\r\n\r\n'
    yield passes_or_not("T7", "small extensions", post(CHUNKED, body=extended), b"abc")
    for size in (257, 64 * 1024, 1024 * 1024):
        body = b"3;" + b"x" * size + b"\r\nabc\r\n0\r\n\r\n"
        title = f"an extension of {size} bytes"
        yield is_malformed("T7", title, post(CHUNKED, body=body))
    many = b"1;%b\r\nx\r\n" % (b"e" * 250) * 1000 + b"0\r\n\r\n"
    yield is_malformed("T7", "many long extensions", post(CHUNKED, body=many))
    missing = post(CHUNKED, body=b"3\r\nabc\r\n")
    yield Case(
        row="T7",
        title="the last chunk is missing, and another request comes",
        send=missing + SMUGGLED,
        expect=MALFORMED,
    )


_BAD_TRAILERS = (
    ("no colon", b"Evil\r\n"),
    ("no name", b": evil\r\n"),
    ("a space in the name", b"X Evil: b\r\n"),
    ("a space before the colon", b"X-Evil : b\r\n"),
    ("a folded line", b"A: b\r\n c\r\n"),
    ("a folded line first", b" A: b\r\n"),
    ("LF behind it", b"A: b\n"),
    ("CR in it", b"A: b\rc\r\n"),
    ("NUL in it", b"A: \x00\r\n"),
    ("a request without a colon", b"GET /public/smuggled HTTP/1.1\r\n"),
    ("a name outside ASCII", b"\xc4: b\r\n"),
    ("10,000 fields", b"A: b\r\n" * 10000),
    ("a field of 1 MB", b"A: " + b"b" * 1024 * 1024 + b"\r\n"),
    ("a name of 1 MB", b"A" * 1024 * 1024 + b": b\r\n"),
)
_DROPPED_TRAILERS = (
    b"X:POST /public/smuggled HTTP/1.1",  # a field by its grammar: dropped as any other
    b"X-OpenId: evil",
    b"X-Session-Token: @B@",
    b"Authorization: Bearer @B@",
    b"Host: evil",
    b"Content-Length: 1000",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Connection: upgrade\r\nUpgrade: websocket",
    b"Expect: 100-continue",
    b"Content-Encoding: gzip",
    b"Trailer: X",
    b"Cookie: a=b",
    b"Empty:",
)


def _trailers() -> Iterator[Case]:
    for title, trailers in _BAD_TRAILERS:
        body = b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n" + SMUGGLED
        yield is_malformed("T8", f"trailers: {title}", post(CHUNKED, body=body))
    for trailer in _DROPPED_TRAILERS:
        body = b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n\r\n"
        behind = b"GET /public/behind HTTP/1.1\r\nHost: @HOST@\r\n\r\n"
        first = Arrives(line=b"POST @UP@/x HTTP/1.1", body=b"abc")
        second = Arrives(
            line=b"GET /public/behind HTTP/1.1",
            lacks=(b"x", b"authorization", b"cookie", b"expect", b"empty", b"content-encoding"),
        )
        yield Case(
            row="T8",
            title=f"nothing is left of {shown(trailer)}",
            send=post(CHUNKED, body=body) + behind,
            expect=Expect(
                statuses=(frozenset({200}), frozenset({200})), ends="open", arrives=(first, second)
            ),
            may_arrive=(b"POST @ROUTE@/x", b"GET /public/behind"),
        )


def _many() -> Iterator[Case]:
    count = 20_000  # of the page's million: a second of this machine, which D7 measures
    body = b"1\r\nx\r\n" * count + b"0\r\n\r\n"
    send = post(CHUNKED, body=body)
    yield passes("T9", f"{count} chunks of one byte (scaled down)", send, b"x" * count)
    yield passes("T9", "an empty body", post(CHUNKED, body=b"0\r\n\r\n"), b"")
    yield passes("T9", "a chunk behind its head", post(CHUNKED, body=CHUNKS), b"abc")


def entries() -> Iterator[Entry]:
    """List T6 to T9."""
    yield from _sizes()
    yield from _framings()
    yield from _trailers()
    yield from _many()
