"""The 101 must be the switch that was asked for; whatever else comes is an answer, or a 502."""

import base64
import hashlib
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, connect
from tests.support.websocket import ACCEPT, KEY, handshake, switch
from tests.support.wire import Service, read_answer_head

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"


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


@pytest.mark.parametrize(
    ("offered", "used", "status"),
    [
        pytest.param([], [b"permessage-deflate"], 502, id="nothing was offered"),
        pytest.param([b"x-a"], [b"permessage-deflate"], 502, id="another was offered"),
        pytest.param([b"x-a"], [b"x-a, x-b"], 502, id="one of two was offered"),
        pytest.param([b"x-a"], [b"x-a", b"x-b"], 502, id="the same on two lines"),
        pytest.param([b"x-a; b=x-b"], [b"x-b"], 502, id="a parameter is no offer"),
        pytest.param([b"x-a"], [b"x-a"], 101, id="the one"),
        pytest.param([b"x-b, x-a; p=1; q"], [b"x-a; r=2"], 101, id="other parameters"),
        pytest.param([b"x-b", b"x-a"], [b"x-a", b"x-b"], 101, id="two, on lines of their own"),
        pytest.param([b"x-a"], [], 101, id="none is used"),
        pytest.param([b"x-a"], [b" , "], 101, id="an empty list"),
    ],
)
async def test_only_extensions_that_were_offered_may_be_used(
    running: RunningGateway, offered: list[bytes], used: list[bytes], status: int
) -> None:
    """Else the client could not read a frame (RFC 6455 4.1); parameters are its own affair."""
    name = b"Sec-WebSocket-Extensions: "
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/public/ws", *(name + each for each in offered)))
    peer = await service.accept()
    assert (await peer.head()).values("Sec-WebSocket-Extensions") == [o.decode() for o in offered]
    await peer.send(switch(*(name + each for each in used)))
    head = await read_answer_head(client)
    assert head.status == status
    if status == 101:
        told = [value for value in head.values("Sec-WebSocket-Extensions") if value]
        assert told == [each.decode().strip() for each in used]
    await client.close()


async def test_two_keys_have_no_answer(running: RunningGateway) -> None:
    """Whichever of them the service answers, the client may have meant the other."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/public/ws", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
    peer = await service.accept()
    await peer.head()
    await peer.send(switch())
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (502, "upstream_error")
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
