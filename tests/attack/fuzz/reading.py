"""Reads a client's bytes by RFC 9112, as a strict server would: which requests were really sent.

The oracle of the fuzzers. It shares no code with the gateway, and guesses nothing: where two
readers might differ on where a request ends, reading ends, in doubt.
"""

import re
from dataclasses import dataclass
from typing import Literal

End = Literal["whole", "partial", "doubt"]

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_DIGITS = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was really sent. `body` without framing; of a partial one what has come.

    `lengths` is how many fields spoke of its length.
    """

    method: bytes
    target: bytes
    is_1_1: bool
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    lengths: int = 0

    def values(self, name: bytes) -> list[bytes]:
        """All values of a name (lower case), compared without case."""
        return [value for key, value in self.fields if key.lower() == name]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a client's bytes hold: whole requests, perhaps one more that is not, and how it ends.

    "partial": it goes on; "doubt": nothing behind can be cut.
    """

    requests: tuple[Sent, ...]
    last: Sent | None
    end: End


@dataclass(frozen=True, slots=True)
class _Body:
    data: bytes
    at: int
    end: End


def read(data: bytes) -> Reading:
    """Read all there is."""
    requests: list[Sent] = []
    at = 0
    while True:
        while data[at : at + 2] == b"\r\n":  # 2.2: empty lines before a request may be ignored
            at += 2
        if at == len(data):
            return Reading(tuple(requests), None, "whole")
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            return Reading(tuple(requests), None, "partial")
        head = read_head(data[at:end])
        if head is None:
            return Reading(tuple(requests), None, "doubt")
        body = _read_body(head, data, end + 4)
        sent = Sent(head.method, head.target, head.is_1_1, head.fields, body.data, _lengths(head))
        if body.end != "whole":
            return Reading(tuple(requests), sent, body.end)
        requests.append(sent)
        at = body.at


def read_head(head: bytes) -> Sent | None:
    """Read a head without its last empty line; None for what is none."""
    first, *lines = head.split(b"\r\n")
    line = _LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(each) for each in lines]
    pairs = tuple((each[1], each[2]) for each in fields if each is not None)
    if line is None or len(pairs) < len(fields):
        return None
    return Sent(line[1], line[2], line[3] == b"1", pairs)


def _lengths(head: Sent) -> int:
    return len(head.values(b"content-length")) + len(head.values(b"transfer-encoding"))


def _read_body(head: Sent, data: bytes, at: int) -> _Body:
    """Read a body by 6.3; what that leaves to a server's choice is a doubt."""
    codings, lengths = head.values(b"transfer-encoding"), head.values(b"content-length")
    if head.method == b"CONNECT" or len(codings) + len(lengths) > 1:
        return _Body(b"", at, "doubt")
    if codings:
        if codings[0].lower() != b"chunked" or not head.is_1_1:
            return _Body(b"", at, "doubt")
        return _read_chunks(data, at)
    if not lengths:
        return _Body(b"", at, "whole")
    if not _DIGITS.fullmatch(lengths[0]):
        return _Body(b"", at, "doubt")
    end = at + int(lengths[0])
    return _Body(data[at:end], end, "whole" if end <= len(data) else "partial")


def _read_chunks(data: bytes, at: int) -> _Body:
    """Read chunks by 7.1; extensions are left out."""
    body = b""
    while (end := data.find(b"\r\n", at)) >= 0:
        size = _SIZE.fullmatch(data[at:end])
        if size is None:
            return _Body(body, at, "doubt")
        at, length = end + 2, int(size[1], 16)
        if not length:
            return _read_trailers(body, data, at)
        body += data[at : at + length]
        at += length
        if not b"\r\n".startswith(data[at : at + 2]):
            return _Body(body, at, "doubt")
        at += 2
    return _Body(body, at, "partial")


def _read_trailers(body: bytes, data: bytes, at: int) -> _Body:
    while (end := data.find(b"\r\n", at)) >= 0:
        line = data[at:end]
        at = end + 2
        if not line:
            return _Body(body, at, "whole")
        if not _FIELD.fullmatch(line):
            return _Body(body, at, "doubt")
    return _Body(body, at, "partial")
