"""The WebSocket frames the benchmark speaks: whole messages under 126 bytes (RFC 6455 5.2).

Pure.
"""

import base64
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_TEXT = 0x81
MAX_PAYLOAD = 125
_HEAD, _MASK = 2, 4


def accept_of(key: bytes) -> bytes:
    """Return `Sec-WebSocket-Accept` for a key (RFC 6455 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - RFC 6455 says SHA-1


def client_frame(payload: bytes, mask: bytes) -> bytes:
    """Return a masked message. Raises: ValueError for a payload over 125 bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("the benchmark's messages are at most 125 bytes long")
    return bytes((_TEXT, 0x80 | len(payload))) + mask + xor(payload, mask)


def xor(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask (RFC 6455 5.3)."""
    size = len(payload)
    key = (mask * (size // _MASK + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def echo_frames(data: bytes) -> tuple[bytes, bytes]:
    """Turn a client's whole frames into a server's, and return what is left over."""
    out, at = [], 0
    while len(data) - at >= _HEAD:
        size = data[at + 1] & 0x7F
        end = at + _HEAD + _MASK + size
        if end > len(data):
            break
        mask = data[at + _HEAD : at + _HEAD + _MASK]
        out.append(bytes((data[at], size)) + xor(data[at + _HEAD + _MASK : end], mask))
        at = end
    return b"".join(out), data[at:]


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value, or nothing."""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""
