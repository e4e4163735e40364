"""Follows a chunked body through a client's raw bytes, by RFC 9112 7.1 and nothing more lenient.

It decides where such a body ends, and bounds what is no data in it. Pure: it reads no socket,
knows no request, and looks into no data. Trailers are checked and end here (design section 7).
"""

import re

MAX_EXTENSION_BYTES = 256
"""Of one chunk; nobody we know sends any (RFC 9112 7.1.1 asks for a bound)."""
MAX_EXCESS_BYTES = 16 * 1024
"""Of all chunks' lines above what their data makes reasonable: as Go bounds it (CVE-2023-39326)."""
MAX_TRAILER_BYTES = 8 * 1024
_REASONABLE_BYTES = 16
_CRLF_BYTES = 2
_VISIBLE = rb"[\t\x20-\x7e\x80-\xff]"
_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(;%b{0,%d})?\r\n" % (_VISIBLE, MAX_EXTENSION_BYTES - 1))
_MAX_LINE_BYTES = 16 + MAX_EXTENSION_BYTES + _CRLF_BYTES
_FIELD = re.compile(rb"[!#$%%&'*+.^_`|~0-9A-Za-z-]+:%b*\r\n" % _VISIBLE)


class ChunkError(Exception):
    """What frames a body is not what RFC 9112 7.1 writes, or without measure."""


class ChunkFollower:
    """Follows one body; `feed` it until it returns what stands behind it."""

    __slots__ = ("_excess_bytes", "_is_in_trailers", "_left_bytes", "_line", "_trailer_bytes")

    def __init__(self) -> None:
        self._left_bytes = 0  # of a chunk's data and the line end behind it
        self._line = b""  # the beginning of a line whose end has not come
        self._excess_bytes = 0
        self._is_in_trailers = False
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the part of it that is this body without trailers, and what is behind the body.

        None: it has not ended. Raises: ChunkError.
        """
        at = 0 if self._is_in_trailers else self._follow_chunks(data)
        if not self._is_in_trailers:
            return data, None
        rest = self._follow_trailers(data, at)
        return (data[:at], None) if rest is None else (data[:at] + b"\r\n", rest)

    # -- chunks ---------------------------------------------------------------------------------

    def _follow_chunks(self, data: bytes) -> int:
        """Return where the data ends, or the trailers begin."""
        at, size, match = 0, len(data), _LINE.match
        if self._line:
            at = self._finish_line(data)
        while not self._is_in_trailers:
            at += self._left_bytes
            if at >= size:
                self._left_bytes = at - size
                break
            self._left_bytes = 0
            line = match(data, at)
            if line is None:
                self._keep(data[at:])
                break
            self._begin_chunk(line)
            at = line.end()
        return at

    def _begin_chunk(self, line: re.Match[bytes]) -> None:
        size_bytes = int(line[1], 16)
        excess_bytes = line.end() - line.start() - _REASONABLE_BYTES - 2 * size_bytes
        self._excess_bytes = max(0, self._excess_bytes + excess_bytes)
        if self._excess_bytes > MAX_EXCESS_BYTES:
            raise ChunkError("the chunks' lines are longer than their data")
        self._left_bytes = size_bytes + _CRLF_BYTES if size_bytes else 0
        self._is_in_trailers = not size_bytes

    def _finish_line(self, data: bytes) -> int:
        """Take the rest of a line that was begun; return where it ends."""
        begun_bytes = len(self._line)
        end = data.find(b"\n") + 1
        whole = self._line + data[: end or _MAX_LINE_BYTES]
        line = _LINE.match(whole)
        self._line = b""
        if line is None:
            self._keep(whole)
            return len(data)
        self._begin_chunk(line)
        return line.end() - begun_bytes

    def _keep(self, begun: bytes) -> None:
        """Keep a line whose end has not come. Raises: ChunkError when it cannot become one."""
        if b"\n" in begun or len(begun) >= _MAX_LINE_BYTES:
            raise ChunkError("a chunk's line is malformed, or too long")
        self._line = begun

    # -- trailers -------------------------------------------------------------------------------

    def _follow_trailers(self, data: bytes, at: int) -> bytes | None:
        """Return what is behind the last empty line; None: it has not come."""
        while end := data.find(b"\n", at) + 1:
            line, self._line = self._line + data[at:end], b""
            self._count_trailer(end - at)
            at = end
            if line == b"\r\n":
                return data[at:]
            if _FIELD.fullmatch(line) is None:
                raise ChunkError("a trailer is malformed")
        self._line += data[at:]
        self._count_trailer(len(data) - at)
        return None

    def _count_trailer(self, size_bytes: int) -> None:
        self._trailer_bytes += size_bytes
        if self._trailer_bytes > MAX_TRAILER_BYTES:
            raise ChunkError("the trailers are too large")
