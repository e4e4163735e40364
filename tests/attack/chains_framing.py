"""Framing over which two readers may differ, built systematically: each holds a second request
that one reading finds and another takes for a body.

What may arrive is not said here: `sent` reads the bytes as the standard lets them be read.
"""

from collections.abc import Iterator

from tests.attack.judge import Variant
from tests.attack.model import Case, refused
from tests.attack.stages import HOST

BUILT = "T0"
"""The row of these: none of attacks.md."""
_SECOND = b"GET /public/smuggled HTTP/1.1\r\nHost: @HOST@\r\n\r\n"
_CODINGS = (
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"transfer-encoding:chunked"),
    *(
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding\t: chunked",
        b" Transfer-Encoding: chunked",
    ),
    *(
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding:\x0cchunked",
    ),
    *(
        b"Transfer-Encoding: \xa0chunked",
        b"Transfer-Encoding: chunked\xa0",
        b"Transfer-Encoding: \x85chunked",
    ),
    *(
        b"Transfer-Encoding: chunked\x00",
        b"Transfer-Encoding: \x00chunked",
        b"Transfer-Encoding\x00: chunked",
    ),
    *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: chunk"),
    *(
        b"Transfer-Encoding: ,chunked",
        b"Transfer-Encoding: chunked,",
        b"Transfer-Encoding: chunked;q=1",
    ),
    *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked"),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding:", b"Transfer-Encoding: gzip"),
    *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip"),
    *(b"Transfer-Encoding: chunked, chunked", b'Transfer-Encoding: "chunked"'),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",),
    *(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",),
    *(b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chun\r\n ked"),
    *(b"Foo: bar\nTransfer-Encoding: chunked", b"Foo: bar\rTransfer-Encoding: chunked"),
    *(
        b"Transfer_Encoding: chunked",
        b"Transfer.Encoding: chunked",
        b"Transfer-Encoding\xad: chunked",
    ),
    *(b"X-Transfer-Encoding: chunked", b"TE: chunked", b"Transfer-Encoding chunked"),
    *("Transfer-Encoding: \u017fhunked".encode(), "Transfer-Encoding: chun\u212aed".encode()),
)
_LENGTHS = (
    *(
        b"Content-Length: %d",
        b"Content-Length: +%d",
        b"Content-Length: -%d",
        b"Content-Length: 0%d",
    ),
    *(b"Content-Length: %d, %d", b"Content-Length: 0, %d", b"Content-Length: %d, 0"),
    *(b"Content-Length: %d\r\nContent-Length: %d", b"Content-Length: 0\r\nContent-Length: %d"),
    *(b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: %d,", b"Content-Length: ,%d"),
    *(
        b"Content-Length : %d",
        b"Content-Length\t: %d",
        b" Content-Length: %d",
        b"Content_Length: %d",
    ),
    *(b"Content-Length:\x0b%d", b"Content-Length: %d\x0b", b"Content-Length: \x00%d"),
    *(
        b"Content-Length: %d\x00",
        b"Content-Length: %d.0",
        b"Content-Length: %de0",
        b"Content-Length: 0x%x",
    ),
    *(
        b"Content-Length: %d_0",
        b"Content-Length: \xa0%d",
        b"Content-Length: %d abc",
        b"Content-Length: 1 %d",
    ),
    *(b'Content-Length: "%d"', b"Content-Length:\r\n %d", b"Content-Length: 0\r\n %d"),
    *(b"Content-Length: 184467440737095516%d", b"Foo: bar\nContent-Length: %d", b"Content-Length:"),
    *(b"Foo: bar\rContent-Length: %d", b"Content-Length %d", b"Content-Length: \xef\xbc\x91%d"),
)
_SIZES = (
    *(b"%x", b"%X", b"0%x", b"0000000000000000000%x", b"0x%x", b"+%x", b"-%x", b" %x", b"\t%x"),
    *(b"%x ", b"%x\t", b"%x\x0b", b"%x\x00", b"%x_0", b"%xg", b"%x,", b"%x;", b"%x;a", b"%x;a=b"),
    *(b'%x;a="b"', b'%x;a="\r\n"', b"%x;a\n", b"%x;\n0\r\n\r\n", b"%x;a\rb", b"%x\n", b"%x\r"),
    *(b"1000000000000000%02x", b"f" * 16 + b"%x", b"", b"\r\n%x", b"%x\r\n", b"\xef\xbc\x91%x"),
)
_ENDS = (
    *(b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"\n0\r\n\r\n", b"\r0\r\n\r\n", b"\r\n0\n\n", b"\r\n0\r\n\n"),
    *(
        b"\r\n00\r\n\r\n",
        b"\r\n0;a\r\n\r\n",
        b"\r\n0 \r\n\r\n",
        b"\r\n-0\r\n\r\n",
        b"\r\n0x0\r\n\r\n",
    ),
    *(b"\r\n0\r\nA: b\r\n\r\n", b"\r\n0\r\nContent-Length: 5\r\n\r\n", b"\r\n0\r\n \r\n\r\n"),
    *(
        b"\r\n0\r\nA b\r\n\r\n",
        b"\r\n0\r\nX:" + _SECOND,
        b"\r\n0\r\n",
        b"\r\n0\r\n\rX",
        b"X\r\n0\r\n\r\n",
    ),
    *(b"\r\n0\r\n\r\n\r\n\r\n", b"\r\n0\r\n\r\n0\r\n\r\n", b"\r\n\r\n0\r\n\r\n"),
)


def cases() -> Iterator[Variant]:
    """List them, on the open route."""
    for title, spelling, lines, body in _framings():
        head = b"POST @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\r\n" + lines + b"\r\n\r\n"
        name = f"{title}: {repr(spelling)[1:]}"
        case = Case(row=BUILT, title=name, send=head + body, expect=refused(400))
        yield Variant(case, "public", "none")


def _framings() -> Iterator[tuple[str, bytes, bytes, bytes]]:
    hidden = b"0\r\n\r\n" + _SECOND
    chunk = b"%x\r\n" % _length(_SECOND) + _SECOND + b"\r\n0\r\n\r\n"
    size = chunk.index(b"\r\n") + 2
    for coding in _CODINGS:
        whole = b"Content-Length: %d" % _length(hidden)
        part = b"Content-Length: %d" % size
        yield "a length over all, then a coding", coding, whole + b"\r\n" + coding, hidden
        yield "a coding, then a length over all", coding, coding + b"\r\n" + whole, hidden
        yield "a coding, and the length of its first line", coding, coding + b"\r\n" + part, chunk
        yield "a coding alone", coding, coding, chunk
    for length in _LENGTHS:
        line = length.replace(b"%d", b"%d" % _length(_SECOND))
        yield "a length", length, line.replace(b"%x", b"%x" % _length(_SECOND)), _SECOND
    coding = b"Transfer-Encoding: chunked"
    for spelt in _SIZES:
        number = spelt % _length(_SECOND) if b"%" in spelt else spelt
        yield "a chunk's size", spelt, coding, number + b"\r\n" + _SECOND + b"\r\n0\r\n\r\n"
    for end in _ENDS:
        yield "the end of chunks", end.removesuffix(_SECOND), coding, b"3\r\nabc" + end + _SECOND


def _length(data: bytes) -> int:
    """Counted with the usual host; all others are as long."""
    return len(data.replace(b"@HOST@", HOST))
