"""Cuts what a proxy sent back into answers (RFC 9112 6.3); it must not know what they should be."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: .*)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `is_whole` says that its body came to its stated end."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_whole: bool

    def value(self, name: bytes) -> bytes | None:
        """The first value of a name, compared without case."""
        found = (value for key, value in self.fields if key.lower() == name)
        return next(found, None)


def cut_answers(data: bytes, methods: Sequence[bytes]) -> Iterator[Answer]:
    """Cut answers to requests of these methods (the last one's for all that follow).

    What is no answer ends it: callers compare with the bytes.
    """
    number = 0
    while data:
        method = methods[min(number, len(methods) - 1)] if methods else b"GET"
        found = _cut_one(data, method)
        if found is None:
            return
        answer, data = found
        number += answer.status >= 200
        yield answer
        if answer.status == 101:
            return


def _cut_one(data: bytes, method: bytes) -> tuple[Answer, bytes] | None:
    end = data.find(b"\r\n\r\n")
    first, *lines = data[: max(end, 0)].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        return None
    pairs = [line.partition(b":") for line in lines]
    fields = tuple((name, value.strip(b" \t")) for name, _, value in pairs)
    number = int(status[1])
    bare = Answer(number, fields, b"", is_whole=True)
    rest = data[end + 4 :]
    if number < 200 or number in (204, 304) or method == b"HEAD":
        return bare, rest
    return _with_body(bare, rest)


def _with_body(bare: Answer, rest: bytes) -> tuple[Answer, bytes]:
    if (bare.value(b"transfer-encoding") or b"").lower() == b"chunked":
        body, size, is_whole = _chunks(rest)
    else:
        length = bare.value(b"content-length")
        size = int(length) if length is not None and length.isdigit() else len(rest)
        body, is_whole = rest[:size], len(rest) >= size
    return Answer(bare.status, bare.fields, body, is_whole), rest[size:]


def _chunks(data: bytes) -> tuple[bytes, int, bool]:
    body, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:end].partition(b";")[0], 16)
        except ValueError:
            break
        body += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
        if len(data) < at:
            break
        if size == 0:
            return body, at, True
    return body, len(data), False
