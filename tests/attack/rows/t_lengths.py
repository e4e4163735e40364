"""T1 to T4: how long a body is, said twice or oddly. Refused, and nothing behind it is read."""

from collections.abc import Iterator

from tests.attack.model import Case, Entry, refused
from tests.attack.rows.t_parts import (
    CHUNKED,
    CHUNKS,
    GPOST,
    SMUGGLED,
    is_malformed,
    passes,
    passes_or_not,
    post,
    shown,
)

_CL_TE = b"0\r\n\r\nG"
_TE_CL = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GPOST), GPOST)


def _both() -> Iterator[Case]:
    """T1: two framings, of which each reader may take another."""
    for title, length, body in (
        ("CL.TE with GPOST", b"6", _CL_TE),
        ("CL.TE with a request", b"%d" % (5 + len(SMUGGLED)), b"0\r\n\r\n" + SMUGGLED),
        ("TE.CL", b"4", _TE_CL),
        ("CL.0", b"0", CHUNKS),
        ("of one size", b"%d" % len(CHUNKS), CHUNKS),
    ):
        lines = (b"Content-Length: " + length, CHUNKED)
        yield is_malformed("T1", f"{title}, length first", post(*lines, body=body))
        yield is_malformed("T1", f"{title}, coding first", post(*lines[::-1], body=body))
    for coding in (b"Transfer-Encoding: x", b"Transfer-Encoding:", b"Transfer-Encoding: identity"):
        title = f"a length, and {shown(coding)}"
        lines = (b"Content-Length: 6", coding)
        yield is_malformed("T1", title, post(*lines, body=_CL_TE))


_TWO_LENGTHS = (
    (b"Content-Length: 3", b"Content-Length: 3"),
    (b"Content-Length: 3", b"content-length: 0"),
    (b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED)),
    (b"Content-Length: 3", b"Foo: bar", b"Content-Length: 4"),
    (b"Content-Length: 3", b"Content-Length:"),
)
_LENGTHS = (
    *(b"1, 1|3,3|3, 4|3,|,3|+3|-1|-0|1_0|0x3|0X3|3h|3.0|3e0|1e1|3;|3;a=b|3 3|3\t3".split(b"|")),
    *(b"'3'|\"3\"|3\x0b|3\x0c|3\xa0|\x0b3|\xa03|three|NaN|inf|0b11|0o3||3\x00|\x003".split(b"|")),
    *("\uff13".encode(), "\u0663".encode(), "\xb3".encode()),  # full width, arabic, raised
    *(b"9" * 26, b"0" * 4000 + b"3", b"0" * 4300 + b"3", b"0" * 20 + b"3"),  # Python reads 4300
    *(b"18446744073709551615", b"18446744073709551616", b"-18446744073709551613"),
    b"18446744073709551619",  # 3, to who counts in 64 bits
)


def _lengths() -> Iterator[Case]:
    """T2: lengths that are not one plain number."""
    for lines in _TWO_LENGTHS:
        title = " | ".join(shown(line) for line in lines)
        yield is_malformed("T2", title, post(*lines, body=b"abc" + SMUGGLED))
    for value in _LENGTHS:
        send = post(b"Content-Length: " + value, body=b"abc" + SMUGGLED)
        yield is_malformed("T2", f"Content-Length {shown(value)!r}", send)
    send = post(b"Content-Length: 4294967299", body=b"abc" + SMUGGLED)
    too_large = refused(413, codes=["body_too_large"])
    yield Case(row="T2", title="3, to who counts in 32 bits", send=send, expect=too_large)
    # The page has ` 1 ` among the refused; RFC 9110 5.5: spaces around a value are no part of it.
    for line in (b"Content-Length:  3 ", b"Content-Length:\t3\t", b"Content-Length:3"):
        yield passes_or_not("T2", shown(line), post(line, body=b"abc"), b"abc")
    yield passes_or_not("T2", "leading zeros", post(b"Content-Length: 0003", body=b"abc"), b"abc")


