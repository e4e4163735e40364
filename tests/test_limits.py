"""The bounds of a head, and what is answered beyond them and to what is no request (D3, L3)."""

import asyncio

import pytest
from aiohttp.http_exceptions import BadHttpMessage, BadStatusLine, InvalidHeader, LineTooLong

from gateway.limits import MAX_FIELDS, HeadTooLargeError, ProtocolLimits, refusal_of
from tests.support.gateway import RunningGateway, problem
from tests.support.raw import OK, connect
from tests.support.wire import Service

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
SECRET = "gw1.s3cr3t"
REQUEST_LINE = "the request line is not method, target and HTTP/1.1 with single spaces"
LIMITS = ProtocolLimits(headers_bytes=1000, target_bytes=100)
EQUAL = ProtocolLimits(headers_bytes=500, target_bytes=500)


# -- what a parser's refusal becomes ---------------------------------------------------------------


def too_long(bound: int) -> LineTooLong:
    """What aiohttp's parser raises at this bound: a line's beginning, the bound, the size."""
    return LineTooLong(SECRET.encode(), bound)


@pytest.mark.parametrize(
    ("refused", "message", "limits", "code", "why"),
    [
        (too_long(LIMITS.line_bytes), None, LIMITS, "target_too_long", "the request line's bound"),
        (too_long(LIMITS.field_bytes), None, LIMITS, "headers_too_large", "a field's bound"),
        (too_long(EQUAL.line_bytes), None, EQUAL, "target_too_long", "told apart"),
        (too_long(EQUAL.field_bytes), None, EQUAL, "headers_too_large", "where both are the same"),
        (HeadTooLargeError(), "", LIMITS, "headers_too_large", "our own bound on the whole"),
        (
            BadHttpMessage("Too many headers received"),
            "Too many headers received",
            LIMITS,
            "headers_too_large",
            "their number",
        ),
        (BadStatusLine(SECRET), SECRET, LIMITS, "bad_request", "L3: a line that is none"),
        (InvalidHeader(SECRET), SECRET, LIMITS, "bad_request", "L3: a header that is none"),
        (BadHttpMessage(SECRET), SECRET, LIMITS, "bad_request", "L3: anything else"),
        (None, None, LIMITS, "bad_request", "nobody says why"),
        (ValueError(SECRET), None, LIMITS, "bad_request", "a failure nobody expected"),
    ],
)
def test_what_a_refusal_becomes(
    refused: BaseException | None,
    message: str | None,
    limits: ProtocolLimits,
    code: str,
    why: str,
) -> None:
    """Its kind tells the code; of what was refused no byte is repeated."""
    error = refusal_of(refused, message, limits)
    assert error.code == code, why
    assert SECRET not in f"{error} {error.detail}"


@pytest.mark.parametrize(
    ("head", "detail"),
    [
        (b"GET  / HTTP/1.1\r\nHost: gw\r\n", REQUEST_LINE),
        (b"GET / HTTP/2.0\r\nHost: gw\r\n", REQUEST_LINE),
        (b"GOT / HTTP/1.1\r\nHost: gw\r\n", "the method is malformed, or none that is known"),
        (b"GET http:/// HTTP/1.1\r\nHost: gw\r\n", "the request target is malformed"),
        (b"GET http://xn--/ HTTP/1.1\r\nHost: gw\r\n", "the target's host is no name"),
        (b"GET /\x01 HTTP/1.1\r\nHost: gw\r\n", "the request target is malformed"),
        (b"GET / HTTP/1.1\r\nA: b\r\n", "the Host header is missing, or stands twice"),
        (b"GET / HTTP/1.1\r\nHost: gw\r\nX Y: z\r\n", "a header field is malformed"),
        (b"GET / HTTP/1.1\r\nHost: gw\r\nX: a\x00\r\n", "a header field is malformed"),
        (
            b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: +1\r\n",
            "Content-Length is malformed, or stands twice",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length is malformed, or stands twice",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length and Transfer-Encoding exclude each other",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: x\r\n",
            "Transfer-Encoding is malformed, or stands twice",
        ),
    ],
)
async def test_the_client_reads_what_is_malformed(
    running: RunningGateway, head: bytes, detail: str
) -> None:
    """Of our own words, chosen by what the parser says (L3)."""
    client = await connect(running.port)
    await client.send(head + b"\r\n")
    refused = problem(await client.answer())
    assert (refused["code"], refused["detail"]) == ("bad_request", detail)
    await client.close()


