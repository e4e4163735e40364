"""Request bodies that break off, misbehave, grow too large or come too slowly."""

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.proxy.connection import UpstreamConnection
from tests.support.flights import pools_of
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Peer, Service, held_bytes, read_rest

MIB = 1024 * 1024
GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
CHUNKED = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 10\r\n\r\n"


async def begin(gateway: RunningGateway, head: bytes) -> tuple[Service, RawClient, Peer]:
    """Send a head up to the point where the service has read it."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    await client.send(head)
    peer = await service.accept()
    await peer.head()
    return service, client, peer


async def assert_goes_on(gateway: RunningGateway, service: Service) -> None:
    """The next request is fine, on a connection of its own."""
    client = await connect(gateway.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


# -- broken off -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "half", "seen"),
    [
        pytest.param(SIZED, b"half", b"half", id="a length"),
        pytest.param(CHUNKED, b"4\r\nhalf\r\n", b"4\r\nhalf\r\n", id="chunks"),
    ],
)
@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
async def test_a_body_broken_off_ends_the_service_s_leg(
    running: RunningGateway, head: bytes, half: bytes, seen: bytes, end: str
) -> None:
    """The service never sees a body that looks whole, and its connection ends (T14, T15)."""
    service, client, peer = await begin(running, head)
    await client.send(half)
    assert await peer.exactly(len(seen)) == seen
    if end == "close":
        client.writer.close()
    elif end == "half-close":
        client.writer.write_eof()
    else:
        client.writer.transport.abort()
    assert await peer.rest() == b""
    await client.close()
    await assert_goes_on(running, service)


@pytest.mark.parametrize("end", ["close", "half-close"])
async def test_a_client_that_goes_away_ends_the_request(tmp_path: Path, end: str) -> None:
    """A whole request whose client does not wait for the answer ends upstream at once."""
    async with run_gateway(tmp_path, {"logs": {"format": "json"}}) as gateway:
        service, client, peer = await begin(gateway, GET)
        client.writer.close() if end == "close" else client.writer.write_eof()
        assert await peer.rest() == b""
        assert (await read_rest(client))[0] == b""
        await client.close()
        await assert_goes_on(gateway, service)
        line = gateway.log_lines()[0]
        assert (line["status"], line["error"]) == (499, "client_gone")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"zz\r\n", id="no number"),
        pytest.param(b"0x1\r\na\r\n", id="another hex"),
        pytest.param(b"-1\r\n", id="signed"),
        pytest.param(b" 1\r\na\r\n", id="a space before"),
        pytest.param(b"1\na\n", id="bare LF"),
        pytest.param(b"1\r\nabc\r\n", id="longer than its size"),
        pytest.param(b"1;a\nb\r\na\r\n", id="LF in an extension"),
        pytest.param(b"fffffffffffffffff\r\n", id="17 digits"),
        pytest.param(b"\r\n", id="no size"),
        pytest.param(b"0\r\nX OpenId: a\r\n\r\n", id="a bad trailer"),
    ],
)
async def test_a_bad_chunk_is_a_400_and_no_whole_body(running: RunningGateway, bad: bytes) -> None:
    """One answer, then the end; the service never sees a last chunk (T6, T7)."""
    service, client, peer = await begin(running, CHUNKED)
    await client.send(b"4\r\ngood\r\n")
    assert await peer.exactly(9) == b"4\r\ngood\r\n"
    await client.send(bad + GET)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert answer.value("Connection") == "close"
    assert b"0\r\n\r\n" not in await peer.rest()
    assert await client.is_closed()
    await client.close()
    await assert_goes_on(running, service)


async def test_a_400_is_read_by_a_client_that_is_still_sending(running: RunningGateway) -> None:
    """What comes behind the bad chunk is read to no end, so that no reset takes our answer away."""
    _, client, peer = await begin(running, CHUNKED)
    await client.send(b"zz\r\n")
    assert b"0\r\n\r\n" not in await peer.rest()  # it is refused by now
    for _ in range(16):
        await client.send(bytes(MIB // 16))
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    await client.close()


async def test_a_bad_chunk_with_its_head_never_reaches_the_service(
    running: RunningGateway,
) -> None:
    """Known to be bad before it was a request."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(CHUNKED + b"zz\r\n" + GET)
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


