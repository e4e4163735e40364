"""The fuzzers' own reader of RFC 9112, and how pieces are cut: an oracle must be right itself."""

import pytest

from tests.attack.fuzz.pieces import cut_by
from tests.attack.fuzz.reading import End, read

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "bodies", "end", "why"),
    [
        (b"", [], "whole", "nothing"),
        (GET + GET, [b"", b""], "whole", "two"),
        (b"\r\n\r\n" + GET, [b""], "whole", "empty lines before"),
        (GET[:-2], [], "partial", "half a head"),
        (POST + b"Content-Length: 3\r\n\r\nabc" + GET, [b"abc", b""], "whole", "a length"),
        (POST + b"Content-Length: 3\r\n\r\nab", [], "partial", "half a body"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + GET, [b"abc", b""], "whole", "chunks"),
        (CHUNKED + b"3;x=y\r\nabc\r\n00\r\nX: y\r\n\r\n", [b"abc"], "whole", "all of 7.1"),
        (CHUNKED + b"3\r\nabc\r", [], "partial", "half a chunk"),
        (CHUNKED + b"3\r\nabcX\r\n0\r\n\r\n", [], "doubt", "a chunk longer than it says"),
        (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", [], "doubt", "a size that is none"),
        (CHUNKED + b"3\nabc\r\n0\r\n\r\n", [], "doubt", "LF alone"),
        (CHUNKED + b"0\r\nX y\r\n\r\n", [], "doubt", "a trailer that is none"),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", [], "doubt", "twice"),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", [], "doubt", "both"),
        (POST + b"Content-Length: +1\r\n\r\na", [], "doubt", "signed"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", [], "doubt", "another coding"),
        (GET + POST + b"X-A : b\r\n\r\n", [b""], "doubt", "a space before the colon"),
        (b"GET  /a HTTP/1.1\r\nHost: a\r\n\r\n", [], "doubt", "two spaces"),
        (b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", [], "doubt", "another version"),
        (b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [], "doubt", "1.0"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + GET, [], "doubt", "a tunnel"),
    ],
)
def test_what_was_sent(data: bytes, bodies: list[bytes], end: End, why: str) -> None:
    """Requests with their bodies, and how the bytes end."""
    found = read(data)
    assert [each.body for each in found.requests] == bodies, why
    assert found.end == end, why


def test_one_that_is_not_whole_is_told_apart() -> None:
    """Its head is read, and what has come of its body."""
    found = read(GET + POST + b"Content-Length: 9\r\n\r\nabc")
    assert found.last is not None
    assert (found.last.target, found.last.body) == (b"/b", b"abc")


@pytest.mark.parametrize("seed", [b"\x00\x00", b"\x05\x02", b"\xff\x80", b"\xf0\x00", b"", b"\x07"])
def test_pieces_make_the_whole(seed: bytes) -> None:
    """Nothing is lost between them, and none is empty."""
    pieces = cut_by(seed, GET)
    assert b"".join(pieces) == GET
    assert all(pieces)
