"""What a client may do while its request is on the fast path: on the wire, on both loops."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.endings import until
from tests.support.flights import (
    Watched,
    connected,
    counted,
    pools_of,
    server_of,
    settle,
    statuses,
    switch_off,
)
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawClient
from tests.support.wire import Peer, Service, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\nhalf"
SLOW_HEAD = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\n"
HELLO = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"


@asynccontextmanager
async def in_flight(
    running: RunningGateway, asked: bytes = GET
) -> AsyncIterator[tuple[RawClient, Peer, Watched]]:
    """A client whose request has reached the service, on the fast path.

    The same GET has been sent twice: a third is known again by its bytes.
    """
    service = Service(running.upstream)
    async with connected(running) as client:
        await client.send(GET)
        peer = await service.accept()
        for again in (GET, b""):
            await peer.request()
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
            await client.send(again)
        watched = Watched(running)
        await client.send(asked)
        await peer.request()
        assert (watched.took, watched.in_the_air) == ([True], 1)
        assert watched.again == (asked == GET)
        yield client, peer, watched
        peer.abort()


# -- more bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize("cut", [0, 1, 20, len(GET) - 1])
async def test_a_next_request_waits_its_turn(
    running: RunningGateway, asked: bytes, cut: int
) -> None:
    """It reaches the service after the first was answered, however it was cut."""
    async with in_flight(running, asked) as (client, peer, watched):
        await client.send(GET[:cut])
        await asyncio.sleep(0.005)
        await client.send(GET[cut:].replace(b"/x", b"/y") if cut < 10 else GET[cut:])
        await asyncio.sleep(0.005)
        await peer.send(OK.replace(b"ok", b"no"))
        assert (await client.answer()).body == b"no"
        await peer.request()
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        assert watched.took == [True]  # nothing else was offered: the second came too soon
    await settle(running)
    assert statuses(running) == [200, 200]
    assert counted(running) == 4


@pytest.mark.parametrize("behind", [b"\x00", b"GET /public/x HTTP/1.1\r\n\r\n", b"NO / HTTP/9\r\n"])
async def test_garbage_waits_its_turn(running: RunningGateway, behind: bytes) -> None:
    """The request in the air is answered; then the client hears what came behind it was."""
    async with in_flight(running) as (client, peer, _):
        await client.send(behind)
        await asyncio.sleep(0.005)
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        assert problem(await client.answer())["code"] == "bad_request"
        assert await client.is_closed()
    await settle(running)
    assert statuses(running) == [200, 400]


@pytest.mark.parametrize("waits", [True, False], ids=["one by one", "at once"])
@pytest.mark.parametrize("is_off", [False, True], ids=["fast", "slow"])
async def test_many_requests_of_all_kinds(
    running: RunningGateway, waits: bool, is_off: bool
) -> None:
    """Far more than aiohttp's queue holds, on one connection, fast and slow in turn."""
    assert (await running.get("/public/warm")).status == 200
    watched = Watched(running)
    if is_off:
        switch_off(running)
    bodies = {GET: b"ok", POST: b"ok", HELLO: b"hello\n"}
    kinds = [GET, GET, POST, HELLO] * 30
    async with connected(running) as client:
        for kind in kinds:
            await client.send(kind)
            if waits:
                assert (await client.answer()).body == bodies[kind]
        for kind in [] if waits else kinds:
            assert (await client.answer()).body == bodies[kind]
    if waits and not is_off:
        assert sum(watched.took) > 80
    await settle(running)
    assert counted(running) == 1 + len(kinds)


@pytest.mark.parametrize("many", [30, 31, 32, 33, 100])
@pytest.mark.parametrize("slow", [b"half", b"4\r\nhalf\r\n0\r\n\r\n"], ids=["length", "chunked"])
@pytest.mark.parametrize("is_behind", [True, False], ids=["behind it", "after it"])
@pytest.mark.parametrize("is_off", [False, True], ids=["fast", "slow"])
async def test_a_long_pipeline_behind_a_slow_body(
    running: RunningGateway, many: int, slow: bytes, is_behind: bool, is_off: bool
) -> None:
    """aiohttp 3.14.5 miscounts its queue there, and the last requests would wait for ever."""
    if is_off:
        switch_off(running)
    length = b"Content-Length: 4" if slow == b"half" else b"Transfer-Encoding: chunked"
    async with connected(running) as client:
        await client.send(SLOW_HEAD.replace(b"Content-Length: 4", length))
        await until(lambda: running.upstream.connections)
        if is_behind:
            await client.send(slow + GET * many)
            assert (await client.answer()).body == b"ok"
        else:
            await client.send(slow)
            assert (await client.answer()).body == b"ok"
            await client.send(GET * many)
        for _ in range(many):
            assert (await client.answer()).body == b"ok"
    await settle(running)


# -- gone -----------------------------------------------------------------------------------------


def reset(client: RawClient) -> None:
    """End a connection with a reset."""
    sock: socket.socket = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


