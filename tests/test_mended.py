"""Client connections: deadlines, and what is answered to bytes that are no request."""

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from gateway import mended
from tests.support.endings import until
from tests.support.flights import places_of, server_of, switch_off
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Service, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
SECRET = b"gw1.s3cr3t"


# -- deadlines ------------------------------------------------------------------------------------

HASTY = {"server": {"timeouts": {"headers": "80ms", "keepalive": "10s"}}}


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /public/x HT", id="half a line"),
        pytest.param(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n", id="half a head"),
        pytest.param(b"\r\n", id="an empty line"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
async def test_a_head_has_a_deadline(tmp_path: Path, sent: bytes, is_first: bool) -> None:
    """From the connection, or from a next request's first byte, to a whole head (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        client = await connect(gateway.port)
        if not is_first:
            await client.send(GET)
            assert (await client.answer()).status == 200
            sent = sent or b"G"
        await client.send(sent)
        async with asyncio.timeout(2):
            assert await client.is_closed()
        await client.close()


async def test_a_head_begun_behind_a_request_has_a_deadline(tmp_path: Path) -> None:
    """Also when both came in the same bytes; its time runs while the request is under way (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET + b"GET /pub")
        peer = await service.accept()
        await peer.head()
        await asyncio.sleep(0.12)
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        async with asyncio.timeout(2):
            assert await client.is_closed()
        await client.close()


async def test_dribbling_does_not_extend_the_deadline(tmp_path: Path) -> None:
    """Each byte is not a new beginning, and others are served meanwhile (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        client = await connect(gateway.port)

        async def dribble() -> None:
            for byte in GET * 100:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.03)

        dribbling = asyncio.create_task(dribble())
        assert (await gateway.get("/public/x")).status == 200
        async with asyncio.timeout(2):
            await read_rest(client)
        dribbling.cancel()
        await asyncio.wait({dribbling})
        await client.close()


async def test_the_deadline_does_not_hold_for_the_request(tmp_path: Path) -> None:
    """A body and an answer may take longer than a head."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        head = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\n"
        await client.send(head + b"ha")
        peer = await service.accept()
        await asyncio.sleep(0.12)
        await client.send(b"lf")
        await peer.head()
        assert await peer.exactly(4) == b"half"
        await asyncio.sleep(0.12)
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        await client.close()


async def test_an_unused_connection_ends(tmp_path: Path) -> None:
    """`keepalive` after the last answer, and no sooner."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"keepalive": "100ms"}}}) as gateway:
        client = await connect(gateway.port)
        for _ in range(3):
            await client.send(GET)
            assert (await client.answer()).status == 200
            await asyncio.sleep(0.05)
        assert await client.is_closed()
        await client.close()


# -- what is no request ---------------------------------------------------------------------------


def head_of(*fields: bytes, target: bytes = b"/public/x") -> bytes:
    """A GET with these fields."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: gw", *fields]) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /x\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /x HTTP/0.9\r\n\r\n", id="HTTP/0.9, said"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECRET, id="HTTP/2 preface"),
        pytest.param(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + SECRET,
            id="TLS hello",
        ),
        pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET, id="PROXY line"),
        pytest.param(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + GET, id="PROXY v2"),
        pytest.param(SECRET + b"\r\n\r\n", id="one word"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(b"EHLO " + SECRET + b"\r\n", id="mail"),
        pytest.param(b"GET /x HTTP/1.9\r\nHost: gw\r\n\r\n", id="HTTP/1.9"),
        pytest.param(b"GET /x HTTP/2.0\r\nHost: gw\r\n\r\n", id="HTTP/2.0 in text"),
        pytest.param(b"GET /x HTTP/1.1x\r\nHost: gw\r\n\r\n", id="HTTP/1.1x"),
        pytest.param(b"GET /x HTTP/\r1.1\r\nHost: gw\r\n\r\n", id="CR in the version"),
        pytest.param(b"get /x HTTP/1.1\r\nHost: gw\r\n\r\n", id="a method in lower case"),
        pytest.param(b"GET /x y HTTP/1.1\r\nHost: gw\r\n\r\n", id="a space in the target"),
        pytest.param(b"GET /x HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(head_of(b"Authorization: Bearer " + SECRET + b"\x00"), id="NUL in a token"),
        pytest.param(head_of(b"Authorization : Bearer " + SECRET), id="a space before the colon"),
        pytest.param(head_of(b"Authorization\t: Bearer " + SECRET), id="a tab before the colon"),
        pytest.param(head_of(b" Authorization: Bearer " + SECRET), id="a space before the name"),
        pytest.param(head_of(b"A: b", b" " + SECRET), id="a folded line"),
        pytest.param(head_of(b"A: b\n" + SECRET + b": c"), id="a bare LF"),
        pytest.param(head_of(b"A: b\r" + SECRET + b": c"), id="a bare CR"),
        pytest.param(head_of(SECRET), id="a line without a colon"),
        pytest.param(head_of(b": " + SECRET), id="no name"),
        pytest.param(head_of("X-OpenİD: ".encode() + SECRET), id="a name outside ASCII"),
        pytest.param(head_of(b"Host: other"), id="two hosts"),
    ],
)
async def test_what_is_no_request_is_a_400_that_repeats_nothing(
    running: RunningGateway, sent: bytes
) -> None:
    """Our own problem, no byte of theirs, no product name; then the end (L3, L5)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(sent)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert SECRET not in answer.raw_head + answer.body
    assert (answer.value("Server"), answer.value("Connection")) == (None, "close")
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()
    assert SECRET.decode() not in running.log_text()


async def test_empty_lines_before_a_request_are_passed_over(running: RunningGateway) -> None:
    """A few are usual behind a body (RFC 9112 2.2)."""
    client = await connect(running.port)
    await client.send(b"\r\n\r\n" + GET)
    assert (await client.answer()).status == 200
    await client.close()


async def test_a_bad_request_behind_a_good_one(running: RunningGateway) -> None:
    """The good one is answered as if it were alone, then comes the 400, then the end."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await client.send(b"GE T\r\n\r\n" + GET)
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    assert running.upstream.connections == 1
    await client.close()


