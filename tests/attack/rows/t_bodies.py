"""T11 to T13, T19: bodies where few expect them, pipelines, expectations, encodings."""

import gzip
from collections.abc import Iterator

from tests.attack.model import Arrives, Case, Entry, Expect, Proven, forwarded, refused, request
from tests.attack.rows.t_parts import (
    CHUNKED,
    MALFORMED,
    SMUGGLED,
    WHERE,
    passes,
    post,
    shown,
)

_METHODS = (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"POST")
_LENGTH = b"Content-Length: %d" % len(SMUGGLED)
_EXCHANGE = "tests/proxy/test_exchange.py::"
_IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


def _bodies() -> Iterator[Case]:
    """T11, CL.0 and TE.0: a request within a body stays there, whatever the method."""
    for method in _METHODS:
        line = method + b" @ROUTE@/x HTTP/1.1"
        arrives = Arrives(line=method + b" @UP@/x HTTP/1.1", body=SMUGGLED)
        for title, framing, body in (
            ("a length", _LENGTH, SMUGGLED),
            ("chunks", CHUNKED, _IN_CHUNKS),
        ):
            yield Case(
                row="T11",
                title=f"{method.decode()} with {title}",
                send=post(framing, body=body, line=line),
                expect=forwarded(arrives),
                over=WHERE,
            )
        empty = Arrives(line=method + b" @UP@/x HTTP/1.1", body=b"")
        send = post(b"Content-Length: 0", line=line)
        title = f"{method.decode()} with a length of 0"
        yield Case(row="T11", title=title, send=send, expect=forwarded(empty), over=WHERE)
    for line, statuses in (
        (b"GET /session", {400, 401}),
        (b"POST /logout", {401, 400, 204}),
        (b"POST /session/renew", {400, 401}),
        (b"POST /session", {405}),
        (b"GET /nothing/here", {404}),
        (b"POST /nothing/here", {404}),
        (b"POST /login", {400}),
        (b"OPTIONS /login", {405}),
        (b"POST /public/%2e%2e/x", {400}),
    ):
        for title, framing, body in (
            ("a length", _LENGTH, SMUGGLED),
            ("chunks", CHUNKED, _IN_CHUNKS),
        ):
            yield Case(
                row="T11",
                title=f"{line.decode()}, answered by us, with {title} (CL.0)",
                send=post(framing, body=body, line=line + b" HTTP/1.1"),
                expect=refused(*statuses, ends="either"),
            )


def _ask(target: bytes, token: bytes = b"") -> bytes:
    line = b"Authorization: Bearer " + token if token else b""
    return request(line, line=b"GET " + target + b" HTTP/1.1", session=False)


def _pipelines() -> Iterator[Entry]:
    """T12: each request its own session, in order; nothing behind a refusal that ends it."""
    first, second = _ask(b"/api/1", b"@A@"), _ask(b"/api/2", b"@B@")
    lines = (b"GET /api/", b"GET /public/")
    a = Arrives(line=b"GET /1 HTTP/1.1", person="A")
    b = Arrives(line=b"GET /2 HTTP/1.1", person="B")
    nobody = Arrives(line=b"GET /public/3 HTTP/1.1", person=None)
    ok = frozenset({200})
    for title, send, statuses, arrives in (
        ("two sessions", first + second, (ok, ok), (a, b)),
        ("two sessions, the other way", second + first, (ok, ok), (b, a)),
        (
            "a session, none, another",
            first + _ask(b"/public/3") + second,
            (ok, ok, ok),
            (a, nobody, b),
        ),
        ("none behind one", first + _ask(b"/api/2"), (ok, frozenset({401})), (a,)),
        (
            "a forged one behind one",
            first + _ask(b"/api/2", b"@BAD@"),
            (ok, frozenset({401})),
            (a,),
        ),
        ("behind a 401", _ask(b"/api/1") + second, (frozenset({401}), ok), (b,)),
        ("behind a 404", _ask(b"/nothing") + second, (frozenset({404}), ok), (b,)),
        (
            "a body of the first is no second",
            post(_LENGTH, body=SMUGGLED, line=b"POST /public/1 HTTP/1.1") + second,
            (ok, ok),
            (Arrives(line=b"POST /public/1 HTTP/1.1", body=SMUGGLED, person=None), b),
        ),
    ):
        yield Case(
            row="T12",
            title=title,
            send=send,
            expect=Expect(statuses=statuses, ends="open", arrives=arrives),
            may_arrive=(*lines, b"POST /public/1"),
        )
    yield Case(
        row="T12",
        title="300 at once",
        send=_ask(b"/public/3") * 300,
        expect=forwarded(*(nobody,) * 300),
        may_arrive=lines,
    )
    yield from _behind_what_ends()
    yield Proven(
        row="T12",
        title="a thousand pipelined requests",
        tests=(f"{_EXCHANGE}test_a_thousand_pipelined_requests_are_answered_in_order",),
    )