@pytest.mark.parametrize("asked", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize("how", ["closes", "half-closes", "resets"])
@pytest.mark.parametrize("when", ["at once", "handed over", "with more", "amid the answer"])
async def test_a_client_that_goes_ends_its_request(
    running: RunningGateway, asked: bytes, how: str, when: str
) -> None:
    """Upstream at once; one line, one count, no connection kept, nothing left."""
    async with in_flight(running, asked) as (client, peer, watched):
        if when == "handed over":
            await until(lambda: not watched.in_the_air)
        elif when == "with more":
            client.writer.write(GET)
        elif when == "amid the answer":
            await peer.send(OK[:-1])
            await asyncio.sleep(0.005)
        if how == "closes":
            client.writer.close()
        elif how == "half-closes":
            client.writer.write_eof()
        else:
            reset(client)
        assert await peer.rest() == b""
        await settle(running)
        assert [pool.idle for pool in pools_of(running)] == [0]
        assert statuses(running) == [499]
        assert running.log_lines()[-1]["error"] == "client_gone"
        assert counted(running) == 3


async def test_a_client_that_asks_and_goes(running: RunningGateway) -> None:
    """Bytes and the end may come together: the loop reads both in one turn."""
    assert (await running.get("/public/warm")).status == 200
    for _ in range(30):
        async with connected(running) as client:
            client.writer.write(GET)
            reset(client) if _ % 2 else client.writer.write_eof()
    await settle(running)
    assert {line["status"] for line in running.log_lines()} <= {200, 499}
    assert counted(running) == len(running.log_lines())


# -- time -----------------------------------------------------------------------------------------


async def test_an_unused_connection_ends(tmp_path: Path) -> None:
    """`keepalive` after the last answer, and no sooner: not while a request is in the air."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"keepalive": "200ms"}}}) as running:
        async with in_flight(running) as (client, peer, watched):
            for silent_s in (0.05, 0.3, 0.12, 0.0):
                await asyncio.sleep(silent_s)
                await peer.send(OK)
                assert (await client.answer()).body == b"ok"
                await asyncio.sleep(0.12)
                await client.send(GET)
                await peer.request()
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
            begun = asyncio.get_running_loop().time()
            assert await client.is_closed()
            assert 0.1 < asyncio.get_running_loop().time() - begun < 1
            assert all(watched.took)
        await settle(running)


async def test_without_keepalive_a_connection_has_one_request(tmp_path: Path) -> None:
    """aiohttp ends it behind the answer: so a task has it."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"keepalive": "0s"}}}) as running:
        for _ in range(3):
            async with connected(running) as client:
                await client.send(GET)
                assert (await client.answer()).body == b"ok"
                assert await client.is_closed()


async def test_half_a_head_behind_a_request_has_its_deadline(tmp_path: Path) -> None:
    """Its time runs, and ends the connection once the request in the air is answered (D1)."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"headers": "80ms"}}}) as running:
        async with in_flight(running, GET + b"GET /pub") as (client, peer, _):
            await asyncio.sleep(0.15)
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
            async with asyncio.timeout(2):
                assert await client.is_closed()
        await settle(running)


# -- the end --------------------------------------------------------------------------------------


async def test_an_answer_under_way_says_that_the_connection_ends(running: RunningGateway) -> None:
    """Draining hands over what is in the air: a client must not ask again on a closing one."""
    async with in_flight(running) as (client, peer, watched):
        closing = asyncio.create_task(running.gateway.listener.close())
        await until(lambda: running.gateway.listener._entry.is_draining)
        assert not watched.in_the_air
        await peer.send(OK)
        answer = await client.answer()
        assert (answer.body, answer.value("Connection")) == (b"ok", "close")
        assert await client.is_closed()
        await closing
    assert statuses(running) == [200]


async def test_what_is_not_answered_in_time_is_cut_off(running: RunningGateway) -> None:
    """The request ends, once, and says why."""
    async with in_flight(running) as (client, peer, watched):
        assert server_of(running).busy_connections == 1
        await running.gateway.listener.close(0.05)
        assert (await read_rest(client))[0] == b""
        assert await peer.rest() == b""
        assert not watched.in_the_air
    assert statuses(running) == [499]
    assert running.log_lines()[-1]["error"] == "cut_off_at_shutdown"


async def test_a_connection_can_be_upgraded_afterwards(running: RunningGateway) -> None:
    """Fast requests, then a WebSocket, on one connection; nothing of ours stands in its way."""
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    asked = b"GET /public/ws HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    said = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    async with in_flight(running) as (client, peer, watched):
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        await client.send(asked + key + b"\r\n")
        await peer.request()
        await peer.send(said + b"\x81\x02hi")
        assert (await client.answer()).status == 101
        assert await client.reader.readexactly(4) == b"\x81\x02hi"
        await client.send(b"\x81\x82\x00\x00\x00\x00ho")
        assert await peer.exactly(8) == b"\x81\x82\x00\x00\x00\x00ho"
        assert watched.took == [True]
    await settle(running)
