"""Requests and answers on the wire: framing, streaming, re-use, early and interim answers."""

import asyncio
import contextlib
import gc

import pytest

from gateway.proxy.pool import Pool
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, connect
from tests.support.wire import Service, held_bytes, read_answer_head, read_exactly, read_rest

MIB = 1024 * 1024
GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    """A POST with a declared length."""
    lines = [b"POST /public/x HTTP/1.1", b"Host: gw", *fields, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


CHUNKED_POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"

# -- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_a_method_passes(running: RunningGateway, method: str) -> None:
    """Each method a route takes reaches the service as it is."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    running.upstream.answer = head if method == "HEAD" else head + b"ok"
    answer = await running.get("/public/x", method=method)
    assert (answer.status, answer.value("Content-Length")) == (200, "2")
    assert running.upstream.requests[-1].line == f"{method} /public/x HTTP/1.1"


@pytest.mark.parametrize("size", [0, 1, 5, 65536, MIB], ids=str)
async def test_a_body_with_a_length_keeps_its_length(running: RunningGateway, size: int) -> None:
    """What is declared is what the service reads, byte for byte."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    client = await connect(running.port)
    await client.send(post(body))
    assert (await client.answer()).status == 200
    seen = running.upstream.requests[-1]
    assert (seen.value("Content-Length"), seen.body) == (str(size), body)
    assert seen.value("Transfer-Encoding") is None
    await client.close()


async def test_a_chunked_body_stays_chunked(running: RunningGateway) -> None:
    """Pieces may be cut anew; the service reads the same bytes and no length."""
    pieces = [b"a", b"bb" * 1000, bytes(MIB), b"end"]
    client = await connect(running.port)
    await client.send(CHUNKED_POST + chunked(*pieces))
    assert (await client.answer()).status == 200
    seen = running.upstream.requests[-1]
    assert seen.body == b"".join(pieces)
    assert (seen.value("Transfer-Encoding"), seen.value("Content-Length")) == ("chunked", None)
    await client.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_a_body_on_any_method_passes_with_its_framing(
    running: RunningGateway, method: str
) -> None:
    """A body where none is usual is never dropped with its length kept (T11)."""
    running.upstream.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    client = await connect(running.port)
    head = f"{method} /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\n\r\n"
    await client.send(head.encode() + b"hello")
    assert (await client.answer(of=method)).status == 204
    assert running.upstream.requests[-1].body == b"hello"
    await client.close()


async def test_body_pieces_pass_as_they_come(running: RunningGateway) -> None:
    """Each piece reaches the service before the next is sent."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(CHUNKED_POST)
    peer = await service.accept()
    await peer.head()
    for piece in (b"one", b"three", b"2"):
        await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert await peer.exactly(len(piece) + 5) == b"%x\r\n%b\r\n" % (len(piece), piece)
    await client.send(b"0\r\n\r\n")
    assert await peer.exactly(5) == b"0\r\n\r\n"
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_request_trailers_go_no_further(running: RunningGateway) -> None:
    """Trailers are dropped, and so is their announcement (H16, H17)."""
    client = await connect(running.port)
    head = CHUNKED_POST.replace(b"Host: gw", b"Host: gw\r\nTrailer: X-OpenId, X-Note")
    await client.send(head + b"2\r\nhi\r\n0\r\nX-OpenId: evil\r\nX-Note: a\r\n\r\n")
    assert (await client.answer()).status == 200
    seen = running.upstream.requests[-1]
    assert seen.body == b"hi"
    assert seen.value("Trailer") is None
    assert b"evil" not in seen.raw_head
    await client.send(GET)
    assert (await client.answer()).status == 200
    assert b"evil" not in running.upstream.requests[-1].raw_head
    await client.close()


async def test_pipelined_requests_keep_their_sessions_apart(running: RunningGateway) -> None:
    """Two requests in one packet are two requests, each with its own identity (T12)."""
    users = [await running.codes(user=user) for user in ("alice", "bob")]
    tokens = [await running.login(user=user) for user in ("alice", "bob")]
    client = await connect(running.port)
    requests = [
        f"GET /orders/{n} HTTP/1.1\r\nHost: gw\r\nX-Session-Token: {token}\r\n\r\n"
        for n, token in enumerate(tokens)
    ]
    await client.send("".join(requests).encode())
    for _ in users:
        assert (await client.answer()).status == 200
    seen = [(each.target, each.value("X-OpenId")) for each in running.upstream.requests]
    assert seen == [(f"/orders/{n}", user["openid"]) for n, user in enumerate(users)]
    await client.close()


async def test_a_thousand_pipelined_requests_are_answered_in_order(
    running: RunningGateway,
) -> None:
    """More than aiohttp's queue holds at once; none is lost (T12)."""
    client = await connect(running.port)
    count = 1000
    lines = (f"GET /hello.txt?{n} HTTP/1.1\r\nHost: gw\r\n\r\n" for n in range(count))
    sending = asyncio.create_task(client.send("".join(lines).encode()))
    for _ in range(count):
        assert (await client.answer()).body == b"hello\n"
    await sending
    await client.close()


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param(b"Content-Length: 0\r\n\r\n", b"", id="empty"),
        pytest.param(b"Content-Length: 5\r\n\r\nhello", b"hello", id="a length"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
            b"helloyou",
            id="chunks, with an extension",
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", id="no chunk at all"),
        pytest.param(b"Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", b"x", id="Chunked"),
    ],
)
async def test_an_answer_keeps_its_framing_and_both_connections(
    running: RunningGateway, sent: bytes, received: bytes
) -> None:
    """Body, framing and both connections survive; two requests take one connection each side."""
    running.upstream.answer = b"HTTP/1.1 200 Fine\r\nX-A: 1\r\n" + sent
    client = await connect(running.port)
    for _ in range(2):
        await client.send(GET)
        answer = await client.answer()
        assert (answer.line, answer.body, answer.value("X-A")) == (
            "HTTP/1.1 200 Fine",
            received,
            "1",
        )
        assert (answer.value("Content-Length") is None) == (b"hunked" in sent)
        assert answer.value("Connection") is None
    assert running.upstream.connections == 1
    await client.close()


