"""Reads an upstream's answer head: what it is, and how long its body. Pure.

RFC 9112 6.3, RFC 9110 8.6.
"""

from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.headers import Field, Kind
from gateway.survey import Survey, survey_answer

MAX_HEAD_BYTES = 64 * 1024
"""Header bytes read from an upstream before it is called malformed (nginx: 4 to 64 KiB)."""
LAST_CHUNK = b"0\r\n\r\n"
_BODILESS = frozenset({101, 204, 304})
# What a reason phrase is made of (RFC 9112 4); the parser lets control characters through.
_IN_REASON = bytes((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
_CODING, _LENGTH = Kind.CODING, Kind.LENGTH
_NONE: list[bytes] = []


class AnswerHead(NamedTuple):
    """An upstream's answer head; `found` is what a pass over `fields` found.

    `length` is the declared Content-Length; `is_chunked` and `until_close` tell the other framings;
    `has_body` is False for HEAD, 204 and 304 (RFC 9112 6.3).
    """

    status: int
    reason: bytes
    fields: list[Field]
    found: Survey
    length: int | None
    is_chunked: bool
    has_body: bool

    @property
    def until_close(self) -> bool:
        return self.has_body and self.length is None and not self.is_chunked


def read_answer_head(
    method: str | None, status: int, reason: bytes, fields: list[Field], received_bytes: int
) -> AnswerHead:
    """Read a whole head, answering `method`; it is among the `received_bytes`.

    Raises: GatewayError upstream_error.
    """
    is_large = received_bytes > MAX_HEAD_BYTES and _size(reason, fields) > MAX_HEAD_BYTES
    if is_large or status < 100 or reason.translate(None, _IN_REASON):
        raise GatewayError("upstream_error", "the service's answer is malformed")
    found = survey_answer(fields)
    length, is_chunked = read_framing(status, found)
    has_body = method != "HEAD" and status not in _BODILESS
    return AnswerHead(status, reason, fields, found, length, is_chunked, has_body)


def _size(reason: bytes, fields: list[Field]) -> int:
    return len(reason) + sum(len(name) + len(value) + 4 for name, value in fields)


def read_framing(status: int, found: Survey) -> tuple[int | None, bool]:
    """Return the declared length in bytes, None without one, and whether the body is chunked.

    Raises: GatewayError upstream_error when the length has two meanings, or one we do not know.
    """
    special = found.special
    codings, lengths = special.get(_CODING, _NONE), special.get(_LENGTH, _NONE)
    if len(codings) > 1 or len(lengths) > 1 or (codings and lengths):
        raise GatewayError("upstream_error", "the service's framing is ambiguous")
    if codings and codings[0].strip().lower() != b"chunked":
        raise GatewayError("upstream_error", "the service's transfer coding is unknown")
    if lengths and not lengths[0].strip().isdigit():
        raise GatewayError("upstream_error", "the service's content length is no number")
    if status < 200 or status == 204:
        return None, False  # these may not speak of a body at all (RFC 9110 8.6, RFC 9112 6.1)
    return (int(lengths[0]) if lengths else None), bool(codings)


def as_chunk(data: bytes) -> bytes:
    """Frame bytes as one chunk; never the last (RFC 9112 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