async def test_nothing_behind_a_bad_request_is_read(running: RunningGateway) -> None:
    """Where the framing is broken, the next bytes may be anybody's."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\nContent-Length: x\r\n\r\n")
    await client.send(GET * 10)
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


async def test_a_product_name_is_never_told(running: RunningGateway) -> None:
    """Neither on our answers nor added to a service's (L5)."""
    for path in ("/public/x", "/orders/x", "/nothing", "/hello.txt", "/login"):
        answer = await running.get(path)
        assert (answer.value("Server"), answer.value("Via")) == (None, None)


# -- heads on which the parser, or what it calls, fails --------------------------------------------

UNREADABLE = [
    b"GET http://xn--/ HTTP/1.1\r\nHost: gw\r\n\r\n",  # IDNA cannot have written it
    b"GET http://xn--a/public/x HTTP/1.1\r\nHost: gw\r\n\r\n",
    b"CONNECT xn--:80 HTTP/1.1\r\nHost: gw\r\n\r\n",
    b"GET http://[]@/ HTTP/1.1\r\nHost: gw\r\n\r\n",  # yarl fails on it in a way of its own
    b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: %b5\r\n\r\nhello" % (b"0" * 4300),
]
BIG = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 150000\r\n\r\n" + b"a" * 150_000
UPGRADE = (
    b"GET /nothing HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("before", "answers"),
    [
        pytest.param(b"", [], id="alone"),
        pytest.param(GET, [200], id="behind a request"),
        pytest.param(GET * 33, [200] * 33, id="behind more than may wait"),
        pytest.param(BIG, [200], id="behind a body that waits"),
    ],
)
@pytest.mark.parametrize("head", UNREADABLE, ids=["name", "host", "CONNECT", "brackets", "zeros"])
async def test_what_no_parser_reads_is_refused(
    running: RunningGateway, head: bytes, before: bytes, answers: list[int]
) -> None:
    """After the answers before it, in the log, and the connection is closed."""
    client = await connect(running.port)
    await client.send(before + head + GET)
    assert [(await client.answer()).status for _ in answers] == answers
    refused = await client.answer()
    assert (refused.status, problem(refused)["code"]) == (400, "bad_request")
    assert (await read_rest(client))[0] == b""
    await client.close()
    await until(lambda: not server_of(running).open_connections)
    assert [line["status"] for line in running.log_lines()] == [*answers, 400]


