"""Cuts what reached a service into requests, by the grammar of RFC 9112 and nothing more lenient.

The oracle of the attack suite and of the fuzzers: what does not fit is an error, never guessed at.
"""

import re
from dataclasses import dataclass

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,16}")
MAX_LENGTH = 2**63 - 1
MAX_LENGTH_DIGITS = 4300  # what Python reads
"""More is read differently from one recipient to the next (RFC 9110 8.6)."""


class MalformedError(Exception):
    """Bytes that are no HTTP/1.1 request as RFC 9112 writes it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it reached a service; `body` without framing."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    @property
    def line(self) -> bytes:
        return b"%b %b HTTP/1.1" % (self.method, self.target)

    def values(self, name: bytes) -> list[bytes]:
        """All values of a name, compared without case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


def cut(data: bytes) -> tuple[Seen, int] | None:
    """Cut the first request off: it, and its size; None while it is not whole.

    Raises: MalformedError.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if b"\n\n" in data or data[:1] in (b"\r", b"\n"):
            raise MalformedError("lines end in LF alone, or an empty one comes first")
        return None
    seen = _read_head(data[:end])
    found = _read_body(seen, data, end + 4)
    if found is None:
        return None
    body, size = found
    return Seen(seen.method, seen.target, seen.fields, body), size


def _read_head(head: bytes) -> Seen:
    first, *rest = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise MalformedError("request line")
    fields = [_FIELD.fullmatch(each) for each in rest]
    pairs = tuple((each[1], each[2]) for each in fields if each is not None)
    if len(pairs) < len(fields):
        raise MalformedError("header field")
    return Seen(line[1], line[2], pairs)


def _read_body(seen: Seen, data: bytes, start: int) -> tuple[bytes, int] | None:
    codings, lengths = seen.values(b"transfer-encoding"), seen.values(b"content-length")
    if len(seen.values(b"host")) != 1:
        raise MalformedError("not one Host")
    if codings:
        if codings != [b"chunked"] or lengths:
            raise MalformedError("framing")
        return _read_chunks(data, start)
    if not lengths:
        return b"", start
    is_one = len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) <= MAX_LENGTH_DIGITS
    if not is_one or int(lengths[0]) > MAX_LENGTH:
        raise MalformedError("Content-Length")
    end = start + int(lengths[0])
    return None if len(data) < end else (data[start:end], end)


def _read_chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    body: list[bytes] = []
    while (end := data.find(b"\r\n", at)) >= 0:
        if _CHUNK.fullmatch(data[at:end]) is None:
            raise MalformedError("chunk size")
        size, start = int(data[at:end], 16), end + 2
        at = start + size + 2
        if len(data) < at:
            return None
        if data[at - 2 : at] != b"\r\n":
            raise MalformedError("the end of a chunk, or a trailer")
        if size == 0:
            return b"".join(body), at
        body.append(data[start : start + size])
    if len(data) - at > 16:
        raise MalformedError("chunk size")
    return None
