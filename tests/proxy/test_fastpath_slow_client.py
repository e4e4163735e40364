"""Clients that take their answers late or never, while the fast path answers: on both loops."""

import asyncio
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from gateway.protocol import GatewayProtocol
from tests.support.endings import until
from tests.support.flights import Watched, connected, counted, server_of, settle, statuses
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import OK, RawClient
from tests.support.wire import Service, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
UNREAD = 60_000
HASTY: Mapping[str, object] = {"server": {"timeouts": {"write_idle": "200ms"}}}


@pytest.mark.parametrize("size", [UNREAD, 250_000])
async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, size: int) -> None:
    """After `write_idle`, whatever it goes on asking; what is held for it is bounded."""
    async with run_gateway(tmp_path, HASTY) as running:
        running.upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        running.upstream.answer += bytes(size)
        assert (await running.get("/public/warm")).status == 200
        watched = Watched(running)
        async with connected(running) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined] # a real one has it
            connection = await connection_of(running, client)
            await ask_until_paused(running, client, connection)
            assert sum(watched.took) > 1
            transport = connection.transport
            assert transport is not None
            assert transport.get_write_buffer_size() < 65_536 + size + 1000
            begun = asyncio.get_running_loop().time()
            await until(lambda: connection.transport is None)
            assert asyncio.get_running_loop().time() - begun < 2
        await settle(running)
        assert running.log_lines()[-1]["error"] == "client_gone"
        assert statuses(running, after=1) == [200] * len(watched.took)
        assert running.log_lines()[-1]["bytes"] == size


async def ask_until_paused(
    running: RunningGateway, client: RawClient, connection: GatewayProtocol
) -> int:
    """Ask one by one until the client's side is full; return how often."""
    for asked in count(1):
        before = counted(running)
        await client.send(GET)
        while counted(running) == before and not connection.writing_paused:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.001)
        if connection.writing_paused:
            return asked
    raise AssertionError


async def test_a_client_that_reads_late_gets_all(running: RunningGateway) -> None:
    """Hundreds of answers, in order, none kept in memory beyond a bound."""
    running.upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % UNREAD
    running.upstream.answer += bytes(UNREAD)
    assert (await running.get("/public/warm")).status == 200
    watched = Watched(running)
    async with connected(running) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # a real one has it
        connection = await connection_of(running, client)
        assert connection.transport is not None
        asked = await ask_until_paused(running, client, connection)
        most = 0
        for _ in range(100):
            client.writer.write(GET)
            await asyncio.sleep(0.001)
            most = max(most, connection.transport.get_write_buffer_size())
        client.writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
        for _ in range(asked + 100):
            assert (await client.answer()).body == bytes(UNREAD)
        assert sum(watched.took) > 1
        assert most < 4 * 65_536
        assert not watched.in_the_air
    await settle(running)
    assert counted(running) == 1 + asked + 100


async def connection_of(running: RunningGateway, client: RawClient) -> GatewayProtocol:
    """The gateway's side of a client's connection."""
    own = client.writer.get_extra_info("sockname")

    def find() -> list[GatewayProtocol]:
        return [
            each
            for each in server_of(running).connections
            if isinstance(each, GatewayProtocol) and each.peername == own
        ]

    await until(find)
    return find()[0]


async def test_an_answer_may_come_too_late(running: RunningGateway) -> None:
    """To a client that has half-closed while it had not yet taken the answers before."""
    service = Service(running.upstream)
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n" + bytes(30_000)
    async with connected(running) as client:
        connection = await connection_of(running, client)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # a real one has it
        transport = connection.transport
        assert transport is not None
        await client.send(GET)
        peer = await service.accept()
        untaken = 0
        await peer.request()
        while not transport.get_write_buffer_size():
            untaken += 1
            await peer.send(large)
            await until(lambda: connection.is_idle)
            await client.send(GET)
            await peer.request()
        watched = Watched(running)
        assert watched.in_the_air
        client.writer.write_eof()
        await until(transport.is_closing)
        await peer.send(OK)
        await until(lambda: not watched.in_the_air)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
        for _ in range(untaken):
            assert (await client.answer()).body == bytes(30_000)
        assert (await read_rest(client))[0] == b""
        peer.abort()
    await settle(running)
    line = running.log_lines()[-1]
    assert (line["status"], line["bytes"], line["error"]) == (200, 0, "client_gone")