async def test_answer_trailers_are_dropped(running: RunningGateway) -> None:
    """They are neither trailers nor headers to the client (RFC 9110 6.5.1)."""
    running.upstream.answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n"
        b"2\r\nok\r\n0\r\nSet-Cookie: late=1\r\n\r\n"
    )
    client = await connect(running.port)
    for _ in range(2):
        await client.send(GET)
        answer = await client.answer()
        assert (answer.body, answer.value("Set-Cookie"), answer.value("Trailer")) == (
            b"ok",
            None,
            None,
        )
    await client.close()


async def test_a_large_answer_arrives_whole(running: RunningGateway) -> None:
    """Eight MiB pass back-pressure on both legs."""
    body = bytes(range(256)) * 4096 * 8
    running.upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    client = await connect(running.port)
    await client.send(GET)
    assert (await client.answer()).body == body
    await client.close()


@pytest.mark.parametrize(
    ("head", "length"),
    [
        pytest.param(b"200 OK\r\nContent-Length: 5", "5", id="a length"),
        pytest.param(b"200 OK\r\nTransfer-Encoding: chunked", None, id="chunked"),
        pytest.param(b"200 OK", None, id="neither"),
        pytest.param(b"304 Not Modified\r\nContent-Length: 5", "5", id="304"),
    ],
)
async def test_an_answer_to_head_has_no_body(
    running: RunningGateway, head: bytes, length: str | None
) -> None:
    """Its length is told, no body is waited for, and the connection goes on (T17)."""
    running.upstream.answer = b"HTTP/1.1 " + head + b"\r\n\r\n"
    client = await connect(running.port)
    for _ in range(2):
        await client.send(GET.replace(b"GET", b"HEAD"))
        answer = await client.answer(of="HEAD")
        assert answer.value("Content-Length") == length
        assert answer.value("Transfer-Encoding") is None
    await client.close()


