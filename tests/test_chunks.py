"""Where a chunked body ends, and what its framing may say (RFC 9112 7.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chunks import (
    MAX_EXCESS_BYTES,
    MAX_EXTENSION_BYTES,
    MAX_TRAILER_BYTES,
    ChunkError,
    ChunkFollower,
)

END = b"0\r\n\r\n"


def follow(*pieces: bytes) -> tuple[bytes, bytes | None]:
    """Feed the pieces; return what is the body, and what was behind it in the last one."""
    follower, taken, behind = ChunkFollower(), b"", None
    for piece in pieces:
        assert behind is None, "fed behind its end"
        body, behind = follower.feed(piece)
        taken += body
    return taken, behind


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(END, id="empty"),
        pytest.param(b"3\r\nabc\r\n" + END, id="one chunk"),
        pytest.param(b"3\r\nabc\r\nA\r\n0123456789\r\na\r\n0\r\n\r\n23456\r\n" + END, id="an end"),
        pytest.param(b"003\r\nabc\r\n000\r\n\r\n", id="leading zeros"),
        pytest.param(b'3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n', id="extensions"),
        pytest.param(
            b"1;" + b"x" * (MAX_EXTENSION_BYTES - 1) + b"\r\n1\r\n" + END, id="a long one"
        ),
    ],
)
def test_a_body_ends_where_it_ends(body: bytes) -> None:
    """However it is cut, and whatever stands behind it."""
    assert follow(body + b"GET /") == (body, b"GET /")
    for cut in range(1, len(body)):
        assert follow(body[:cut], body[cut:] + b"GET /") == (body, b"GET /")
    assert follow(*(body[at : at + 1] for at in range(len(body)))) == (body, b"")


def test_trailers_are_measured_the_same_however_they_are_cut() -> None:
    """A part of a line that has come before is not counted again with the whole."""
    body = b"0\r\nA: " + b"b" * (MAX_TRAILER_BYTES - 7) + b"\r\n\r\n"
    for at in (3, 10, len(body) - 3, len(body) - 1):
        follower = ChunkFollower()
        follower.feed(body[:at])
        assert follower.feed(body[at:])[1] == b""


@pytest.mark.parametrize("trailers", [b"A: b\r\n", b"A:\r\nX-B: c d\r\nHost: evil\r\n"])
def test_trailers_end_here(trailers: bytes) -> None:
    """The parser behind never sees one: it would take the last for a field of the next head."""
    body = b"1\r\nx\r\n0\r\n" + trailers + b"\r\n"
    for cut in range(len(body)):
        pieces = [*filter(None, (body[:cut], body[cut:] + b"GET"))]
        assert follow(*pieces) == (b"1\r\nx\r\n" + END, b"GET")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\r\n", id="no size"),
        pytest.param(b"0x1\r\nx\r\n", id="0x"),
        pytest.param(b"+1\r\nx\r\n", id="a sign"),
        pytest.param(b" 1\r\nx\r\n", id="a space before"),
        pytest.param(b"1 \r\nx\r\n", id="a space behind"),
        pytest.param(b"1\nx\r\n", id="LF alone"),
        pytest.param(b"1\r\rx\r\n", id="CR alone"),
        pytest.param(b"1;a\nb\r\nx\r\n", id="LF in an extension"),
        pytest.param(b"1;a\x00\r\nx\r\n", id="NUL in an extension"),
        pytest.param(b"0" * 17 + b"\r\n\r\n", id="more digits than a number has"),
        pytest.param(b"1;" + b"x" * MAX_EXTENSION_BYTES + b"\r\nx\r\n", id="a long extension"),
        pytest.param(b"0" * 1000, id="digits without end"),
        pytest.param(b"1;" + b"x" * 1000, id="an extension without end"),
        pytest.param(b"0\r\nA\r\n\r\n", id="a trailer without a colon"),
        pytest.param(b"0\r\n A: b\r\n\r\n", id="a folded trailer"),
        pytest.param(b"0\r\nA : b\r\n\r\n", id="a space in a trailer's name"),
        pytest.param(b"0\r\nA: b\n\r\n", id="LF alone behind a trailer"),
        pytest.param(b"0\r\nA: \x00\r\n\r\n", id="NUL in a trailer"),
        pytest.param(b"0\r\n\n", id="LF alone at the end"),
        pytest.param(b"0\r\nA: " + b"b" * MAX_TRAILER_BYTES, id="a trailer without end"),
        pytest.param(b"0\r\n" + b"A: b\r\n" * MAX_TRAILER_BYTES, id="trailers without end"),
    ],
)
def test_what_is_no_framing_is_refused(body: bytes) -> None:
    """In one piece and byte by byte."""
    with pytest.raises(ChunkError):
        follow(body)
    with pytest.raises(ChunkError):
        follow(*(body[at : at + 1] for at in range(len(body))))


def test_lines_are_bounded_by_their_data() -> None:
    """Small chunks are no excess, nor a long line now and then; only lines for next to nothing."""
    follow(b"1\r\nx\r\n" * 10000 + END)
    follow(*[b"400;%b\r\n%b\r\n" % (b"e" * 200, b"x" * 1024)] * 1000, END)
    times = MAX_EXCESS_BYTES // 180
    with pytest.raises(ChunkError):
        follow((b"1;%b\r\nx\r\n" % (b"e" * 200)) * times)


@given(st.lists(st.binary(min_size=1, max_size=40)), st.lists(st.integers(1, 9)), st.binary())
def test_any_cut_is_the_same(chunks: list[bytes], cuts: list[int], behind: bytes) -> None:
    """Data is never looked into, wherever the pieces begin."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + END
    pieces, rest = [], body
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:] or b""
        if not rest:
            break
    pieces = [*filter(None, [*pieces, rest])]
    pieces[-1] += behind
    assert follow(*pieces) == (body, behind)