async def test_a_bad_chunk_behind_an_early_answer_breaks_it_off(running: RunningGateway) -> None:
    """Half an answer is out: nothing may be appended to it."""
    _, client, peer = await begin(running, CHUNKED)
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await client.reader.readuntil(b"half")
    await client.send(b"zz\r\n")
    received, is_reset = await read_rest(client)
    assert (received, is_reset) == (b"", True)
    assert await peer.rest() == b""
    await client.close()


# -- too large ------------------------------------------------------------------------------------

LIMITED = {"server": {"limits": {"body": "1KiB"}}}


@pytest.mark.parametrize("size", [1024, 1025, 5 * MIB], ids=str)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
async def test_a_body_above_the_limit_is_a_413(tmp_path: Path, size: int, is_chunked: bool) -> None:
    """The limit itself passes; a byte more does not, whatever the framing (D3)."""
    async with run_gateway(tmp_path, LIMITED) as gateway:
        client = await connect(gateway.port)
        if is_chunked:
            sent = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
        else:
            sent = SIZED.replace(b": 10", b": %d" % size) + b"x" * size
        sending = asyncio.create_task(client.send(sent))
        answer = await client.answer()
        if size <= 1024:
            assert answer.body == b"ok"
            assert len(gateway.upstream.requests[-1].body) == size
        else:
            assert (answer.status, problem(answer)["code"]) == (413, "body_too_large")
            assert gateway.upstream.requests == []
        sending.cancel()
        await asyncio.wait({sending})
        await client.close()
        assert (await gateway.get("/public/x")).status == 200


async def test_a_body_found_too_large_on_the_way_is_never_whole(tmp_path: Path) -> None:
    """The service got a part, no last chunk, and the end of its connection."""
    async with run_gateway(tmp_path, LIMITED) as gateway:
        _, client, peer = await begin(gateway, CHUNKED)
        await client.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        await peer.exactly(1007)
        await client.send(b"19\r\n" + b"x" * 25 + b"\r\n0\r\n\r\n")
        assert problem(await client.answer())["code"] == "body_too_large"
        assert b"0\r\n\r\n" not in await peer.rest()
        await client.close()


