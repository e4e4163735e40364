"""What the cases of families T and W are put together from."""

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Expect,
    Pause,
    RouteKind,
    forwarded,
    refused,
    request,
)

SMUGGLED = b"GET /public/smuggled HTTP/1.1\r\nHost: gw.test\r\n\r\n"
"""A request that no case really sends, where it says nothing else: it must never arrive.

No mark stands in it: lengths count it.
"""
GPOST = b"G" + SMUGGLED.replace(b"GET", b"POST")
WHERE: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"), ("required", "valid"))
MALFORMED = refused(400, codes=["bad_request"])
LINE = b"POST @ROUTE@/x HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
SHOWN_BYTES = 60


def post(*lines: bytes, body: bytes = b"", line: bytes = LINE) -> bytes:
    """Write a POST with these framing lines and these bytes behind it."""
    return request(*lines, line=line, body=body)


def shown(data: bytes) -> str:
    """Bytes as a title shows them."""
    text = ascii(data)[2:-1]
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}… {len(data)} bytes"


def is_malformed(row: str, title: str, send: bytes) -> Case:
    """Refused with 400, and the connection ends."""
    return Case(row=row, title=title, send=send, expect=MALFORMED, over=WHERE)


def passes(row: str, title: str, send: bytes, body: bytes, *more: Arrives) -> Case:
    """Forwarded with this body; or refused, where a reader may choose."""
    return Case(row=row, title=title, send=send, expect=forwarded(Arrives(body=body), *more))


def passes_or_not(row: str, title: str, send: bytes, body: bytes) -> Case:
    """Forwarded with this body, or refused: both are safe, and a reader may choose."""
    once = Expect(statuses=(frozenset({200}),), arrives=(Arrives(body=body),))
    return Case(row=row, title=title, send=send, expect=(once, MALFORMED))


def in_two(case: Case, *, pause_s: float = 0.01) -> Case:
    """Send the head first, and what is behind it a little later."""
    head, end, rest = case.data.partition(b"\r\n\r\n")
    return Case(
        row=case.row,
        title=f"{case.title}, later",
        send=(head + end, Pause(pause_s), rest),
        expect=case.expect,
        may_arrive=case.may_arrive,
    )