@pytest.mark.parametrize("head", UNREADABLE, ids=["name", "host", "CONNECT", "brackets", "zeros"])
@pytest.mark.parametrize("before", [b"", GET * 34, UPGRADE], ids=["first", "34 before", "upgrade"])
async def test_what_no_parser_reads_keeps_no_connection(
    running: RunningGateway, head: bytes, before: bytes
) -> None:
    """Its client has gone at once, with more behind it than may wait: nothing of it is left."""
    for _ in range(5):
        client = await connect(running.port)
        await client.send(before + head + GET * 40)
        client.writer.transport.abort()
    await until(lambda: not server_of(running).open_connections)


async def test_a_failure_of_aiohttp_keeps_no_connection(
    running: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever ends its task otherwise than planned: nobody else would close the connection."""
    client = await connect(running.port)
    await client.send(GET)
    assert (await client.answer()).status == 200
    [protocol] = server_of(running).connections
    protocol._request_factory = None  # what aiohttp calls outside of all its own precautions
    switch_off(running)
    await client.send(GET)
    assert (await read_rest(client))[0] == b""
    await client.close()
    assert "a connection failed: TypeError" in caplog.text


# -- clients that go while nothing is read from them -----------------------------------------------


def reset(client: RawClient) -> None:
    """Go at once, without an end that would come behind all that was sent."""
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


@pytest.mark.parametrize("behind", [b"", GET * 33], ids=["nothing behind", "more than may wait"])
async def test_a_client_that_goes_frees_its_place(running: RunningGateway, behind: bytes) -> None:
    """Also where so much waits behind its request that nothing more is read."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    assert places_of(running) == 1
    await client.send(behind)
    await asyncio.sleep(0.05)
    reset(client)
    await until(lambda: not server_of(running).open_connections and not places_of(running))
    peer.close()


@pytest.mark.parametrize("request_", [GET + GET * 40, UPGRADE], ids=["GET", "WebSocket"])
async def test_a_client_that_ends_behind_what_is_not_read_frees_its_place(
    running: RunningGateway, request_: bytes
) -> None:
    """The system tells of an end when all before it was read, which it never is here."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(request_.replace(b"/nothing", b"/public/ws"))
    peer = await service.accept()
    await peer.head()
    for size in (96 * 1024, 8 * 1024):
        await client.send(b"G" * size)
        await asyncio.sleep(0.1)
    client.writer.transport.close()
    await until(lambda: not server_of(running).open_connections and not places_of(running))
    assert running.log_lines()[0]["error"] == "client_gone"
    peer.close()


async def test_a_body_is_read_to_its_end_though_its_client_has_ended(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service takes it late; all of it is there."""
    monkeypatch.setattr(mended, "LOOK_S", 0.01)
    service, client = Service(running.upstream), await connect(running.port)
    size = 8 * 1024 * 1024
    await client.send(b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n" % size)
    peer = await service.accept()
    await peer.head()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    sending = asyncio.create_task(client.send(bytes(size)))
    await asyncio.sleep(0.2)
    client.writer.write_eof()
    await asyncio.sleep(0.2)
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined] # the same
    assert len(await peer.exactly(size)) == size
    await sending
    await client.close()
    peer.close()


async def test_a_client_that_goes_within_a_body_that_is_not_taken_frees_its_place(
    running: RunningGateway,
) -> None:
    """The service takes nothing, so nothing is read: the gateway looks."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 67108864\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    sending = asyncio.create_task(client.send(bytes(64 * 1024 * 1024)))
    await asyncio.sleep(0.5)
    assert not sending.done()
    sending.cancel()
    reset(client)
    await until(lambda: not server_of(running).open_connections and not places_of(running))
    peer.abort()


async def test_a_client_that_stays_is_only_looked_at(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, and all its requests are answered."""
    monkeypatch.setattr(mended, "LOOK_S", 0.01)
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET * 40)
    peer = await service.accept()
    await peer.head()
    await asyncio.sleep(0.2)
    await peer.send(OK)
    for _ in range(39):
        await peer.head()
        await peer.send(OK)
    assert [(await client.answer()).status for _ in range(40)] == [200] * 40
    await client.close()
    peer.close()