def _behind_what_ends() -> Iterator[Case]:
    """Behind an answer that ends the connection nothing is read."""
    half = post(b"Content-Length: 1000", body=SMUGGLED, line=b"POST /api/x HTTP/1.1")
    huge = post(b"Content-Length: 99999999999", body=SMUGGLED, line=b"POST /public/x HTTP/1.1")
    for title, send, statuses in (
        ("within a body that a 401 left unread", half, (401,)),
        ("within a body that a 413 left unread", huge, (413,)),
        ("behind a 400", request(line=b"GET /public/../x HTTP/1.1") + SMUGGLED, (400,)),
        ("behind Connection: close", request(b"Connection: close") + SMUGGLED, (200,)),
    ):
        is_200 = statuses == (200,)
        yield Case(
            row="T12",
            title=title,
            send=send.replace(b"@SESSION@", b""),
            expect=forwarded(ends="closed") if is_200 else refused(*statuses),
        )
    good = request(line=b"GET /public/good HTTP/1.1")
    yield Case(
        row="T12",
        title="a malformed request behind a good one",
        send=good + b"GET  /public/smuggled HTTP/1.1\r\nHost: @HOST@\r\n\r\n",
        expect=Expect(
            statuses=(frozenset({200}), frozenset({400})), ends="closed", arrives=(Arrives(),)
        ),
    )


_EXPECTATIONS = (
    b"200-ok|100-continue, 100-continue|100-continue, 200-ok|y 100-continue|100-continue y|100|"
    b'100-continu|100-continuee|continue|100 continue|"100-continue"|100-continue;q=1|,100-continue'
).split(b"|")


def _expectations() -> Iterator[Entry]:
    """T13: an expectation is passed on or answered, once; an unknown one is refused."""
    length = b"Content-Length: %d" % len(SMUGGLED)
    for value in _EXPECTATIONS:
        # The page says 417, RFC 9110 10.1.1 that a server may; ours is 400: design 6 has no 417.
        yield Case(
            row="T13",
            title=f"Expect: {shown(value)}",
            send=post(b"Expect: " + value, length, body=SMUGGLED),
            expect=refused(400, codes=["bad_request"]),
            over=WHERE,
        )
    for title, lines in (
        ("two lines", (b"Expect: 100-continue", b"Expect: 100-continue")),
        ("misspelt", (b"Expect : 100-continue",)),
        ("with _", (b"Ex_pect: 100-continue", b"Content-Length : 3")),
    ):
        send = post(*lines, length, body=SMUGGLED)
        yield Case(row="T13", title=f"Expect, {title}", send=send, expect=MALFORMED, over=WHERE)
    unasked = post(b"Expect: 100-continue", length, body=SMUGGLED)
    yield passes("T13", "the body does not wait for its 100", unasked, SMUGGLED)
    chunked = post(b"Expect: 100-continue", CHUNKED, body=_IN_CHUNKS)
    yield passes("T13", "chunks do not wait for their 100", chunked, SMUGGLED)
    old = post(b"Expect: 100-continue", length, body=SMUGGLED, line=b"POST /public/x HTTP/1.0")
    yield Case(
        row="T13",
        title="HTTP/1.0 cannot expect",
        send=old,
        expect=forwarded(Arrives(body=SMUGGLED, lacks=(b"expect",)), ends="closed"),
    )
    for line, status, code in (
        (b"POST /api/x HTTP/1.1", 401, "session_missing"),
        (b"GET /api/x HTTP/1.1", 401, "session_missing"),
        (b"POST /nothing HTTP/1.1", 404, "route_not_found"),
    ):
        send = post(b"Expect: 100-continue", length, body=SMUGGLED, line=line)
        yield Case(
            row="T13",
            title=f"an early refusal, the body comes all the same: {line.decode()} (0.CL)",
            send=send.replace(b"@SESSION@", b""),
            expect=Expect(
                statuses=(frozenset({status}),),
                codes=frozenset({code}),
                hides=(b"100 Continue",),
            ),
        )
    yield Proven(
        row="T13",
        title="a 100 is passed on once; a final answer instead of it ends both connections",
        tests=(
            f"{_EXCHANGE}test_an_expectation_is_passed_on_and_answered_once",
            f"{_EXCHANGE}test_a_final_answer_instead_of_100_ends_both_connections",
            f"{_EXCHANGE}test_a_refusal_needs_no_100",
        ),
    )


def _encodings() -> Iterator[Case]:
    """T19: whatever a body is zipped with, its bytes go on as they came."""
    bomb = gzip.compress(bytes(10 * 1024 * 1024), mtime=0)
    small = gzip.compress(b"abc", mtime=0)
    for title, coding, body in (
        ("gzip", b"gzip", small),
        ("a bomb of 10 MB", b"gzip", bomb),
        ("many members", b"gzip", small * 500),
        ("not gzip at all", b"gzip", b"evil"),
        ("cut off", b"gzip", small[:-4]),
        ("deflate", b"deflate", b"\x78\x9c\x00"),
        ("brotli", b"br", b"\x00\x01\x02"),
        ("zstd", b"zstd", b"\x28\xb5\x2f\xfd"),
        ("twice", b"gzip, gzip", gzip.compress(small, mtime=0)),
        ("of an unknown kind", b"x-evil", b"abc"),
        ("by another name", b"X-GZIP", small),
    ):
        line = b"Content-Encoding: " + coding
        arrives = Arrives(body=body, has=(line,))
        send = post(line, b"Content-Length: %d" % len(body), body=body)
        yield Case(row="T19", title=f"{title}, a length", send=send, expect=forwarded(arrives))
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        send = post(line, CHUNKED, body=chunks)
        yield Case(row="T19", title=f"{title}, chunks", send=send, expect=forwarded(arrives))


def entries() -> Iterator[Entry]:
    """List T11 to T13 and T19."""
    yield from _bodies()
    yield from _pipelines()
    yield from _expectations()
    yield from _encodings()
