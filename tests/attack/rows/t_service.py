"""T14 to T18: clients that end early, and services whose answers are out of step.

After each case a fresh request is asked for: it would get what such an answer left behind.
"""

from collections.abc import Iterator

from tests.attack.model import (
    Abort,
    Arrives,
    Case,
    Entry,
    Expect,
    HalfClose,
    Pause,
    Proven,
    Reply,
    Step,
    refused,
    request,
)
from tests.attack.rows.t_parts import CHUNKED, SMUGGLED, WHERE, post, shown

_EXCHANGE = "tests/proxy/test_exchange.py::"
_UPLOAD = "tests/proxy/test_upload.py::"
_SHORT_S = 0.02
_UNFINISHED = (
    ("half a length", post(b"Content-Length: 1000", body=b"half")),
    ("none of a length", post(b"Content-Length: 1000")),
    ("a request within a length", post(b"Content-Length: 1000", body=SMUGGLED)),
    ("half a chunk", post(CHUNKED, body=b"ff\r\nhalf")),
    ("no last chunk", post(CHUNKED, body=b"4\r\nhalf\r\n")),
    ("half a last chunk", post(CHUNKED, body=b"4\r\nhalf\r\n0\r\n")),
    ("half a trailer", post(CHUNKED, body=b"4\r\nhalf\r\n0\r\nX-A: ")),
    ("half a head", b"POST @ROUTE@/x HTTP/1.1\r\nHost: @HOST@\r\n"),
)


def _clients() -> Iterator[Entry]:
    """T14, T15: whoever ends within a request has sent none; the service's leg is closed."""
    nothing = Expect(statuses=(), ends="closed")
    either = (nothing, refused(400))
    for title, sent in _UNFINISHED:
        steps: tuple[Step, ...] = (sent, Pause(_SHORT_S), Abort())
        yield Case(row="T14", title=f"{title}, and a reset", send=steps, expect=nothing, over=WHERE)
        steps = (sent, HalfClose())
        yield Case(row="T15", title=f"{title}, and a FIN", send=steps, expect=either, over=WHERE)
        steps = (sent, Pause(_SHORT_S), HalfClose())
        yield Case(
            row="T15", title=f"{title}, and a FIN later", send=steps, expect=either, over=WHERE
        )
    yield Proven(
        row="T14",
        title="the service's leg ends and is not used again; nothing is sent twice",
        tests=(
            f"{_UPLOAD}test_a_body_broken_off_ends_the_service_s_leg",
            f"{_UPLOAD}test_a_client_that_goes_away_ends_the_request",
            f"{_EXCHANGE}test_a_client_may_go_away_at_any_moment",
        ),
    )


def _early() -> Iterator[Entry]:
    """T16: an answer comes while the body still does."""
    half = b"Content-Length: 100000"
    body = SMUGGLED * 20
    for title, line, status in (
        ("401 by us", b"POST /api/x HTTP/1.1", 401),
        ("404 by us", b"POST /nothing HTTP/1.1", 404),
        ("400 by us", b"POST /public/%5c HTTP/1.1", 400),
    ):
        for framing, part in ((half, body), (CHUNKED, b"ffff\r\n" + body)):
            send = post(framing, body=part, line=line)
            name = f"{title}, {framing.decode()}"
            yield Case(row="T16", title=name, send=send, expect=refused(status))
            later = post(framing, line=line)
            steps = (later, Pause(_SHORT_S), part)
            name = f"{name}, the body later"
            yield Case(row="T16", title=name, send=steps, expect=refused(status))
    yield Proven(
        row="T16",
        title="an answer by the service",
        tests=(
            f"{_EXCHANGE}test_an_early_answer_while_the_body_comes",
            f"{_EXCHANGE}test_an_early_answer_until_close_is_whole",
            f"{_UPLOAD}test_a_413_is_read_by_a_client_that_is_still_sending",
        ),
    )


def _answer(*lines: bytes, status: bytes = b"200 OK", body: bytes = b"") -> bytes:
    return b"".join(line + b"\r\n" for line in (b"HTTP/1.1 " + status, *lines)) + b"\r\n" + body


