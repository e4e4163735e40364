"""The link to one Redis server. It must not know sessions."""

from collections.abc import Sequence
from typing import NoReturn

from gateway.sessions.redis.connection import connector_of
from gateway.sessions.redis.endings import follow
from gateway.sessions.redis.link import Command, Primary
from gateway.sessions.redis.marker import TAGS, Marker, marker_name
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.records import RubbishError
from gateway.sessions.store import Listener
from gateway.settings.redis_url import RedisAddress


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
        await follow([self._node], listener, marker.begin, [marker.watch])

    async def ping(self) -> None:
        await ping(self._node)

    async def close(self) -> None:
        await self._node.close()


async def ping(node: Node) -> None:
    """Ask a server for a sign of life. Raises: RedisError, OSError, RubbishError."""
    if await node.send(("PING",)) != [b"PONG"]:
        raise RubbishError("not a PONG")


def marker_on(node: Node) -> Marker:
    """The marker of a server that holds all there is."""

    async def read(names: Sequence[str]) -> Sequence[object]:
        return await node.send(*(("GET", name) for name in names))

    async def place(name: str, value: str) -> None:
        await node.send(("SET", name, value, "NX"))

    return Marker([marker_name(TAGS[0])], read, place)
