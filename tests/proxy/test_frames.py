"""Frames are followed by their headers, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.frames import FrameFollower, close_frame
from tests.support.websocket import frame

MASK = b"\x01\x02\x03\x04"
OPEN_OPCODES = st.sampled_from([0x0, 0x1, 0x2, 0x9, 0xA])
LENGTHS = st.one_of(
    st.integers(0, 5), st.integers(120, 130), st.integers(65530, 65540), st.integers(0, 300)
)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Any frame that is no Close: data with all their bits, control frames whole and short."""
    opcode = draw(OPEN_OPCODES)
    if opcode >= 0x8:
        length, bits = draw(st.integers(0, 125)), 0x80 | draw(st.sampled_from([0, 0x40, 0x70]))
    else:
        length, bits = draw(LENGTHS), draw(st.sampled_from([0x80, 0, 0xC0, 0x70]))
    return frame(opcode, b"\x88" * length, masked=draw(st.booleans()), bits=bits)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at these places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(frames(), max_size=6), st.lists(st.integers(0, 2**32), max_size=12))
def test_boundaries_do_not_depend_on_the_cuts(sent: list[bytes], places: list[int]) -> None:
    """For each piece: the last boundary within it, and whether one is where it ends."""
    ends = {0}
    for each in sent:
        ends.add(max(ends) + len(each))
    follower, start = FrameFollower(), 0
    for piece in cut(b"".join(sent), places):
        end = start + len(piece)
        within = [place - start for place in ends if start <= place <= end]
        assert follower.feed(piece) == max(within, default=-1)
        assert follower.is_at_boundary == (end in ends)
        start = end
    assert not follower.is_lost
    assert not follower.has_closed


@given(st.lists(frames(), max_size=3), st.integers(0, 125), st.booleans(), st.binary(max_size=40))
def test_a_close_ends_the_following_byte_by_byte(
    sent: list[bytes], length: int, masked: bool, rest: bytes
) -> None:
    """Only once it is whole; what stands behind it is nothing, whatever it is."""
    before = b"".join(sent)
    closing = frame(0x8, b"\x88" * length, masked=masked)
    follower = FrameFollower()
    follower.feed(before)
    for number, byte in enumerate(closing, 1):
        boundary = follower.feed(bytes((byte,)))
        assert follower.has_closed == (number == len(closing))
        assert (boundary == 1) == follower.has_closed
    assert not follower.is_at_boundary
    assert follower.feed(rest) == -1
    whole = FrameFollower()
    assert whole.feed(before + closing + rest) == len(before + closing)
    assert whole.has_closed
    assert not whole.is_lost


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_end_the_same_however_cut(data: bytes, places: list[int]) -> None:
    """Also those that are no frames at all."""
    whole, pieces = FrameFollower(), FrameFollower()
    whole.feed(data)
    for piece in cut(data, places):
        pieces.feed(piece)
    for name in ("is_lost", "has_closed", "is_at_boundary"):
        assert getattr(whole, name) == getattr(pieces, name)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes((0x83, 0)), "reserved opcode 3"),
        (bytes((0x87, 0)), "reserved opcode 7"),
        (bytes((0x8B, 0)), "reserved control opcode B"),
        (bytes((0x8F, 0)), "reserved control opcode F"),
        (bytes((0x08, 0)), "a fragmented Close"),
        (bytes((0x09, 0)), "a fragmented ping"),
        (bytes((0x89, 126, 0, 126)), "a ping longer than 125"),
        (bytes((0x88, 127)) + bytes(8), "a Close of the longest form"),
        (bytes((0x82, 127, 0x80)) + bytes(7), "a length of 2^63 (W8)"),
        (bytes((0x82, 0xFF)) + b"\xff" * 8, "the largest length there is"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no frames: H is opcode 8 without FIN"),
    ],
)
def test_headers_that_are_wrong_end_the_following(data: bytes, why: str) -> None:
    """No boundary is told any more: where a frame ends is not known (RFC 6455 5.2, 5.5)."""
    for pieces in ([data], [data[:1], data[1:]], [bytes((byte,)) for byte in data]):
        follower = FrameFollower()
        assert follower.feed(frame(0x1, bytes(5))) == 7
        for piece in pieces:
            follower.feed(piece)
        assert follower.is_lost, why
        assert not follower.is_at_boundary
        assert follower.feed(frame(0x1, bytes(5))) == -1
        assert not follower.has_closed


def test_what_moves_no_boundary_is_the_ends_own_affair() -> None:
    """Reserved bits, a continuation of nothing, a length in a longer form than it needs."""
    follower = FrameFollower()
    odd = [
        frame(0x1, bytes(3), bits=0xF0),
        frame(0x0, bytes(3)),
        frame(0x1, bytes(3), bits=0) + frame(0x1, bytes(3), bits=0),
        bytes((0x82, 127)) + (3).to_bytes(8, "big") + b"abc",
        bytes((0x82, 126)) + (0).to_bytes(2, "big"),
    ]
    for each in odd:
        assert follower.feed(each) == len(each)
        assert follower.is_at_boundary


def test_a_payload_of_any_length_is_stepped_over() -> None:
    """The largest length there may be needs no memory and no time."""
    follower = FrameFollower()
    head = bytes((0x82, 0xFF)) + (2**63 - 1).to_bytes(8, "big") + MASK
    assert follower.feed(head) == 0
    for _ in range(3):
        assert follower.feed(bytes(1024)) == -1
    assert not follower.is_at_boundary


def test_an_empty_piece_changes_nothing() -> None:
    """At a boundary it holds one, within a frame none."""
    follower = FrameFollower()
    assert follower.feed(b"") == 0
    follower.feed(b"\x81")
    assert follower.feed(b"") == -1
    follower.feed(b"\x02a")
    assert follower.feed(b"") == -1
    assert follower.feed(b"b") == 1


@pytest.mark.parametrize(
    ("code", "reason", "mask", "expected"),
    [
        (1001, "", None, b"\x88\x02\x03\xe9"),
        (4401, "ended", None, b"\x88\x07\x11\x31ended"),
        (4401, "ended", b"\0\0\0\0", b"\x88\x87\0\0\0\0\x11\x31ended"),
        (1001, "ab", MASK, b"\x88\x84" + MASK + b"\x02\xeb\x62\x66"),
    ],
)
def test_a_close_as_the_standard_writes_it(
    code: int, reason: str, mask: bytes | None, expected: bytes
) -> None:
    """Code in two bytes, then text; masked from a client (RFC 6455 5.3, 5.5.1)."""
    assert close_frame(code, reason, mask) == expected


@given(st.integers(1000, 4999), st.text("abc ", max_size=200), st.none() | st.just(MASK))
def test_our_close_is_followed_as_one(code: int, reason: str, mask: bytes | None) -> None:
    """However long the reason: it is cut to what a control frame holds."""
    made = close_frame(code, reason, mask)
    follower = FrameFollower()
    assert follower.feed(made) == len(made)
    assert follower.has_closed
    assert made[1] & 0x7F <= 125
