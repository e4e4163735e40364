"""WebSockets: authenticated first, a validated 101, then bytes both ways."""

import asyncio
import base64
import hashlib
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import (
    Peer,
    Service,
    held_bytes,
    read_answer_head,
    read_exactly,
    read_rest,
)

MIB = 1024 * 1024
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 1.3
GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"


def handshake(path: bytes = b"/public/ws", *fields: bytes) -> bytes:
    """A client's handshake (RFC 6455 4.1)."""
    lines = [
        b"GET " + path + b" HTTP/1.1",
        b"Host: gw",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY,
        *fields,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def switch(*fields: bytes, accept: bytes = ACCEPT) -> bytes:
    """A service's 101."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept,
        *fields,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def opened(gateway: RunningGateway) -> tuple[RawClient, Peer]:
    """A tunnel that stands."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    await client.send(handshake())
    peer = await service.accept()
    await peer.head()
    await peer.send(switch())
    assert (await read_answer_head(client)).status == 101
    return client, peer


async def test_no_byte_reaches_the_service_without_a_session(running: RunningGateway) -> None:
    """The handshake is refused like any request, and the connection ends (W1)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/orders/ws") + b"\x81\x85frame")
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (401, "session_missing")
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


async def test_a_session_opens_the_tunnel_with_its_identity(running: RunningGateway) -> None:
    """The service learns who speaks, in the handshake only; the client's own word is dropped."""
    given = await running.codes()
    token = await running.login()
    service, client = Service(running.upstream), await connect(running.port)
    fields = [b"X-Session-Token: " + token.encode(), b"X-OpenId: evil", b"X_OpenId: evil"]
    await client.send(handshake(b"/orders/ws", *fields))
    peer = await service.accept()
    seen = await peer.head()
    assert seen.value("X-OpenId") == given["openid"]
    assert (seen.value("Upgrade"), seen.value("Connection")) == ("websocket", "Upgrade")
    assert seen.value("Sec-WebSocket-Key") == KEY.decode()
    assert b"evil" not in seen.raw_head
    assert token.encode() not in seen.raw_head
    await peer.send(switch())
    head = await read_answer_head(client)
    assert (head.status, head.value("Upgrade")) == (101, "websocket")
    assert head.value("Sec-WebSocket-Accept") == ACCEPT.decode()
    await client.close()


async def test_bytes_pass_both_ways_unchanged(running: RunningGateway) -> None:
    """Whatever they are: no frame is read, so extensions work end to end."""
    client, peer = await opened(running)
    for data in (b"\x81\x05hello", bytes(range(256)), b"HTTP/1.1 200 OK\r\n\r\n", b"x" * MIB):
        sending = asyncio.create_task(client.send(data))
        assert await peer.exactly(len(data)) == data
        await sending
        sending = asyncio.create_task(peer.send(data[::-1]))
        assert await read_exactly(client, len(data)) == data[::-1]
        await sending
    await client.close()


async def test_bytes_right_behind_the_handshakes_pass(running: RunningGateway) -> None:
    """What either side sends without waiting is not lost, and not sent before the 101."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake() + b"early client")
    peer = await service.accept()
    await peer.head()
    await peer.send(switch() + b"early service")
    await read_answer_head(client)
    assert await read_exactly(client, 13) == b"early service"
    assert await peer.exactly(12) == b"early client"
    await client.close()


async def test_much_behind_the_handshake_is_bounded_and_passes(running: RunningGateway) -> None:
    """A client that floods before the 101 is stopped, and loses nothing."""
    service, client = Service(running.upstream), await connect(running.port)
    data = bytes(range(256)) * 4096 * 32
    sending = asyncio.create_task(client.send(handshake() + data))
    peer = await service.accept()
    await peer.head()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    await peer.send(switch())
    await read_answer_head(client)
    await asyncio.sleep(0.1)  # as much as will go in goes in
    assert held_bytes() < 2 * MIB
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it
    assert await peer.exactly(len(data)) == data
    await sending
    await client.close()


async def test_a_client_that_does_not_read_stops_the_service(running: RunningGateway) -> None:
    """Back-pressure holds in a tunnel too (W9)."""
    client, peer = await opened(running)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    data = bytes(32 * MIB)
    sending = asyncio.create_task(peer.send(data))
    await asyncio.sleep(0.1)  # as much as will go in goes in
    assert held_bytes() < 2 * MIB
    client.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it
    assert await read_exactly(client, len(data)) == data
    await sending
    await client.close()


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
async def test_a_client_that_ends_ends_the_service_s_side(
    running: RunningGateway, end: str
) -> None:
    """What was sent before still arrives."""
    client, peer = await opened(running)
    await client.send(b"last words")
    assert await peer.exactly(10) == b"last words"
    if end == "close":
        client.writer.close()
    elif end == "half-close":
        client.writer.write_eof()
    else:
        client.writer.transport.abort()
    assert await peer.rest() == b""
    await client.close()


@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
async def test_a_service_that_ends_ends_the_client_s_side(
    running: RunningGateway, end: str
) -> None:
    """What was sent before still arrives."""
    client, peer = await opened(running)
    await peer.send(b"last words")
    assert await read_exactly(client, 10) == b"last words"
    if end == "close":
        peer.close()
    elif end == "half-close":
        peer.writer.write_eof()
    else:
        peer.abort()
    assert (await read_rest(client))[0] == b""
    line = running.log_lines()[-1]
    assert (line["status"], line["bytes"], line["error"]) == (101, 10, None)
    await client.close()


async def test_last_words_of_the_service_arrive(running: RunningGateway) -> None:
    """A close frame sent together with the end is not lost, however much stands before it."""
    client, peer = await opened(running)
    data = bytes(MIB) + b"\x88\x02\x03\xe8"
    sending = asyncio.create_task(peer.send(data))
    assert await read_exactly(client, MIB) == bytes(MIB)
    await sending
    peer.close()
    assert await read_rest(client) == (b"\x88\x02\x03\xe8", False)
    await client.close()


async def test_a_silent_tunnel_ends(tmp_path: Path) -> None:
    """`stream_idle` of silence both ways together ends both sides."""
    changes = {"upstreams": {"main": {"timeouts": {"stream_idle": "50ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        client, peer = await opened(gateway)
        assert await client.is_closed()
        assert await peer.rest() == b""
        await client.close()


async def test_one_way_of_talking_keeps_a_tunnel_open(tmp_path: Path) -> None:
    """A service that only sends, or a client that does, is not silent."""
    changes = {"upstreams": {"main": {"timeouts": {"stream_idle": "200ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        client, peer = await opened(gateway)
        for number in range(12):
            await asyncio.sleep(0.05)
            if number % 2:
                await peer.send(b"x")
                assert await read_exactly(client, 1) == b"x"
            else:
                await client.send(b"y")
                assert await peer.exactly(1) == b"y"
        await client.close()


# -- handshakes that fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(switch(accept=b"wrong"), id="another accept"),
        pytest.param(switch(accept=ACCEPT.lower()), id="accept in another case"),
        pytest.param(switch().replace(b"Sec-WebSocket-Accept", b"X-A"), id="no accept"),
        pytest.param(switch(b"Sec-WebSocket-Accept: " + ACCEPT), id="accept twice"),
        pytest.param(switch().replace(b"Upgrade: websocket", b"Upgrade: h2c"), id="h2c"),
        pytest.param(switch().replace(b"Upgrade: websocket\r\n", b""), id="no upgrade"),
        pytest.param(switch(b"Upgrade: websocket"), id="upgrade twice"),
        pytest.param(switch().replace(b"Connection: Upgrade\r\n", b""), id="no connection"),
        pytest.param(switch().replace(b"Connection: Upgrade", b"Connection: close"), id="close"),
        pytest.param(switch(b"Sec-WebSocket-Protocol: evil"), id="a sub-protocol nobody offered"),
        pytest.param(
            switch(b"Sec-WebSocket-Protocol: chat", b"Sec-WebSocket-Protocol: json"),
            id="two sub-protocols",
        ),
        pytest.param(switch(b"Sec-WebSocket-Protocol: chat, json"), id="a list of sub-protocols"),
    ],
)
async def test_a_switch_that_was_not_asked_for_is_a_502(
    running: RunningGateway, sent: bytes
) -> None:
    """Nothing is tunnelled, nothing behind the handshake reaches the service (W3, W4)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/public/ws", b"Sec-WebSocket-Protocol: chat, json") + GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(sent)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (502, "upstream_error")
    assert await peer.rest() == b""
    assert await client.is_closed()
    await client.close()


@pytest.mark.parametrize("chosen", [b"chat", b"json"])
async def test_an_offered_sub_protocol_may_be_chosen(
    running: RunningGateway, chosen: bytes
) -> None:
    """One of those the client named, in any of its lines."""
    service, client = Service(running.upstream), await connect(running.port)
    offers = [b"Sec-WebSocket-Protocol: a,chat ,b", b"Sec-WebSocket-Protocol: json"]
    await client.send(handshake(b"/public/ws", *offers))
    peer = await service.accept()
    await peer.head()
    await peer.send(switch(b"Sec-WebSocket-Protocol: " + chosen))
    head = await read_answer_head(client)
    assert (head.status, head.value("Sec-WebSocket-Protocol")) == (101, chosen.decode())
    await client.close()


@pytest.mark.parametrize("status", [b"200 OK", b"403 Forbidden", b"426 Upgrade Required"])
async def test_a_service_that_declines_is_heard(running: RunningGateway, status: bytes) -> None:
    """Its answer passes; a request hidden behind the handshake is never forwarded (W3)."""
    service, client = Service(running.upstream), await connect(running.port)
    refused = handshake().replace(b"Version: 13", b"Version: 777")
    await client.send(refused + b"GET /public/smuggled HTTP/1.1\r\nHost: gw\r\n\r\n")
    peer = await service.accept()
    assert (await peer.head()).value("Sec-WebSocket-Version") == "777"
    await peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
    answer = await client.answer()
    assert (answer.line, answer.body) == (f"HTTP/1.1 {status.decode()}", b"no")
    assert answer.value("Connection") == "close"
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            handshake(b"/public/ws", b"Content-Length: 4") + b"body", id="a body with a length"
        ),
        pytest.param(
            handshake(b"/public/ws", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", id="chunks"
        ),
        pytest.param(
            handshake(b"/public/ws", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            id="both",
        ),
        pytest.param(handshake().replace(b"GET", b"POST"), id="POST"),
        pytest.param(handshake().replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(handshake().replace(b"websocket", b"h2c"), id="h2c"),
        pytest.param(handshake().replace(b"websocket", b"TLS/1.0"), id="TLS"),
        pytest.param(handshake().replace(b"websocket", b"websocket, h2c"), id="a list"),
        pytest.param(handshake(b"/public/ws", b"Upgrade: h2c"), id="two upgrades"),
    ],
)
async def test_an_odd_handshake_is_a_400(running: RunningGateway, request_: bytes) -> None:
    """Only a GET without a body asks for a WebSocket, and for nothing else (W2, W5)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(request_)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"Upgrade: websocket\r\nConnection: notupgrade", id="notupgrade"),
        pytest.param(b"Upgrade: h2c\r\nConnection: keep-alive", id="no upgrade in Connection"),
        pytest.param(b"Connection: Upgrade", id="no Upgrade"),
    ],
)
async def test_an_upgrade_not_asked_of_this_connection_is_dropped(
    running: RunningGateway, fields: bytes
) -> None:
    """The header was for another hop: it goes, the request passes (RFC 9110 7.8)."""
    client = await connect(running.port)
    for _ in range(2):
        await client.send(GET.replace(b"Host: gw", b"Host: gw\r\n" + fields))
        assert (await client.answer()).body == b"ok"
        assert running.upstream.requests[-1].value("Upgrade") is None
    await client.close()


@pytest.mark.parametrize("spelling", [b"WebSocket", b"WEBSOCKET", b"webSocket"])
async def test_websocket_in_any_case(running: RunningGateway, spelling: bytes) -> None:
    """Names of protocols are compared without case (W5)."""
    service, client = Service(running.upstream), await connect(running.port)
    mixed = handshake().replace(b"websocket", spelling)
    await client.send(mixed.replace(b"Connection: Upgrade", b"connection: keep-alive, uPGRADE"))
    peer = await service.accept()
    await peer.head()
    await peer.send(switch().replace(b"websocket", spelling))
    assert (await read_answer_head(client)).status == 101
    await client.close()


async def test_a_silent_service_times_out(tmp_path: Path) -> None:
    """A handshake without an answer is a 504; the next request is fine."""
    changes = {"upstreams": {"main": {"timeouts": {"first_byte": "50ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(handshake())
        peer = await service.accept()
        assert problem(await client.answer())["code"] == "upstream_timeout"
        await peer.rest()
        await client.close()
        again = await connect(gateway.port)
        await again.send(GET)
        second = await service.accept()
        await second.head()
        await second.send(OK)
        assert (await again.answer()).body == b"ok"
        await again.close()


def test_the_accept_of_the_standard() -> None:
    """The example of RFC 6455 1.3 is what these tests rely on."""
    digest = hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - RFC 6455 says SHA-1
    assert base64.b64encode(digest) == ACCEPT