_NAMES = (
    b"Content-Length ",
    b"Content-Length\t",
    b"Content-Length\x0b",
    b"Content-Length\x85",
    b"Content-Length\xa0",
    b"Content-Length\x00",
    b" Content-Length",
    b"Content_Length",
    b"Content.Length",
    b"CONTENT_LENGTH",
    b"Content~Length",
    b"Content Length",
)


def _names() -> Iterator[Case]:
    """T3: names that one reader takes for Content-Length."""
    for name in _NAMES:
        send = post(name + b": %d" % len(SMUGGLED), body=SMUGGLED)
        yield is_malformed("T3", shown(name), send)
        send = post(b"Content-Length: 3", name + b": 5", body=b"abc")
        yield is_malformed("T3", f"{shown(name)} beside the right one", send)
    folded = post(b"Content-Length:\r\n 3", body=b"abc")
    yield is_malformed("T3", "the value on a folded line", folded)
    yield passes("T3", "in any case", post(b"cOnTeNt-LeNgTh: 3", body=b"abc"), b"abc")


_CODINGS = (
    b"xchunked|chunkedx|chunked, identity|identity, chunked|identity|chunked, chunked|,chunked|"
    b"chunked,|, chunked|gzip, chunked|chunked, gzip|gzip|deflate, chunked|\"chunked\"|'chunked'|"
    b"chunked;|chunked;q=1|chunked; a=b|chunked chunked|chunked\x0b|\x0bchunked|\x0cchunked|"
    b"\xa0chunked|\xffchunked|chunked\xa0|chunked\x00|chunk|chun ked|cow|x|trailers|*|"
).split(b"|")
_CODING_NAMES = (
    b"Transfer-Encoding ",
    b"Transfer-Encoding\t",
    b"Transfer-Encoding\x0b",
    b"Transfer-Encoding\x85",
    b"Transfer-Encoding\xa0",
    b" Transfer-Encoding",
    b"\tTransfer-Encoding",
    b"Transfer_Encoding",
    b"Transfer.Encoding",
    b"TRANSFER_ENCODING",
    b"Transfer*Encoding",
)


def _codings() -> Iterator[Case]:
    """T4: exactly `chunked`, once, or nothing (RFC 9112 6.1, 7)."""
    for value in _CODINGS:
        send = post(b"Transfer-Encoding: " + value, body=CHUNKS + SMUGGLED)
        yield is_malformed("T4", f"Transfer-Encoding {shown(value)!r}", send)
    for name in _CODING_NAMES:
        send = post(name + b": chunked", body=CHUNKS)
        yield is_malformed("T4", shown(name), send)
        send = post(b"Content-Length: 13", name + b": chunked", body=CHUNKS)
        yield is_malformed("T4", f"{shown(name)} beside a length", send)
    for lines in (
        (CHUNKED, CHUNKED),
        (CHUNKED, b"Transfer-Encoding: cow"),
        (b"Transfer-Encoding: cow", CHUNKED),
        (b"Transfer-Encoding: identity", CHUNKED),
        (CHUNKED, b"transfer-encoding: identity"),
        (b"Transfer-Encoding:\r\n chunked",),
        (b"Transfer-Encoding: x\n" + CHUNKED,),
        (b"Foo: x\r" + CHUNKED,),
        (b"Foo: x\n" + CHUNKED,),
    ):
        title = " | ".join(shown(line) for line in lines)
        yield is_malformed("T4", title, post(*lines, body=CHUNKS + SMUGGLED))
    for line in (
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: CHUNKED",
        b"transfer-encoding: chunked",
    ):
        yield passes("T4", f"legal: {shown(line)}", post(line, body=CHUNKS), b"abc")
    for line in (b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked \t"):
        yield passes_or_not("T4", shown(line), post(line, body=CHUNKS), b"abc")


def entries() -> Iterator[Entry]:
    """List T1 to T4."""
    yield from _both()
    yield from _lengths()
    yield from _names()
    yield from _codings()