@pytest.mark.parametrize(
    ("sent", "reused"),
    [
        pytest.param(b"204 No Content\r\n\r\n", True, id="204"),
        pytest.param(b"204 No Content\r\nContent-Length: 0\r\n\r\n", True, id="204, length 0"),
        pytest.param(b"304 Not Modified\r\nETag: a\r\n\r\n", True, id="304"),
        pytest.param(b"304 Not Modified\r\nContent-Length: 5\r\n\r\n", True, id="304, a length"),
        pytest.param(
            b"204 No Content\r\nContent-Length: 5\r\n\r\nhello", False, id="204 with body"
        ),
        pytest.param(b"304 Not Modified\r\n\r\nhello", False, id="304 with a body"),
        pytest.param(
            b"204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            False,
            id="204 with chunks",
        ),
    ],
)
async def test_an_answer_without_a_body_stays_without_one(
    running: RunningGateway, sent: bytes, reused: bool
) -> None:
    """A stray body is not passed on, and spoils the connection it came on (T17)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(b"HTTP/1.1 " + sent)
    answer = await client.answer()
    assert answer.status == int(sent[:3])
    assert answer.value("Transfer-Encoding") is None
    if answer.status == 204:
        assert answer.value("Content-Length") is None
    await client.send(GET)
    if not reused:
        assert await peer.rest() == b""
        peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_an_answer_until_close_is_chunked_to_the_client(running: RunningGateway) -> None:
    """The client's connection goes on although the service's ended."""
    service, client = Service(running.upstream), await connect(running.port)
    for _ in range(2):
        await client.send(GET)
        peer = await service.accept()
        await peer.head()
        await peer.send(b"HTTP/1.0 200 OK\r\n\r\nhel")
        head = await read_answer_head(client)
        assert head.value("Transfer-Encoding") == "chunked"
        assert await read_exactly(client, 8) == b"3\r\nhel\r\n"
        await peer.send(b"lo")
        peer.close()
        assert await read_exactly(client, 12) == b"2\r\nlo\r\n0\r\n\r\n"
    await client.close()


async def test_an_event_stream_arrives_event_by_event(running: RunningGateway) -> None:
    """Each event is with the client before the next is sent."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert (await read_answer_head(client)).value("Content-Type") == "text/event-stream"
    for number in range(5):
        event = b"data: %d\n\n" % number
        await peer.send(b"%x\r\n%b\r\n" % (len(event), event))
        assert await read_exactly(client, len(event) + 5) == b"9\r\n%b\r\n" % event
    await peer.send(b"0\r\n\r\n")
    assert await read_exactly(client, 5) == b"0\r\n\r\n"
    await client.close()


# -- HTTP/1.0 clients -----------------------------------------------------------------------------


async def test_an_old_client_is_answered_and_closed(running: RunningGateway) -> None:
    """HTTP/1.0 without keep-alive: one answer, then the end."""
    client = await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.0\r\nHost: gw\r\n\r\n")
    answer = await client.answer()
    assert (answer.body, answer.value("Connection")) == (b"ok", "close")
    assert await client.is_closed()
    assert running.upstream.requests[-1].line == "GET /public/x HTTP/1.1"
    await client.close()


async def test_an_old_client_may_keep_its_connection(running: RunningGateway) -> None:
    """HTTP/1.0 with keep-alive is told that it was understood."""
    client = await connect(running.port)
    for _ in range(2):
        await client.send(b"GET /public/x HTTP/1.0\r\nHost: gw\r\nConnection: keep-alive\r\n\r\n")
        answer = await client.answer()
        assert (answer.body, answer.value("Connection")) == (b"ok", "keep-alive")
    await client.close()


async def test_an_old_client_reads_chunks_until_the_end(running: RunningGateway) -> None:
    """HTTP/1.0 knows no chunks: the body ends with the connection."""
    running.upstream.answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    client = await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.0\r\nHost: gw\r\nConnection: keep-alive\r\n\r\n")
    head = await read_answer_head(client)
    assert (head.value("Transfer-Encoding"), head.value("Connection")) == (None, "close")
    assert await read_rest(client) == (b"abcde", False)
    await client.close()


