"""WebSockets: authenticated first, then bytes both ways, until somebody ends them."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.support.authority import Authority, server_context
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import RawClient, connect
from tests.support.sessions import HandClock
from tests.support.websocket import (
    ACCEPT,
    KEY,
    client_frame,
    frame,
    handshake,
    logged,
    opened,
    service_frame,
    switch,
    until,
)
from tests.support.wire import (
    Peer,
    Service,
    held_bytes,
    read_answer_head,
    read_exactly,
    read_rest,
)

MIB = 1024 * 1024
GOING = (1001, "going away")
ENDED = (4401, "session ended")


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
    (line,) = await logged(running, "/public/ws")
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


@pytest.mark.parametrize("rest", [b"\x81\x03bye\x88\x02\x03\xe8", b""], ids=["words", "nothing"])
async def test_a_service_that_switches_and_goes(running: RunningGateway, rest: bytes) -> None:
    """What came together with its 101 still arrives."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake())
    peer = await service.accept()
    await peer.head()
    peer.writer.write(switch() + rest)
    peer.close()
    assert (await read_answer_head(client)).status == 101
    assert await read_rest(client) == (rest, False)
    (line,) = await logged(running, "/public/ws")
    assert (line["status"], line["bytes"], line["error"]) == (101, len(rest), None)
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


