"""Follows WebSocket frames by their headers, and writes a Close (RFC 6455 5.2, 5.5.1). Pure.

It decides where one frame ends and the next begins, in one direction. It keeps no payload, decodes
none, and judges nothing that does not move a boundary: reserved bits belong to extensions, masks,
fragments and text to the two ends, which refuse what is wrong there themselves.
"""

_DATA, _CONTROL, _CLOSE, _WRONG = 0, 1, 2, 3
_SHORT_BYTES = 125
"""The longest payload whose length stands in the second byte; no control frame is longer (5.5)."""


def _kind(first: int) -> int:
    """Read a frame's first byte: FIN, three reserved bits, the opcode (5.2)."""
    opcode, is_final = first & 0x0F, first & 0x80
    if opcode in {0x0, 0x1, 0x2}:
        return _DATA
    if opcode in {0x8, 0x9, 0xA} and is_final:  # a control frame is never fragmented (5.5)
        return _CLOSE if opcode == 0x8 else _CONTROL
    return _WRONG


def _short_size(second: int) -> int:
    """Size of a whole frame by its second byte: MASK and a length; 0 for the longer forms."""
    length = second & 0x7F
    return 0 if length > _SHORT_BYTES else 2 + (4 if second & 0x80 else 0) + length


_KINDS = bytes(_kind(first) for first in range(256))
_SHORT_SIZES = bytes(_short_size(second) for second in range(256))
_LENGTH_BYTES = {126: 2, 127: 8}


class FrameFollower:
    """Follows the frames of one direction over pieces cut anywhere.

    `has_closed`: a whole Close has passed; nothing behind it is looked at. `is_lost`: these are no
    frames we know, so no boundary is ever told again.
    """

    __slots__ = ("_is_in_close", "_left_bytes", "_partial", "has_closed", "is_lost")

    def __init__(self) -> None:
        self._left_bytes = 0  # of the frame whose header has come
        self._partial = b""  # a header that has not come whole: less than 14 bytes
        self._is_in_close = False
        self.has_closed = False
        self.is_lost = False

    @property
    def is_at_boundary(self) -> bool:
        """Whether the next byte begins a frame."""
        return not (self._left_bytes or self._partial or self.has_closed or self.is_lost)

    def feed(self, piece: bytes) -> int:
        """Follow the next piece; return where in it the last boundary lies, -1 if there is none.

        A boundary is where a frame begins or may begin: 0 where none is under way.
        """
        if self.has_closed or self.is_lost:
            return -1
        early = len(self._partial)
        if early:
            piece, self._partial = self._partial + piece, b""
        at, end = self._left_bytes, len(piece)
        if at > end:
            self._left_bytes = at - end
            return -1
        self._left_bytes = 0
        if self._is_in_close:
            self.has_closed = True
            return at
        last = self._walk(piece, at, end)
        return last - early if last >= early else -1

    def _walk(self, piece: bytes, at: int, end: int) -> int:
        """Go from header to header, from one at `at`; return where the last whole frame ends."""
        kinds, sizes = _KINDS, _SHORT_SIZES
        while at + 1 < end:
            kind, size = kinds[piece[at]], sizes[piece[at + 1]]
            if kind > _CONTROL or not size:
                size = self._measure(piece, at, kind)
                if not size:
                    return -1 if self.is_lost else at
            if at + size > end:
                self._left_bytes = at + size - end
                return at
            at += size
            if self._is_in_close:
                self.has_closed = True
                return at
        self._partial = piece[at:]
        return at

    def _measure(self, piece: bytes, at: int, kind: int) -> int:
        """Return the size of a Close or a long frame; 0 if it is wrong or its header not whole."""
        second = piece[at + 1]
        size = _SHORT_SIZES[second]
        if kind == _WRONG or (kind != _DATA and not size):
            self.is_lost = True
            return 0
        if size:
            self._is_in_close = True
            return size
        return self._measure_long(piece, at, second)

    def _measure_long(self, piece: bytes, at: int, second: int) -> int:
        behind = at + 2 + _LENGTH_BYTES[second & 0x7F]
        if behind > len(piece):
            self._partial = piece[at:]
            return 0
        length = int.from_bytes(piece[at + 2 : behind], "big")
        if length >> 63:  # the most significant bit must be 0 (5.2)
            self.is_lost = True
            return 0
        return behind - at + (4 if second & 0x80 else 0) + length


def close_frame(code: int, reason: str, mask: bytes | None = None) -> bytes:
    """Write a Close; `mask` is four random bytes on the way to a service, None to a client (5.3).

    `reason` is ASCII, cut after 123 bytes: a control frame holds no more.
    """
    payload = (code.to_bytes(2, "big") + reason.encode("ascii"))[:_SHORT_BYTES]
    if mask is None:
        return bytes((0x88, len(payload))) + payload
    masked = bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
    return bytes((0x88, 0x80 | len(payload))) + mask + masked