async def test_a_short_answer_does_not_look_whole_to_an_old_client(
    running: RunningGateway,
) -> None:
    """Without framing only a reset says that something is missing."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.0\r\nHost: gw\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await read_answer_head(client)
    assert await read_exactly(client, 3) == b"abc"
    peer.close()
    assert await read_rest(client) == (b"", True)
    await client.close()


async def test_a_client_that_says_close_is_closed(running: RunningGateway) -> None:
    """Its wish is its own; the service's connection goes on."""
    for _ in range(2):
        answer = await running.get("/public/x", "Connection: close")
        assert answer.value("Connection") == "close"
    assert running.upstream.connections == 1


# -- Expect: 100-continue -------------------------------------------------------------------------


async def test_an_expectation_is_passed_on_and_answered_once(running: RunningGateway) -> None:
    """The service's 100 is the client's 100; we add none, and keep none back (T13)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(post(b"", b"Expect: 100-continue").replace(b": 0", b": 5"))
    peer = await service.accept()
    assert (await peer.head()).value("Expect") == "100-continue"
    await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (await read_answer_head(client)).line == "HTTP/1.1 100 Continue"
    await client.send(b"hello")
    assert await peer.exactly(5) == b"hello"
    await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert (await client.answer()).line == "HTTP/1.1 100 Continue"
    answer = await client.answer()
    assert (answer.status, answer.value("Connection")) == (200, None)
    await client.send(GET)
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_final_answer_instead_of_100_ends_both_connections(
    running: RunningGateway,
) -> None:
    """The body was never sent: what comes next would be taken for it (T13)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(post(b"", b"Expect: 100-continue").replace(b": 0", b": 5"))
    peer = await service.accept()
    await peer.head()
    await peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    answer = await client.answer()
    assert (answer.status, answer.value("Connection")) == (417, "close")
    assert await client.is_closed()
    assert await peer.rest() == b""
    await client.close()