@pytest.mark.parametrize("side", ["client", "service"])
async def test_a_side_that_takes_nothing_ends_it(tmp_path: Path, side: str) -> None:
    """`write_idle`, though the other way is not silent."""
    changes = {"server": {"timeouts": {"write_idle": "100ms"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        client, peer = await opened(gateway)
        deaf, talking = (client, peer) if side == "client" else (peer, client)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
        sending = asyncio.create_task(talking.send(bytes(16 * MIB)))
        await until(talking.writer.transport.is_closing)
        sending.cancel()
        await asyncio.wait({sending})
        await client.close()


# -- with a Close ---------------------------------------------------------------------------------


async def both_hear(client: RawClient, peer: Peer, code: tuple[int, str]) -> None:
    """Both get this Close, each in its own form, answer it, and are closed."""
    to_client, to_service = await client_frame(client), await service_frame(peer)
    assert (to_client.close, to_client.is_masked) == (code, False)
    assert (to_service.close, to_service.is_masked) == (code, True)
    await client.send(frame(0x8, to_client.payload, masked=True))
    await peer.send(frame(0x8, to_service.payload))
    assert await read_rest(client) == (b"", False)
    assert await peer.rest() == b""


async def test_draining_begins_with_a_close(running: RunningGateway) -> None:
    """1001 both ways, at the beginning of the drain; it is over when both have answered."""
    client, peer = await opened(running)
    await client.send(frame(0x1, b"hello", masked=True))
    assert (await service_frame(peer)).payload == b"hello"
    draining = asyncio.create_task(running.gateway.listener.close())
    await both_hear(client, peer, GOING)
    await draining
    (line,) = await logged(running, "/public/ws")
    assert (line["status"], line["error"], line["bytes"]) == (101, "draining", 0)
    await client.close()


async def test_a_large_message_half_way_comes_to_its_end(running: RunningGateway) -> None:
    """16 MiB in one frame: the Close stands behind it, the other way has its own at once."""
    client, peer = await opened(running)
    data = frame(0x2, bytes(range(256)) * 4096 * 16, masked=True)
    await client.send(data[: 5 * MIB])
    assert await peer.exactly(5 * MIB) == data[: 5 * MIB]
    draining = asyncio.create_task(running.gateway.listener.close())
    assert (await client_frame(client)).close == GOING
    sending = asyncio.create_task(client.send(data[5 * MIB :] + frame(0x1, b"more", masked=True)))
    assert await peer.exactly(len(data) - 5 * MIB) == data[5 * MIB :]
    await sending
    received = await service_frame(peer)
    if received.opcode == 0x1:  # it came in one piece with the large one's end
        received = await service_frame(peer)
    assert received.close == GOING
    await peer.send(frame(0x8, b"\x03\xe9"))
    await client.send(frame(0x8, b"\x03\xe9", masked=True))
    assert await peer.rest() == b""
    assert await read_rest(client) == (b"", False)
    await draining
    await client.close()


async def test_ends_that_do_not_answer_hold_no_drain_up(running: RunningGateway) -> None:
    """They are closed one second after their Close."""
    client, peer = await opened(running)
    draining = asyncio.create_task(running.gateway.listener.close())
    assert (await client_frame(client)).close == GOING
    assert (await service_frame(peer)).close == GOING
    assert await read_rest(client) == (b"", False)
    assert await peer.rest() == b""
    async with asyncio.timeout(1.5):
        await draining
    await client.close()


async def test_a_handshake_under_way_when_draining_begins(running: RunningGateway) -> None:
    """Its 101 passes, with a Close right behind it."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake())
    peer = await service.accept()
    await peer.head()
    draining = asyncio.create_task(running.gateway.listener.close())
    await asyncio.sleep(0)  # it begins
    await peer.send(switch())
    assert (await read_answer_head(client)).status == 101
    await both_hear(client, peer, GOING)
    await draining
    await client.close()


async def test_a_logout_ends_the_sessions_tunnels_only(running: RunningGateway) -> None:
    """4401, on all of that session; others stay (W7)."""
    token, other = await running.login(), await running.login(user="bob")
    fields = f"X-Session-Token: {token}".encode(), f"X-Session-Token: {other}".encode()
    first = await opened(running, b"/orders/ws", fields[0])
    second = await opened(running, b"/orders/ws", fields[0])
    stays, public = await opened(running, b"/orders/ws", fields[1]), await opened(running)
    await running.post("/logout", {}, f"X-Session-Token: {token}")
    for client, peer in (first, second):
        await both_hear(client, peer, ENDED)
        await client.close()
    lines = await logged(running, "/orders/ws", 2)
    assert [line["error"] for line in lines] == ["session_ended"] * 2
    for client, peer in (stays, public):
        await client.send(b"\x89\x80\0\0\0\0")
        assert (await service_frame(peer)).opcode == 0x9
        await client.close()


async def test_a_session_that_ends_within_the_handshake(running: RunningGateway) -> None:
    """It was let in; as soon as there is a tunnel, it ends."""
    token = await running.login()
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/orders/ws", b"X-Session-Token: " + token.encode()))
    peer = await service.accept()
    await peer.head()
    assert (await running.post("/logout", {}, f"X-Session-Token: {token}")).status == 204
    await peer.send(switch())
    assert (await read_answer_head(client)).status == 101
    await both_hear(client, peer, ENDED)
    await client.close()


async def test_a_session_s_expiry_ends_its_tunnel(tmp_path: Path) -> None:
    """By the gateway's clock, though bytes pass all the time."""
    clock = HandClock()
    async with run_gateway(tmp_path, {"session": {"lifetime": "1h"}}, clock) as gateway:
        token = await gateway.login()
        clock.forward(3600 - 0.5)  # a quarter of a second is left: sessions end on whole seconds
        client, peer = await opened(gateway, b"/orders/ws", b"X-Session-Token: " + token.encode())
        clock.forward(1)
        await both_hear(client, peer, ENDED)
        await client.close()


async def test_a_client_that_left_is_no_error(running: RunningGateway) -> None:
    """A WebSocket that its client closes is over as it should be."""
    client, peer = await opened(running)
    await peer.send(b"12345")
    await read_exactly(client, 5)
    await client.close()
    await peer.rest()
    (line,) = await logged(running, "/public/ws")
    assert (line["status"], line["bytes"], line["error"]) == (101, 5, None)


async def test_last_words_of_the_client_arrive(running: RunningGateway) -> None:
    """Though the service takes its time, and the client closes at once."""
    client, peer = await opened(running)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    data = bytes(range(256)) * 4096
    await client.send(data)
    client.writer.close()
    await asyncio.sleep(0.05)  # it is stuck in the gateway, or on the way to it
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it
    assert await peer.rest() == data
    await client.close()


# -- over TLS -------------------------------------------------------------------------------------


async def test_a_service_behind_tls_hears_the_same(tmp_path: Path) -> None:
    """Large pieces with back-pressure both ways, and a masked Close at the drain."""
    authority, arrived = Authority(tmp_path), asyncio.Queue[Peer]()
    certificate = authority.issue("localhost", "127.0.0.1")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(Peer(reader, writer))
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=server_context(certificate))
    target = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    main = {"targets": [target], "tls": {"ca": str(authority.ca)}}
    async with run_gateway(tmp_path, {"upstreams": {"main": main}}) as gateway:
        client = await connect(gateway.port)
        await client.send(handshake())
        peer = await arrived.get()
        await peer.head()
        await peer.send(switch() + frame(0x1, b"early"))
        await read_answer_head(client)
        assert (await client_frame(client)).payload == b"early"
        data = frame(0x2, bytes(4 * MIB), masked=True)
        sending = asyncio.create_task(client.send(data))
        assert await peer.exactly(len(data)) == data
        await sending
        sending = asyncio.create_task(peer.send(data))
        assert await read_exactly(client, len(data)) == data
        await sending
        draining = asyncio.create_task(gateway.gateway.listener.close())
        await both_hear(client, peer, GOING)
        await draining
        peer.close()
        await client.close()
    server.close()
    await server.wait_closed()
