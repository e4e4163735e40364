"""The WebSocket frames of the benchmark's client and service."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.frames import MAX_PAYLOAD, accept_of, client_frame, echo_frames, header, xor

MASKS = st.binary(min_size=4, max_size=4)
PAYLOADS = st.binary(min_size=1, max_size=MAX_PAYLOAD)


def test_the_accept_value_is_that_of_the_standard() -> None:
    """RFC 6455 1.3 has this example."""
    assert accept_of(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_masked_frame_is_that_of_the_standard() -> None:
    """RFC 6455 5.7 has this example, a masked "Hello"."""
    frame = client_frame(b"Hello", bytes.fromhex("37fa213d"))
    assert frame == bytes.fromhex("818537fa213d7f9f4d5158")


@given(PAYLOADS, MASKS)
def test_masking_twice_changes_nothing(payload: bytes, mask: bytes) -> None:
    """It is its own opposite."""
    assert xor(xor(payload, mask), mask) == payload


@given(st.lists(st.tuples(PAYLOADS, MASKS), max_size=5), st.integers(0, 200))
def test_an_echo_is_the_same_however_it_was_cut(
    messages: list[tuple[bytes, bytes]], cut: int
) -> None:
    """What is not yet whole is kept for later."""
    sent = b"".join(client_frame(payload, mask) for payload, mask in messages)
    first, rest = echo_frames(sent[:cut])
    second, left = echo_frames(rest + sent[cut:])
    wanted = b"".join(bytes((0x81, len(payload))) + payload for payload, _ in messages)
    assert (first + second, left) == (wanted, b"")


def test_a_long_message_is_refused() -> None:
    """Its length would need another form."""
    with pytest.raises(ValueError, match="125"):
        client_frame(b"x" * 126, b"mask")


def test_a_header_is_found_whatever_its_case() -> None:
    """And nothing where there is none."""
    head = b"GET / HTTP/1.1\r\nSec-WebSocket-Key:  abc \r\nHost: x"
    assert header(head, b"sec-websocket-key") == b"abc"
    assert header(head, b"upgrade") == b""
