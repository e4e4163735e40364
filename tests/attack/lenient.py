"""Reads bytes as leniently as RFC 9112 lets a recipient: what a chain of proxies may rightly find.

`cutting` is the other end: what we send on must be strictly right. It must not know who reads.
"""

import re
from collections.abc import Sequence

from tests.attack.cutting import Seen

Fields = tuple[tuple[bytes, bytes], ...]
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([0-9])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_MOST_DIGITS = 19  # no longer body is sent
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?")


def read_leniently(data: bytes) -> tuple[Seen, ...]:
    """List the requests that may be found; it ends where no recipient may go on."""
    found: list[Seen] = []
    while (each := _read_one(data.lstrip(b"\r\n"))) is not None:  # 2.2: empty lines are skipped
        found.append(each[0])
        data = each[1]
    return tuple(found)


def _read_one(data: bytes) -> tuple[Seen, bytes] | None:
    end = _HEAD_END.search(data)
    if end is None:
        return None
    first, *lines = re.split(rb"\r?\n", data[: end.start()])  # 2.2: a single LF may end a line
    line, fields = _LINE.fullmatch(first), _read_fields(lines)
    if line is None or fields is None:
        return None
    if line[3] == b"0" and _items(fields, b"transfer-encoding"):  # 6.1: faulty framing
        return None
    body = _read_body(fields, data[end.end() :])
    if body is None:
        return None
    return Seen(line[1], line[2], fields, body[0]), body[1]


def _read_fields(lines: Sequence[bytes]) -> Fields | None:
    joined: list[bytes] = []
    for line in lines:  # 5.2: a folded line may be joined with a space
        if line[:1] in (b" ", b"\t") and joined:
            joined[-1] += b" " + line.strip(b" \t")
        else:
            joined.append(line)
    matches = [_FIELD.fullmatch(line) for line in joined]
    fields = tuple((each[1].lower(), each[2]) for each in matches if each is not None)
    return fields if len(fields) == len(matches) else None


def _read_body(fields: Fields, data: bytes) -> tuple[bytes, bytes] | None:
    codings, lengths = _items(fields, b"transfer-encoding"), _items(fields, b"content-length")
    if codings:  # 6.3: it overrides Content-Length, and must end in chunked, once
        is_chunked = codings[-1].lower() == b"chunked" and len(codings) == len(set(codings))
        return _read_chunks(data) if is_chunked else None
    if not lengths:
        return b"", data
    if len(set(lengths)) > 1 or not lengths[0].isdigit():  # 6.3: the same length twice is one
        return None
    digits = lengths[0].lstrip(b"0") or b"0"
    if len(digits) > _MOST_DIGITS:
        return None
    length = int(digits)
    return (data[:length], data[length:]) if len(data) >= length else None


def _items(fields: Fields, name: bytes) -> list[bytes]:
    """All items of a list, empty ones left out (RFC 9110 5.6.1.2)."""
    values = [value for key, value in fields if key == name]
    items = [each.strip(b" \t") for value in values for each in value.split(b",")]
    return [each for each in items if each] or ([b""] if values else [])


def _read_chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        line, mark, rest = data.partition(b"\r\n")
        size = _CHUNK.fullmatch(line)
        if not mark or size is None:
            return None
        length = int(size[1], 16)
        if length == 0:
            return _skip_trailers(body, rest)
        if rest[length : length + 2] != b"\r\n":
            return None
        body, data = body + rest[:length], rest[length + 2 :]


def _skip_trailers(body: bytes, data: bytes) -> tuple[bytes, bytes] | None:
    """7.1.2: they may be dropped, whatever they say; an empty line ends them."""
    if data.startswith(b"\r\n"):
        return body, data[2:]
    _, mark, rest = data.partition(b"\r\n\r\n")
    return (body, rest) if mark else None
