"""The server's connections: counted, bounded, and drained at the end (D4)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from gateway.answers import Written, write
from gateway.errors import GatewayError
from gateway.limits import ProtocolLimits
from gateway.server import GatewayServer
from tests.support.gateway import run_gateway
from tests.support.raw import RawClient, connect
from tests.support.serving import until

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


# -- counted ---------------------------------------------------------------------------------------


async def _never(_: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("nobody asks")


def _refuse(_: web.BaseRequest, error: GatewayError) -> web.StreamResponse:
    raise AssertionError(error.code)


def server_of(limits: ProtocolLimits, *exempt: str) -> GatewayServer:
    """A server that nobody asks, and that has no bound for these addresses."""
    return GatewayServer(_never, _refuse, limits, lambda address: address in exempt)


async def test_connections_are_counted() -> None:
    """Those that are one too many, too, until they have ended."""
    server = server_of(ProtocolLimits(connections=2))
    assert [server.admit("192.0.2.1"), server.admit("192.0.2.2"), server.admit("192.0.2.3")] == [
        True,
        True,
        False,
    ]
    assert server.open_connections == 3
    server.leave("192.0.2.3")
    assert not server.admit("192.0.2.3")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        server.leave(address)
    assert server.open_connections == 0
    assert server.admit("192.0.2.3")


async def test_each_address_has_its_share() -> None:
    """Another's connections do not count; a place given back is there again."""
    server = server_of(ProtocolLimits(connections_per_ip=1))
    assert [server.admit("192.0.2.1"), server.admit("192.0.2.1"), server.admit("192.0.2.2")] == [
        True,
        False,
        True,
    ]
    server.leave("192.0.2.1")
    assert not server.admit("192.0.2.1"), "one is still there, and this is the second"
    for _ in range(2):
        server.leave("192.0.2.1")
    assert server.admit("192.0.2.1")


@pytest.mark.parametrize("address", ["192.0.2.9", ""], ids=["a trusted proxy", "a unix socket"])
async def test_who_brings_many_clients_has_no_share(address: str) -> None:
    """Only the total bounds it."""
    server = server_of(ProtocolLimits(connections_per_ip=1, connections=5), "192.0.2.9")
    assert [server.admit(address) for _ in range(6)] == [True] * 5 + [False]


async def test_a_customer_of_ipv6_has_one_share() -> None:
    """He has 2^64 addresses; his neighbour is another (D4)."""
    server = server_of(ProtocolLimits(connections_per_ip=1))
    assert server.admit("2001:db8::1")
    assert not server.admit("2001:db8::2")
    assert server.admit("2001:db8:0:1::1")
    server.leave("2001:db8::1")
    server.leave("2001:db8::2")
    assert server.admit("2001:db8::3")


# -- over the whole gateway ------------------------------------------------------------------------


async def test_too_many_connections_are_closed_unanswered(tmp_path: Path) -> None:
    """The ones there are go on; a place that is free is given again (D4)."""
    async with run_gateway(tmp_path, {"server": {"limits": {"connections": 2}}}) as gateway:
        first, second, third = [await connect(gateway.port) for _ in range(3)]
        assert await third.is_closed()
        for client in (first, second):
            await client.send(GET)
            assert (await client.answer()).status == 200
        await first.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await first.answer()).status == 200
        assert await first.is_closed()
        assert (await gateway.get("/public/x")).status == 200
        for client in (first, second, third):
            await client.close()


async def test_one_address_has_its_share(tmp_path: Path) -> None:
    """`connections_per_ip`; another address is not concerned (D4)."""
    async with run_gateway(tmp_path, {"server": {"limits": {"connections_per_ip": 1}}}) as gateway:
        first = await connect(gateway.port)
        await first.send(GET)
        assert (await first.answer()).status == 200
        second = await connect(gateway.port)
        assert await second.is_closed()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.port, local_addr=("127.0.0.2", 0)
        )
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        for each in (first.writer, second.writer, writer):
            each.close()


async def test_a_trusted_proxy_may_bring_many_clients(tmp_path: Path) -> None:
    """Its address stands for many; only the total bounds it."""
    server = {"limits": {"connections_per_ip": 1}, "trusted_proxies": ["127.0.0.0/8"]}
    async with run_gateway(tmp_path, {"server": server}) as gateway:
        clients = [await connect(gateway.port) for _ in range(4)]
        for client in clients:
            await client.send(GET)
            assert (await client.answer()).status == 200
            await client.close()


# -- draining --------------------------------------------------------------------------------------


class Work:
    """A handler that answers when it is told to."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.was_cancelled = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.has_begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        write(request, EMPTY)
        return Written(200, keep_alive=True)


@asynccontextmanager
async def serve(work: Work) -> AsyncIterator[tuple[GatewayServer, RawClient]]:
    """A server, and one client that is connected to it."""
    server = GatewayServer(work.handle, _refuse, ProtocolLimits(), lambda _: False)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    client = await connect(listening.sockets[0].getsockname()[1])
    try:
        yield server, client
    finally:
        await client.close()
        listening.close()
        await server.drain(0)


async def test_busy_and_open_connections() -> None:
    """Busy from the request's beginning to its end; open until the connection ends."""
    work = Work()
    async with serve(work) as (server, client):
        await client.send(GET)
        await work.has_begun.wait()
        assert (server.open_connections, server.busy_connections) == (1, 1)
        work.may_end.set()
        assert (await client.answer()).status == 200
        await until(lambda: not server.busy_connections, "the request is over")
        assert (server.open_connections, server.busy_connections) == (1, 0)
        await client.close()
        await until(lambda: not server.open_connections, "the connection is over")


async def test_a_server_without_connections_is_drained() -> None:
    """There is nothing to wait for, however long one might."""
    async with asyncio.timeout(5):
        await server_of(ProtocolLimits()).drain(3600)


async def test_draining_waits_for_what_is_under_way() -> None:
    """Then the connection is closed, though it could be kept."""
    work = Work()
    async with serve(work) as (server, client):
        await client.send(GET)
        await work.has_begun.wait()
        draining = asyncio.create_task(server.drain(30))
        await asyncio.sleep(0)
        assert not draining.done()
        work.may_end.set()
        assert (await client.answer()).status == 200
        assert await client.is_closed()
        await draining
        assert server.open_connections == 0
        assert not work.was_cancelled


async def test_draining_cuts_what_takes_too_long() -> None:
    """The handler learns of it, and is awaited."""
    work = Work()
    async with serve(work) as (server, client):
        await client.send(GET)
        await work.has_begun.wait()
        await server.drain(0.01)
        assert work.was_cancelled
        assert server.open_connections == 0
        assert await client.is_closed()
