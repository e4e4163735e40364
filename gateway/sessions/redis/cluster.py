"""The link to a Redis Cluster.

Decides: which primary is asked, and what follows when it says that another one is to be asked.
Redis cluster specification, "Redirection and resharding":

| a node says | we |
| --- | --- |
| `MOVED` | learn the newest view, and ask that node |
| `ASK` | ask that node, this once, behind `ASKING` |
| `TRYAGAIN`, `CLUSTERDOWN`, a script's key that is not there | wait a little, and ask the owner |
| nothing | learn the newest view, and ask the owner if it is another node |

The caller's time ends what goes on for too long. A script that met a key on its way to another node
may have done a part, so each is made to be repeated. The link must not know sessions.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import NoReturn

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.sessions.parts import PartlyAwayError
from gateway.sessions.redis.connection import raise_first
from gateway.sessions.redis.endings import follow
from gateway.sessions.redis.link import Command, Primary, UnmetError
from gateway.sessions.redis.marker import TAGS, Marker, marker_name
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.nodes import Nodes
from gateway.sessions.redis.slots import UncoveredError
from gateway.sessions.store import STORE_TIMEOUT_S, Listener
from gateway.settings.redis_url import RedisAddress

LOOK_S = 0.8
"""How often the nodes are asked who the primaries are, while endings are followed."""
_SILENT_S = 0.8  # of a primary, asked for a sign of life: a part of `STORE_TIMEOUT_S`
_PAUSE_MS = (10, 50)
_NOT_HERE = "non local key"  # in Redis' own words, of a script whose key is on its way elsewhere


class ReshapedError(RedisError):
    """The primaries are others now."""


class ClusterLink:
    """A `RedisLink` to all primaries of a Cluster."""

    def __init__(self, address: RedisAddress) -> None:
        self._nodes = Nodes(address)

    async def send(self, name: str, *commands: Command, confirm: bool = False) -> list[object]:
        errand = _Errand(self._nodes, key_slot(name.encode()), confirm=confirm)
        replies = await errand.run(commands)
        raise_first(replies)
        if not errand.is_met:
            raise UnmetError(replies)
        return replies

    async def primaries(self) -> Sequence[Primary]:
        return await self._nodes.primaries()

    async def follow(self, listener: Listener) -> NoReturn:
        primaries = await self._nodes.refreshed_primaries()
        marker = Marker([marker_name(tag) for tag in TAGS], self._read, self._place)

        async def watch() -> NoReturn:
            while True:
                await asyncio.sleep(LOOK_S)
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    now = await self._nodes.refreshed_primaries()
                if now != primaries:
                    raise ReshapedError("the primaries are others now")

        await follow(primaries, listener, marker.begin, [marker.watch, watch])

    async def ping(self) -> None:
        """Ask every primary for what it holds. Raises: PartlyAwayError, where some answer."""
        owners = {tag: await self._owner_of(tag) for tag in TAGS}
        nodes = {owner for owner in owners.values() if owner is not None}
        found = await asyncio.gather(*(_away_at(node, owners) for node in nodes))
        away = [tag for tags in found for tag in tags]
        away += [tag for tag, owner in owners.items() if owner is None]
        if len(away) == len(TAGS):
            raise RedisConnectionError("no primary answers")
        if away:
            raise PartlyAwayError(away)

    async def close(self) -> None:
        await self._nodes.close()

    async def _owner_of(self, tag: str) -> Node | None:
        try:
            return await self._nodes.owner_of(key_slot(marker_name(tag).encode()))
        except UncoveredError:
            return None

    async def _read(self, names: Sequence[str]) -> Sequence[object]:
        """GET of names on many slots: one trip to each primary."""
        owners = [await self._nodes.owner_of(key_slot(name.encode())) for name in names]
        values: dict[str, object] = {}

        async def read_of(owner: Node) -> None:
            own = [name for name, one in zip(names, owners, strict=True) if one is owner]
            made = await owner.exchange([("GET", name) for name in own])
            for name, reply in zip(own, made.replies, strict=True):
                is_elsewhere = isinstance(reply, ResponseError)
                values[name] = (await self.send(name, ("GET", name)))[0] if is_elsewhere else reply

        await asyncio.gather(*(read_of(owner) for owner in dict.fromkeys(owners)))
        return [values[name] for name in names]

    async def _place(self, name: str, value: str) -> None:
        await self.send(name, ("SET", name, value, "NX"))


async def _away_at(node: Node, owners: Mapping[str, Node | None]) -> list[str]:
    """Return the tags at a node that it does not serve now."""
    own = [tag for tag, owner in owners.items() if owner is node]
    try:
        async with asyncio.timeout(_SILENT_S):
            made = await node.exchange([("GET", marker_name(tag)) for tag in own])
    except (RedisError, OSError):  # a time-out too
        return own
    return [tag for tag, one in zip(own, made.replies, strict=True) if _is_no_service(one)]


def _is_no_service(reply: object) -> bool:
    """Whether a node cannot serve a slot now; one that has moved is served elsewhere."""
    return isinstance(reply, RedisError) and not isinstance(reply, (MovedError, AskError))


class _Errand:
    """Commands for one slot, until each has its answer."""

    def __init__(self, nodes: Nodes, slot: int, *, confirm: bool) -> None:
        self._nodes = nodes
        self._slot = slot
        self._confirm = confirm
        self.is_met = True

    async def run(self, commands: Sequence[Command]) -> list[object]:
        replies = await self._try(commands)
        moved = _common_move(replies)
        if moved is not None:
            replies = await self._follow_move(moved, commands)
        # One by one: a slot on its way has some keys here and some there.
        return [
            await self._settle(command, reply)
            for command, reply in zip(commands, replies, strict=True)
        ]

    async def _settle(self, command: Command, reply: object) -> object:
        while _is_redirected(reply):
            match reply:
                case MovedError():
                    await _pause()  # a second time: the nodes do not agree yet
                    reply = (await self._follow_move(reply, [command]))[0]
                case AskError():
                    node = self._nodes.at(reply.node_addr)
                    reply = (await self._exchange(node, [("ASKING",), command]))[1]
                case _:
                    await _pause()
                    await self._nodes.refresh()
                    reply = (await self._try([command]))[0]
        return reply

    async def _follow_move(self, moved: MovedError, commands: Sequence[Command]) -> list[object]:
        await self._nodes.refresh()
        # As it was told: who was asked for the newest view may not have heard of the move.
        return await self._exchange(self._nodes.at(moved.node_addr), commands)

    async def _try(self, commands: Sequence[Command]) -> list[object]:
        """Ask the owner; and where it is silent, whoever is the owner then."""
        owner = await self._owner()
        try:
            return await self._exchange(owner, commands)
        except (RedisConnectionError, ReadOnlyError, OSError):
            await self._nodes.refresh()
            successor = await self._owner()
            if successor is owner:
                raise
            return await self._exchange(successor, commands)

    async def _owner(self) -> Node:
        try:
            return await self._nodes.owner_of(self._slot)
        except UncoveredError:
            await _pause()
            await self._nodes.refresh()
            return await self._nodes.owner_of(self._slot)

    async def _exchange(self, node: Node, commands: Sequence[Command]) -> list[object]:
        made = await node.exchange(commands, confirm=self._confirm)
        self.is_met &= made.is_met
        if self._confirm and node.is_alone:
            # One that was deposed while it stood still does not know it when it wakes.
            self.is_met &= await self._nodes.is_sure(node)
        return made.replies


def _common_move(replies: Sequence[object]) -> MovedError | None:
    """The move of them all, as when a slot has moved since it was last asked."""
    if not replies or not all(isinstance(reply, MovedError) for reply in replies):
        return None
    return replies[0] if isinstance(replies[0], MovedError) else None


def _is_redirected(reply: object) -> bool:
    return isinstance(reply, (AskError, TryAgainError, ClusterDownError)) or (
        isinstance(reply, ResponseError) and _NOT_HERE in str(reply)
    )


async def _pause() -> None:
    shortest, longest = _PAUSE_MS
    await asyncio.sleep((shortest + secrets.randbelow(longest - shortest)) / 1000)