async def test_a_route_has_its_own_limit(tmp_path: Path) -> None:
    """It may be smaller or larger than the server's."""
    routes = [
        {"path": "/small/", "upstream": "main", "session": "none", "limits": {"body": "1KiB"}},
        {"path": "/large/", "upstream": "main", "session": "none", "limits": {"body": "2MiB"}},
    ]
    changes = {"routes": routes, "server": {"limits": {"body": "1MiB"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        for path, size, status in [
            (b"small", 1024, 200),
            (b"small", 1025, 413),
            (b"large", 2 * MIB, 200),
            (b"large", 2 * MIB + 1, 413),
        ]:
            client = await connect(gateway.port)
            head = SIZED.replace(b"public", path).replace(b": 10", b": %d" % size)
            sending = asyncio.create_task(client.send(head + bytes(size)))
            assert (await client.answer()).status == status, (path, size)
            sending.cancel()
            await asyncio.wait({sending})
            await client.close()


async def test_a_413_is_read_by_a_client_that_is_still_sending(tmp_path: Path) -> None:
    """The rest is read for a while, so that no reset takes our answer away (RFC 9112 9.6)."""
    async with run_gateway(tmp_path, LIMITED) as gateway:
        client = await connect(gateway.port)
        await client.send(SIZED.replace(b": 10", b": %d" % MIB))
        for _ in range(16):
            await client.send(bytes(MIB // 16))
        answer = await client.answer()
        assert problem(answer)["code"] == "body_too_large"
        assert await client.is_closed()
        await client.close()


# -- too slow -------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [SIZED, CHUNKED], ids=["length", "chunked"])
async def test_a_body_that_stops_coming_is_given_up(tmp_path: Path, head: bytes) -> None:
    """`body_idle` of silence: 400, and the service's connection is free again (D2, D6)."""
    changes = {"server": {"timeouts": {"body_idle": "50ms"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        service, client, peer = await begin(gateway, head)
        assert problem(await client.answer())["code"] == "bad_request"
        assert await peer.rest() == b""
        assert await client.is_closed()
        await client.close()
        await assert_goes_on(gateway, service)


async def test_a_dribbled_body_is_given_up(tmp_path: Path) -> None:
    """A byte now and then is not enough: 1 KiB a second, averaged over `body_idle` (D6)."""
    changes = {"server": {"timeouts": {"body_idle": "200ms"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        _, client, peer = await begin(gateway, SIZED.replace(b": 10", b": 100000"))

        async def dribble() -> None:
            while True:
                await client.send(b"x")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        answer = await client.answer()
        assert "too slowly" in str(problem(answer)["detail"])
        assert len(await peer.rest()) < 100
        dribbling.cancel()
        await asyncio.wait({dribbling})
        await client.close()


# -- back-pressure --------------------------------------------------------------------------------


async def push(client: RawClient, size: int) -> int:
    """Send until the gateway takes no more, at most `size`; return how much it took."""
    sent = 0
    transport = client.writer.transport
    transport.set_write_buffer_limits(high=0)
    while sent < size:
        client.writer.write(bytes(65536))
        sent += 65536
        try:
            async with asyncio.timeout(0.3):
                await client.writer.drain()
        except TimeoutError:
            break
    return sent


async def test_a_service_that_does_not_read_stops_the_client(running: RunningGateway) -> None:
    """What waits in the gateway is bounded, and everything arrives when it reads again (D5)."""
    size = 64 * MIB
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(SIZED.replace(b": 10", b": %d" % size))
    peer = await service.accept()
    await peer.head()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    sent = await push(client, size)
    assert sent < size // 2  # kernel buffers of two connections and ours, not the body
    assert held_bytes() < 2 * MIB

    async def send_rest() -> None:
        await client.send(bytes(size - sent))

    sending = asyncio.create_task(send_rest())
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it
    left = size
    while left:
        left -= len(await peer.reader.read(MIB))
    await sending
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_service_that_takes_nothing_of_the_body_is_a_504(tmp_path: Path) -> None:
    """It accepts and never reads: `idle` bounds it, although the client sends on."""
    changes = {"upstreams": {"main": {"timeouts": {"idle": "100ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(SIZED.replace(b": 10", b": %d" % (64 * MIB)))
        peer = await service.accept()
        await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
        sending = asyncio.create_task(client.send(bytes(64 * MIB)))
        answer = await client.answer()
        assert (answer.status, problem(answer)["code"]) == (504, "upstream_timeout")
        sending.cancel()
        await asyncio.wait({sending})
        peer.abort()
        client.writer.transport.abort()


async def test_a_service_that_takes_the_body_slowly_is_waited_for() -> None:
    """Much longer than `stall_s`, as long as some of it moves."""
    loop = asyncio.get_running_loop()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        made = await loop.create_connection(lambda: UpstreamConnection(loop), "127.0.0.1", port)
        connection, (service, _) = made[1], listening.accept()
        connection.begin("POST")
        connection.write(bytes(16 * MIB))
        assert connection.is_writing_paused
        began_s = loop.time()
        draining = asyncio.create_task(connection.drain(0.2))
        while not draining.done():
            await asyncio.sleep(0.01)
            await asyncio.to_thread(service.recv, 256 * 1024)
        await draining
        assert loop.time() - began_s > 0.2
        connection.abort()
        service.close()


@pytest.mark.parametrize(
    ("field", "is_failure"),
    [(b"Expect: 100-continue\r\n", False), (b"", True)],
    ids=["its client waits for a 100", "the service is silent"],
)
async def test_who_waits_for_a_100_does_not_speak_against_the_target(
    tmp_path: Path, field: bytes, is_failure: bool
) -> None:
    """No service owes one (RFC 9110 10.1.1): clients could have healthy targets ejected."""
    changes = {
        "server": {"timeouts": {"body_idle": "100ms"}},
        "upstreams": {"main": {"timeouts": {"first_byte": "100ms"}}},
    }
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        length = 0 if is_failure else 5
        head = b"POST /public/x HTTP/1.1\r\nHost: gw\r\n%bContent-Length: %d\r\n\r\n"
        await client.send(head % (field, length))
        peer = await service.accept()
        await peer.head()
        answer = await client.answer()
        assert (answer.status, problem(answer)["code"]) == (504, "upstream_timeout")
        (pool,) = pools_of(gateway)
        assert pool.has_failed is is_failure
        peer.close()
        await client.close()
