"""The link to one Redis server. It must not know sessions.

Its name may lead to another server after a failover, while connections to the old one live on: a
replica now, which may be cut off from the new one. So while endings are followed, a connection
made beside the subscription is asked for its ROLE, and a server that is deposed ends the stretch.
"""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from gateway.sessions.redis.connection import connector_of, trip
from gateway.sessions.redis.endings import follow
from gateway.sessions.redis.link import Command, Primary
from gateway.sessions.redis.marker import TAGS, Marker, marker_name
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.records import RubbishError
from gateway.sessions.store import STORE_TIMEOUT_S, Listener
from gateway.settings.redis_url import RedisAddress

LOOK_S = 0.5


class DeposedError(RedisError):
    """The server has become a replica."""


class SingleLink:
    """A `RedisLink` to the one server of an address."""

    def __init__(self, address: RedisAddress) -> None:
        self._node = Node(connector_of(address), *address.hosts[0])

    async def send(self, _name: str, *commands: Command, confirm: bool = False) -> list[object]:
        return await self._node.send(*commands, confirm=confirm)

    async def primaries(self) -> Sequence[Primary]:
        return [self._node]

    async def follow(self, listener: Listener) -> NoReturn:
        marker = marker_on(self._node)

        async def watch() -> NoReturn:
            await _watch_role(self._node)

        await follow([self._node], listener, marker.begin, [marker.watch, watch])

    async def ping(self) -> None:
        await ping(self._node)

    async def close(self) -> None:
        await self._node.close()


async def ping(node: Node) -> None:
    """Ask a server for a sign of life. Raises: RedisError, OSError, RubbishError."""
    if await node.send(("PING",)) != [b"PONG"]:
        raise RubbishError("not a PONG")


async def _watch_role(node: Node) -> NoReturn:
    """Raises: DeposedError, once it is a replica; one that is from the beginning may stay."""
    connection = await node.connect()
    try:
        may_stay = await _is_replica(connection)
        while True:
            await asyncio.sleep(LOOK_S)
            if not may_stay and await _is_replica(connection):
                break
    finally:
        await connection.disconnect(nowait=True)
    await node.renew()
    raise DeposedError("the server is a replica now")


async def _is_replica(connection: AbstractConnection) -> bool:
    """Whether it says so; a service that does not know ROLE has none."""
    async with asyncio.timeout(STORE_TIMEOUT_S):
        match await trip(connection, [("ROLE",)]):
            case [[b"slave", *_]]:
                return True
    return False


def marker_on(node: Node) -> Marker:
    """The marker of a server that holds all there is."""

    async def read(names: Sequence[str]) -> Sequence[object]:
        return await node.send(*(("GET", name) for name in names))

    async def place(name: str, value: str) -> None:
        await node.send(("SET", name, value, "NX"))

    return Marker([marker_name(TAGS[0])], read, place)