def _answered(
    title: str,
    reply: bytes,
    status: int,
    *,
    row: str = "T17",
    method: bytes = b"GET",
    closes: bool = False,
    holds: tuple[bytes, ...] = (),
    hides: tuple[bytes, ...] = (),
) -> Case:
    """The client gets this status, and goes on; nothing that it must not see comes."""
    return Case(
        row=row,
        title=f"{method.decode()}, {title}",
        send=request(line=method + b" @ROUTE@/x HTTP/1.1"),
        expect=Expect(
            statuses=(frozenset({status}),),
            ends="open",
            arrives=(Arrives(),),
            holds=holds,
            hides=hides,
        ),
        over=WHERE,
        replies=(Reply(reply, closes),),
    )


def _bodiless() -> Iterator[Case]:
    """T17: answers that have no body whatever they say (RFC 9112 6.3)."""
    length, late = b"Content-Length: 5", (b"smuggled",)
    more = _answer(b"Content-Length: 8", body=b"smuggled")
    for title, reply, status in (
        ("a length", _answer(length), 200),
        ("chunks", _answer(b"Transfer-Encoding: chunked"), 200),
        ("neither", _answer(), 200),
        ("a body all the same", _answer(b"Content-Length: 8", body=b"smuggled"), 200),
        ("another answer behind", _answer(length) + more, 200),
    ):
        yield _answered(title, reply, status, method=b"HEAD", hides=late)
    for status in (204, 304):
        text = b"%d Nothing" % status
        for title, reply in (
            ("a length", _answer(length, status=text)),
            ("a length and a body", _answer(length, status=text, body=b"smuggled"[:5])),
            ("a body", _answer(status=text, body=b"smuggled")),
            ("another answer behind", _answer(status=text) + more),
            ("no more", _answer(status=text)),
        ):
            hides = (b"smugg",)
            yield _answered(f"{status} with {title}", reply, status, hides=hides)
    ok = _answer(b"Content-Length: 2", body=b"ok")
    for title, interims in (
        ("100", (b"100 Continue",)),
        ("102", (b"102 Processing",)),
        ("103 twice", (b"103 Early Hints", b"103 Early Hints")),
        ("100, 102, 103", (b"100 Continue", b"102 Processing", b"103 Early Hints")),
        ("150", (b"150 Unknown",)),
    ):
        reply = b"".join(_answer(status=each) for each in interims) + ok
        yield _answered(f"{title} before the answer", reply, 200, holds=(b"ok",))


