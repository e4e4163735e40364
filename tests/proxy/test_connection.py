"""What a service may send, and what becomes of it: malformed, cut off, out of step, too much."""

import asyncio

import pytest

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import MAX_HEAD_BYTES
from tests.support.gateway import RunningGateway, problem
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Peer, Service, read_answer_head, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


async def assert_goes_on(service: Service, client: RawClient) -> None:
    """The next request, on the same client connection, takes a new one to the service."""
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def begin(running: RunningGateway) -> tuple[Service, RawClient, Peer]:
    """Send a GET up to the point where the service has read it."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    return service, client, peer


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"hello\n", id="HTTP/0.9: a body without a head"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00", id="bytes of another protocol"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol in text"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", id="a request"),
        pytest.param(b"HTTP/1.1 999999 Big\r\n\r\n", id="a status of six digits"),
        pytest.param(b"HTTP/1.1 99 Small\r\n\r\n", id="a status of two digits"),
        pytest.param(b"HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n", id="a status below 100"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="a status that is no number"),
        pytest.param(b"HTTP/3.7 200 OK\r\n\r\n", id="a version nobody speaks"),
        pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="a version of frames"),
        pytest.param(b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n", id="a version without"),
        pytest.param(b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n", id="NUL in a reason"),
        pytest.param(OK_HEAD + b"X-A: a\x00b\r\n\r\n", id="NUL in a value"),
        pytest.param(OK_HEAD + b"X\x00A: ab\r\n\r\n", id="NUL in a name"),
        pytest.param(OK_HEAD + b"X A: ab\r\n\r\n", id="a space in a name"),
        pytest.param(OK_HEAD + b"X-A : ab\r\n\r\n", id="a space behind a name"),
        pytest.param(OK_HEAD + b": ab\r\n\r\n", id="no name"),
        pytest.param(OK_HEAD + b"X-A: a\r\n b\r\n\r\n", id="a folded line"),
        pytest.param(OK_HEAD + b"X-A: a\rX-B: b\r\n\r\n", id="a bare CR"),
        pytest.param(OK_HEAD + b"X-A: a\nX-B: b\r\n\r\n", id="a bare LF"),
        pytest.param(
            OK_HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            id="a length and chunks",
        ),
        pytest.param(
            OK_HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
            id="chunks and a length",
        ),
        pytest.param(
            OK_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", id="two lengths"
        ),
        pytest.param(
            OK_HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", id="one length twice"
        ),
        pytest.param(OK_HEAD + b"Content-Length: 2, 2\r\n\r\nok", id="a list of lengths"),
        pytest.param(OK_HEAD + b"Content-Length: +2\r\n\r\nok", id="a signed length"),
        pytest.param(OK_HEAD + b"Content-Length: -2\r\n\r\nok", id="a negative length"),
        pytest.param(OK_HEAD + b"Content-Length: 0x2\r\n\r\nok", id="a length in hex"),
        pytest.param(OK_HEAD + b"Content-Length:\r\n\r\nok", id="an empty length"),
        pytest.param(
            OK_HEAD + b"Content-Length: %d\r\n\r\nok" % 10**25, id="a length of 26 digits"
        ),
        pytest.param(OK_HEAD + b"Transfer-Encoding: gzip\r\n\r\nok", id="an unknown coding"),
        pytest.param(
            OK_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="two codings"
        ),
        pytest.param(
            OK_HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="a coding twice",
        ),
        pytest.param(OK_HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="xchunked"),
        pytest.param(OK_HEAD + b"X-A: " + b"a" * 70000 + b"\r\n\r\n", id="one field over 64 KiB"),
        pytest.param(OK_HEAD + b"X-A: aaaaaaaaaa\r\n" * 7000 + b"\r\n", id="many fields"),
        pytest.param(b"HTTP/1.1 200 " + b"a" * 70000 + b"\r\n\r\n", id="a reason over 64 KiB"),
    ],
)
async def test_a_malformed_head_is_a_502(running: RunningGateway, sent: bytes) -> None:
    """The client learns nothing of the bytes, the connection goes, the next request is fine."""
    service, client, peer = await begin(running)
    await peer.send(sent)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (502, "upstream_error")
    assert await peer.rest() == b""
    await assert_goes_on(service, client)


async def test_a_head_without_end_is_a_502(running: RunningGateway) -> None:
    """One field that never ends is given up, however it is cut; it is not kept in memory."""
    service, client, peer = await begin(running)
    await peer.send(OK_HEAD + b"X-A: ")
    for _ in range(MAX_HEAD_BYTES // 4096 + 2):
        peer.writer.write(b"a" * 4096)
        await asyncio.sleep(0)
    assert problem(await client.answer())["code"] == "upstream_error"
    await peer.rest()
    await assert_goes_on(service, client)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200", id="half a status line"),
        pytest.param(OK_HEAD + b"X-A: a\r\n", id="half a head"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="an interim answer only"),
    ],
)
@pytest.mark.parametrize("end", ["close", "abort"])
async def test_a_head_cut_off_is_a_502(running: RunningGateway, sent: bytes, end: str) -> None:
    """An end before a whole head is no answer; a POST is never sent again."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\nhi")
    peer = await service.accept()
    await peer.head()
    await peer.exactly(2)
    await peer.send(sent)
    peer.close() if end == "close" else peer.abort()
    if sent.startswith(b"HTTP/1.1 100"):
        assert (await client.answer()).status == 100  # it is passed on, and is no answer
    assert problem(await client.answer())["code"] == "upstream_error"
    assert service.is_quiet
    await assert_goes_on(service, client)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"Content-Length: 10\r\n\r\nhalf", id="a length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="no last chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", id="no last line"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n8\r\nhalf", id="half a chunk"),
    ],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_cut_off_never_looks_whole(
    running: RunningGateway, sent: bytes, version: bytes
) -> None:
    """The client's connection is reset, in whatever framing it reads."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET.replace(b"1.1", version))
    peer = await service.accept()
    await peer.head()
    await peer.send(OK_HEAD + sent)
    await read_answer_head(client)
    peer.close()
    received, is_reset = await read_rest(client)
    assert is_reset
    assert not received.endswith(b"0\r\n\r\n")
    await client.close()
    await assert_goes_on(service, await connect(running.port))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"zz\r\n", id="a size that is no number"),
        pytest.param(b"0x1\r\na\r\n", id="a size in another hex"),
        pytest.param(b"1\r\nabc\r\n", id="more than the size"),
        pytest.param(b"fffffffffffffffff\r\n", id="a size of 17 digits"),
        pytest.param(b"1;" + b"e" * 400000 + b"\r\na\r\n", id="an extension without end"),
        pytest.param(b"0\r\nX-A: " + b"a" * 400000, id="a trailer without end"),
    ],
)
async def test_a_bad_chunk_never_looks_whole(running: RunningGateway, sent: bytes) -> None:
    """Malformed framing within the body resets the client's connection."""
    service, client, peer = await begin(running)
    await peer.send(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    await read_answer_head(client)
    peer.writer.write(sent)
    received, is_reset = await read_rest(client)
    assert is_reset
    assert not received.endswith(b"0\r\n\r\n")
    await peer.rest()
    await client.close()
    await assert_goes_on(service, await connect(running.port))


async def test_a_bad_chunk_right_behind_the_head(running: RunningGateway) -> None:
    """The head was whole, so the client is cut off, with or without a byte of it."""
    service, client, peer = await begin(running)
    await peer.send(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    received, is_reset = await read_rest(client)
    assert is_reset
    assert b"HTTP/1.1 5" not in received
    await peer.rest()
    await client.close()
    await assert_goes_on(service, await connect(running.port))


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(b"rubbish", id="bytes"),
        pytest.param(OK, id="a second answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Evil: ", id="half a head, to swallow the next one"),
        pytest.param(b"H", id="its first byte"),
        pytest.param(b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", id="lines first"),
    ],
)
@pytest.mark.parametrize("is_at_once", [True, False])
async def test_bytes_behind_an_answer_spoil_the_connection_only(
    running: RunningGateway, rubbish: bytes, is_at_once: bool
) -> None:
    """The answer is whole for the client; nobody else ever reads what came behind it (T18)."""
    service, client, peer = await begin(running)
    await peer.send(OK + rubbish if is_at_once else OK)
    assert (await client.answer()).body == b"ok"
    if not is_at_once:
        await peer.send(rubbish)
    assert await peer.rest() == b""
    await assert_goes_on(service, client)


async def test_bytes_behind_an_answer_to_head_spoil_the_connection(
    running: RunningGateway,
) -> None:
    """A body to HEAD would be read as the next answer."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET.replace(b"GET", b"HEAD"))
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer(of="HEAD")).status == 200
    assert await peer.rest() == b""
    await assert_goes_on(service, client)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", id="an upgrade"),
        pytest.param(b"", id="no upgrade named"),
        pytest.param(b"Content-Length: 2\r\n", id="a length"),
    ],
)
async def test_a_switch_nobody_asked_for_is_a_502(running: RunningGateway, fields: bytes) -> None:
    """101 to a plain request is refused; no byte behind it gets through (W4)."""
    service, client, peer = await begin(running)
    await peer.send(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\nraw bytes")
    assert problem(await client.answer())["code"] == "upstream_error"
    assert await peer.rest() == b""
    await assert_goes_on(service, client)


async def test_an_answer_until_close_that_we_cut_is_not_whole() -> None:
    """Our own abort ends a close-delimited answer as a failure, not as its end."""
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(OK_HEAD + b"\r\nhalf")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, connection = await loop.create_connection(
        lambda: UpstreamConnection(loop), "127.0.0.1", port
    )
    connection.begin("GET")
    connection.write(b"x")
    assert (await connection.head).until_close
    await connection.wait()
    assert connection.take_or_fail() == b"half"
    connection.abort()
    await connection.wait()
    with pytest.raises(GatewayError):
        connection.take_or_fail()
    server.close()
    await server.wait_closed()


async def test_a_connection_lost_before_its_exchange_fails_at_once() -> None:
    """Beginning on a connection that is gone raises; nothing was sent, so it may be repeated."""
    connection = UpstreamConnection(asyncio.get_running_loop())
    assert not connection.end()
    connection.begin("POST")
    connection.write(b"POST / HTTP/1.1\r\n\r\n")
    with pytest.raises(GatewayError, match="upstream_error"):
        await connection.head
    assert not connection.has_sent


async def test_a_greeting_before_the_request_is_out_of_step(running: RunningGateway) -> None:
    """A service that speaks first is no HTTP service (an SSH or mail server, say)."""
    running.upstream.answer = b""

    async def greet(_: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    running.upstream.script = greet
    answer = await running.get("/public/x")
    assert problem(answer)["code"] == "upstream_error"