async def test_a_refusal_needs_no_100(running: RunningGateway) -> None:
    """A request we refuse ourselves is never invited to send its body, and closes."""
    client = await connect(running.port)
    await client.send(
        b"POST /orders/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
    answer = await client.answer()
    assert (problem(answer)["code"], answer.value("Connection")) == ("session_missing", "close")
    assert await client.is_closed()
    await client.close()


async def test_a_body_that_does_not_wait_for_its_100(running: RunningGateway) -> None:
    """The client need not wait; nothing is lost or doubled."""
    client = await connect(running.port)
    await client.send(post(b"hello", b"Expect: 100-continue"))
    assert (await client.answer()).body == b"ok"
    assert running.upstream.requests[-1].body == b"hello"
    await client.send(GET)
    assert (await client.answer()).status == 200
    await client.close()


async def test_an_old_client_cannot_expect(running: RunningGateway) -> None:
    """HTTP/1.0 knows no interim answers; the expectation goes no further (RFC 9110 10.1.1)."""
    client = await connect(running.port)
    head = post(b"hello", b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    await client.send(head)
    assert (await client.answer()).status == 200
    assert running.upstream.requests[-1].value("Expect") is None
    await client.close()


async def test_a_service_that_never_asks_for_the_body(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The client did as it was told: the silence is the service's."""
    changes = {"server": {"timeouts": {"body_idle": "100ms"}}}
    async with run_gateway(tmp_path_factory.mktemp("gw"), changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(post(b"", b"Expect: 100-continue").replace(b": 0", b": 5"))
        peer = await service.accept()
        await peer.head()
        assert problem(await client.answer())["code"] == "upstream_timeout"
        assert await peer.rest() == b""
        await client.close()


# -- early answers, limits ------------------------------------------------------------------------


async def test_an_early_answer_while_the_body_comes(running: RunningGateway) -> None:
    """The service's refusal reaches the client, and neither connection is used again (T16)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(post(b"").replace(b": 0", b": 1000000") + b"x" * 1000)
    peer = await service.accept()
    await peer.head()
    assert await peer.exactly(1000) == b"x" * 1000
    await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    answer = await client.answer()
    assert (answer.status, answer.body, answer.value("Connection")) == (413, b"big", "close")
    assert answer.value("X-Gateway-Error") is None
    again = await connect(running.port)
    await again.send(GET)
    second = await service.accept()
    await second.head()
    await second.send(OK)
    assert (await again.answer()).body == b"ok"
    assert await client.is_closed()
    assert await peer.rest() == b""
    for each in (client, again):
        await each.close()


async def test_an_answer_and_a_body_may_overlap(running: RunningGateway) -> None:
    """A service may answer piece by piece while it still reads."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(CHUNKED_POST)
    peer = await service.accept()
    await peer.head()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await read_answer_head(client)
    for _ in range(3):
        await client.send(b"2\r\nhi\r\n")
        assert await peer.exactly(7) == b"2\r\nhi\r\n"
        await peer.send(b"2\r\nho\r\n")
        assert await read_exactly(client, 7) == b"2\r\nho\r\n"
    await client.send(b"0\r\n\r\n")
    assert await peer.exactly(5) == b"0\r\n\r\n"
    await peer.send(b"0\r\n\r\n")
    assert await read_exactly(client, 5) == b"0\r\n\r\n"
    await client.close()


async def test_an_early_answer_until_close_is_whole(running: RunningGateway) -> None:
    """The service half-closes while our body still waits to be sent: its answer has ended."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(post(b"").replace(b": 0", b": 100000000"))
    peer = await service.accept()
    await peer.head()

    async def flood() -> None:
        while True:
            await client.send(bytes(MIB))

    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.1)  # as much as will go in goes in
    assert held_bytes() > 0
    await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\nno")
    peer.writer.write_eof()
    head = await read_answer_head(client)
    assert (head.status, head.value("Connection")) == (403, "close")
    assert await read_exactly(client, 12) == b"2\r\nno\r\n0\r\n\r\n"
    flooding.cancel()
    await asyncio.wait({flooding})
    await client.close()
    peer.abort()


# -- nothing is left behind -----------------------------------------------------------------------


def places_taken(running: RunningGateway) -> int:
    """Places held in the pools of this gateway."""
    gc.collect()
    pools = [each for each in gc.get_objects() if type(each) is Pool]
    return sum(pool.in_use for pool in pools if pool.address.port == running.upstream.port)


async def settle(running: RunningGateway) -> None:
    """Wait until every request is over, by what it holds."""
    async with asyncio.timeout(5):
        while places_taken(running):  # noqa: ASYNC110 - nobody tells when a place is free
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(GET, id="GET"),
        pytest.param(post(b"hello"), id="a body"),
        pytest.param(post(b"").replace(b": 0", b": 10") + b"half", id="half a body"),
        pytest.param(CHUNKED_POST + chunked(b"a", b"b"), id="chunks"),
        pytest.param(CHUNKED_POST + b"1\r\na\r\nzz", id="bad chunks"),
        pytest.param(GET * 5, id="several"),
    ],
)
async def test_a_client_may_go_away_at_any_moment(running: RunningGateway, request_: bytes) -> None:
    """Whatever is under way then: no place is lost, no task is left, the next request is fine."""
    before = asyncio.all_tasks()
    for turns in range(30):
        client = await connect(running.port)
        client.writer.write(request_)
        for _ in range(turns):
            await asyncio.sleep(0)
        client.writer.transport.abort()
        await asyncio.sleep(0)
    await settle(running)
    assert (await running.get("/public/x")).body == b"ok"
    left = {task for task in asyncio.all_tasks() - before if "send_body" in repr(task)}
    assert not left


@pytest.mark.parametrize(
    "answer", [OK, b"HTTP/1.1 200 OK\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nX", b""]
)
async def test_a_service_may_go_away_at_any_moment(running: RunningGateway, answer: bytes) -> None:
    """Before, within and behind its answer, while the body still comes."""

    async def serve(_: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        for _ in range(running.upstream.connections % 12):
            await asyncio.sleep(0)
        writer.transport.abort()

    running.upstream.script = serve
    for _ in range(36):
        client = await connect(running.port)
        await client.send(CHUNKED_POST + b"5\r\nhello\r\n")
        await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):
            await client.send(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await client.answer()
        await client.close()
    await settle(running)
    running.upstream.script = None
    assert (await running.get("/public/x")).body == b"ok"