@pytest.mark.parametrize("target_bytes", [1, 99, 100, 101, 8192])
@pytest.mark.parametrize("headers_bytes", [1, 99, 100, 101, 8192])
def test_the_parsers_bounds_are_told_apart(target_bytes: int, headers_bytes: int) -> None:
    """By their number alone; neither is below what is promised."""
    limits = ProtocolLimits(headers_bytes=headers_bytes, target_bytes=target_bytes)
    assert limits.line_bytes != limits.field_bytes
    assert limits.line_bytes > target_bytes
    assert limits.field_bytes > headers_bytes


# -- over the whole gateway ------------------------------------------------------------------------


def head_of(*fields: bytes, target: bytes = b"/public/x") -> bytes:
    """A GET with these fields."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: gw", *fields]) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(head_of(b"X-A: " + b"a" * 32000), 200, None, id="just below in one field"),
        pytest.param(head_of(b"X-A: " + b"a" * 33000), 431, "headers_too_large", id="one field"),
        pytest.param(
            head_of(*[b"X-A: " + b"a" * 10000] * 4), 431, "headers_too_large", id="several"
        ),
        pytest.param(
            head_of(*[b"X-A: " + b"a" * 10000] * 100), 431, "headers_too_large", id="a MB"
        ),
        pytest.param(head_of(b"X" * 40000 + b": a"), 431, "headers_too_large", id="a name"),
        pytest.param(head_of(*[b"X-A: a"] * (MAX_FIELDS - 1)), 200, None, id="as many as allowed"),
        pytest.param(
            head_of(*[b"X-A: a"] * MAX_FIELDS), 431, "headers_too_large", id="one too many"
        ),
        pytest.param(
            head_of(*[b"X-A: a"] * 20000), 431, "headers_too_large", id="thousands of fields"
        ),
        pytest.param(head_of(target=b"/public/" + b"a" * 8184), 200, None, id="the longest target"),
        pytest.param(
            head_of(target=b"/public/" + b"a" * 8185), 414, "target_too_long", id="a byte more"
        ),
        pytest.param(
            head_of(target=b"/public/?" + b"a" * 9000), 414, "target_too_long", id="a query"
        ),
        pytest.param(
            head_of(target=b"/" + b"a" * 500000), 414, "target_too_long", id="half a MB of target"
        ),
        pytest.param(
            head_of(target=b"http://gw/public/" + b"a" * 9000),
            414,
            "target_too_long",
            id="absolute form",
        ),
    ],
)
async def test_heads_are_bounded(
    running: RunningGateway, sent: bytes, status: int, code: str | None
) -> None:
    """Above a limit the client reads why, however much it still sends (D3)."""
    client = await connect(running.port)
    sending = asyncio.create_task(client.send(sent))
    answer = await client.answer()
    assert (answer.status, answer.value("X-Gateway-Error")) == (status, code)
    await asyncio.wait({sending})
    sending.exception()
    if code is not None:
        assert answer.value("Connection") == "close"
        assert running.upstream.requests == []
    await client.close()


@pytest.mark.parametrize("piece", [1000, 20000])
async def test_a_head_without_end_is_bounded(running: RunningGateway, piece: int) -> None:
    """It is refused before its end has come, in whatever pieces (D3)."""
    client = await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n")
    for _ in range(60000 // piece):
        await client.send(b"X-A: " + b"a" * (piece - 7) + b"\r\n")
        await asyncio.sleep(0)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (431, "headers_too_large")
    assert await client.is_closed()
    await client.close()


async def test_a_second_head_without_end_is_bounded(running: RunningGateway) -> None:
    """While the first request is still being answered, too; its answer goes out first."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n")
    for _ in range(60):
        await client.send(b"X-A: " + b"a" * 993 + b"\r\n")
        await asyncio.sleep(0)
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    assert problem(await client.answer())["code"] == "headers_too_large"
    assert await client.is_closed()
    await client.close()
