"""Looks into the fast path: which requests took it, and whether anything of them is left."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from gateway.fastpath import FastPath
from gateway.flights import Client, Flight
from gateway.proxy.pool import Pool
from gateway.server import GatewayServer
from tests.support.endings import until
from tests.support.gateway import RunningGateway
from tests.support.raw import RawClient, connect


def server_of(running: RunningGateway) -> GatewayServer:
    """The server of the public listener."""
    return running.gateway.listener._server


def pools_of(running: RunningGateway) -> tuple[Pool, ...]:
    """The pools of the upstream `main`."""
    return running.gateway.listener._entry._parts.proxy._upstreams["main"].pools


def switch_off(running: RunningGateway) -> None:
    """From now on every request gets a task."""
    server_of(running).fast_path = None


class Watched:
    """The real fast path; `took` tells of each request offered whether it was taken.

    `again` counts those that were known by their bytes.
    """

    def __init__(self, running: RunningGateway) -> None:
        server = server_of(running)
        self.path = cast("FastPath", server.fast_path)
        self.took: list[bool] = []
        self.again = 0
        server.fast_path = self

    def begin(
        self, client: Client, message: RawRequestMessage, body: StreamReader, data: bytes
    ) -> Flight | None:
        flight = self.path.begin(client, message, body, data)
        self.took.append(flight is not None)
        return flight

    def begin_again(self, client: Client, data: bytes) -> Flight | None:
        flight = self.path.begin_again(client, data)
        if flight is not None:
            self.took.append(True)
            self.again += 1
        return flight

    @property
    def in_the_air(self) -> int:
        """Flights that have neither landed nor been left."""
        return len(self.path._flights)


def places_of(running: RunningGateway) -> int:
    """Places of pools that are taken."""
    return sum(pool.in_use for pool in pools_of(running))


async def settle(running: RunningGateway, *, collects: bool = True) -> None:
    """Wait until nothing is under way, and check that nothing is left of it.

    `collects` finds tasks and futures whose failures nobody asked for.
    """
    await until(lambda: not places_of(running) and not server_of(running).busy_connections)
    fast_path = server_of(running).fast_path
    if isinstance(fast_path, Watched):
        assert not fast_path.in_the_air
    if collects:
        gc.collect()
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(running: RunningGateway) -> AsyncIterator[RawClient]:
    """A client's connection, until the block ends."""
    client = await connect(running.port)
    try:
        yield client
    finally:
        await client.close()


def statuses(running: RunningGateway, *, after: int = 2) -> list[object]:
    """What was logged, without the first requests, which prepared the connections."""
    return [line["status"] for line in running.log_lines()][after:]


def counted(running: RunningGateway) -> int:
    """Requests that were counted."""
    cells = running.gateway.listener._entry._parts.counts._cells.values()
    return sum(sum(cell.buckets) for cell in cells)


async def warm(running: RunningGateway) -> Watched:
    """Have a connection to the service at hand, and watch from now on."""
    assert (await running.get("/public/warm")).status == 200
    await settle(running)
    running.upstream.requests.clear()
    return Watched(running)