_SWITCH = _answer(b"Connection: Upgrade", b"Upgrade: websocket", status=b"101 Switching Protocols")
_OK = _answer(b"Content-Length: 2", body=b"ok")
_BROKEN = (
    ("101 that nobody asked for", "T17", _SWITCH + b"smuggled"),
    ("101 without fields", "T17", _answer(status=b"101 Switching Protocols")),
    (
        "an interim answer with a length",
        "T17",
        _answer(b"Content-Length: x", status=b"103 x") + _OK,
    ),
    ("CL and TE", "T18", _answer(b"Content-Length: 3", CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n")),
    ("TE and CL", "T18", _answer(CHUNKED, b"Content-Length: 3", body=b"3\r\nabc\r\n0\r\n\r\n")),
    ("two lengths", "T18", _answer(b"Content-Length: 2", b"Content-Length: 3", body=b"abc")),
    ("two like lengths", "T18", _answer(b"Content-Length: 3", b"Content-Length: 3", body=b"abc")),
    ("a list of lengths", "T18", _answer(b"Content-Length: 3, 3", body=b"abc")),
    ("a signed length", "T18", _answer(b"Content-Length: +3", body=b"abc")),
    ("a negative length", "T18", _answer(b"Content-Length: -3", body=b"abc")),
    ("a length in hex", "T18", _answer(b"Content-Length: 0x3", body=b"abc")),
    ("a length of 26 digits", "T18", _answer(b"Content-Length: " + b"9" * 26, body=b"abc")),
    ("two codings", "T18", _answer(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    ("another coding", "T18", _answer(b"Transfer-Encoding: gzip", body=b"abc")),
    ("a coding before", "T18", _answer(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    ("a comma before", "T18", _answer(b"Transfer-Encoding: ,chunked", body=b"0\r\n\r\n")),
    ("HTTP/0.9", "T18", b"<html>evil</html>"),
    ("HTTP/0.9, one line", "T18", b"evil\r\n\r\n"),
    ("HTTP/2.0", "T18", _OK.replace(b"HTTP/1.1", b"HTTP/2.0")),
    ("HTTP/1.9", "T18", _OK.replace(b"HTTP/1.1", b"HTTP/1.9")),
    ("a request", "T18", SMUGGLED),
    ("status 999999", "T18", _answer(b"Content-Length: 0", status=b"999999 x")),
    ("status 20", "T18", _answer(b"Content-Length: 0", status=b"20 x")),
    ("status 099", "T18", _answer(b"Content-Length: 0", status=b"099 x")),
    ("status 2xx", "T18", _answer(b"Content-Length: 0", status=b"2xx x")),
    ("status -200", "T18", _answer(b"Content-Length: 0", status=b"-200 x")),
    ("NUL in a value", "T18", _answer(b"A: b\x00c", b"Content-Length: 0")),
    ("NUL in a name", "T18", _answer(b"A\x00: b", b"Content-Length: 0")),
    ("a space before the colon", "T18", _answer(b"Content-Length : 3", body=b"abc")),
    ("a folded line", "T18", _answer(b"A: b", b" evil", b"Content-Length: 0")),
    ("a line without a colon", "T18", _answer(b"evil", b"Content-Length: 0")),
    ("CR in a value", "T18", _answer(b"A: b\rX-Evil: c", b"Content-Length: 0")),
    ("LF in a value", "T18", _answer(b"A: b\nX-Evil: c", b"Content-Length: 0")),
    ("bare LF everywhere", "T18", _OK.replace(b"\r\n", b"\n")),
    ("an end before the head's", "T18", b"HTTP/1.1 200 OK\r\nContent-"),
)
_BEHIND = (
    ("garbage", b"smuggled"),
    ("a whole answer", _answer(b"Content-Length: 8", body=b"smuggled")),
    ("an empty line", b"\r\n"),
    ("a request", SMUGGLED),
    ("an interim answer", _answer(status=b"103 smuggled")),
)


def _services() -> Iterator[Entry]:
    """T17, T18: an answer that two readers might cut differently is none."""
    for title, row, reply in _BROKEN:
        for method in (b"GET", b"POST"):
            framing = b"Content-Length: 3" if method == b"POST" else b""
            line = method + b" @ROUTE@/x HTTP/1.1"
            body = b"abc" if method == b"POST" else b""
            broken = Expect(
                statuses=(frozenset({502}),),
                ends="open",
                arrives=(Arrives(),),
                codes=frozenset({"upstream_error"}),
                hides=(b"evil", b"smuggled", b"X-Evil"),
            )
            yield Case(
                row=row,
                title=f"{method.decode()}, {title}",
                send=request(framing, line=line, body=body),
                expect=broken,
                replies=(Reply(reply, closes=True),),
            )
    for title, behind in _BEHIND:
        for kind, whole in (
            ("a length", _OK),
            ("chunks", _answer(CHUNKED, body=b"2\r\nok\r\n0\r\n\r\n")),
            ("no body", _answer(b"Content-Length: 0")),
        ):
            name = f"{title} behind {kind}"
            hides = (b"smuggled",)
            yield _answered(name, whole + behind, 200, row="T18", hides=hides)
    for title, body in (
        ("a bad chunk size", b"2\r\nok\r\nzz\r\n"),
        ("a chunk too long", b"2\r\nokay\r\n0\r\n\r\n"),
        ("LF behind a chunk", b"2\r\nok\n0\r\n\r\n"),
        ("no last chunk", b"2\r\nok\r\n"),
    ):
        yield _cut_off(title, _answer(CHUNKED, body=body))
    yield _cut_off("a body that is too short", _answer(b"Content-Length: 10", body=b"ok"))
    yield Proven(
        row="T18",
        title="whatever came behind an answer later, or nobody asked for",
        tests=(
            "tests/proxy/test_connection.py::test_bytes_behind_an_answer_spoil_the_connection_only",
            "tests/proxy/test_pool.py::test_bytes_nobody_asked_for_close_an_idle_connection",
        ),
    )


def _cut_off(title: str, reply: bytes) -> Case:
    """Half an answer never looks whole: 502 before the first byte, or a cut connection."""
    refusal = Expect(
        statuses=(frozenset({502}),), arrives=(Arrives(),), codes=frozenset({"upstream_error"})
    )
    cut = Expect(statuses=(frozenset({200}),), ends="closed", arrives=(Arrives(),))
    nothing = Expect(statuses=(), ends="closed", arrives=(Arrives(),))
    return Case(
        row="T18",
        title=f"cut off: {shown(title.encode())}",
        send=request(),
        expect=(refusal, cut, nothing),
        replies=(Reply(reply, closes=True),),
    )


def entries() -> Iterator[Entry]:
    """List T14 to T18."""
    yield from _clients()
    yield from _early()
    yield from _bodiless()
    yield from _services()
