"""The link to the primary that Sentinel names.

Decides: which server that is, and when to ask again. Sentinels that were cut off tell an old view,
so all are asked and the highest configuration epoch wins. What they said is good for `_KNOWN_S`;
while endings are followed, they are asked every `LOOK_S` anyway. It must not know sessions.

A primary that is deposed while it stands still does not know it when it wakes: it takes writes that
will be lost, and a replica that has not changed over yet even confirms them. So while any sentinel
doubts the primary, and wherever there was no replica to confirm, a write stands only if most of the
sentinels answer afterwards, and none of them is about to replace that server.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from gateway.sessions.redis.connection import RefusalError, connector_of, sentinel_connector_of
from gateway.sessions.redis.endings import follow
from gateway.sessions.redis.link import Command, Primary, UnmetError
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.records import RubbishError, read_map
from gateway.sessions.redis.single import marker_on, ping
from gateway.sessions.redis.survey import SilentError, ask
from gateway.sessions.store import Listener
from gateway.settings.redis_url import RedisAddress

LOOK_S = 0.8
_KNOWN_S = 1.5
_REPLACING = {b"o_down", b"failover_in_progress"}


class DeposedError(RedisError):
    """Another server is the primary now."""


class SentinelLink:
    """A `RedisLink` to whatever server is the primary."""

    def __init__(self, address: RedisAddress) -> None:
        connect = sentinel_connector_of(address)
        self._sentinels = [Node(connect, *host) for host in address.hosts]
        self._connect = connector_of(address)
        self._name = address.master_name
        self._node: Node | None = None
        self._asked_at = 0.0
        self._is_doubted = False
        self._question: asyncio.Task[None] | None = None

    async def send(self, _name: str, *commands: Command, confirm: bool = False) -> list[object]:
        node = await self._primary()
        try:
            return await self._send(node, commands, confirm=confirm)
        except (RedisConnectionError, ReadOnlyError, OSError):
            successor = await self._ask_now()
            if successor is node:
                raise
            return await self._send(successor, commands, confirm=confirm)

    async def primaries(self) -> Sequence[Primary]:
        return [await self._primary()]

    async def follow(self, listener: Listener) -> NoReturn:
        node = await self._ask_now()
        marker = marker_on(node)

        async def watch() -> NoReturn:
            while True:
                await asyncio.sleep(LOOK_S)
                if await self._ask_now() is not node:
                    raise DeposedError("sentinel names another primary")

        await follow([node], listener, marker.begin, [marker.watch, watch])

    async def ping(self) -> None:
        await ping(await self._primary())

    async def close(self) -> None:
        if self._question is not None:
            await asyncio.gather(self._question, return_exceptions=True)
        nodes = [*self._sentinels, *([self._node] if self._node else [])]
        await asyncio.gather(*(node.close() for node in nodes))

    async def _send(
        self, node: Node, commands: Sequence[Command], *, confirm: bool
    ) -> list[object]:
        replies = await node.send(*commands, confirm=confirm)
        is_unsure = node.is_alone or self._is_doubted
        if confirm and is_unsure and not await self._is_still(node):
            raise UnmetError(replies)
        return replies

    async def _is_still(self, node: Node) -> bool:
        questions = (
            ("SENTINEL", "MASTER", self._name),
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name),  # the next one's, once promoted
        )
        try:
            answers = await ask(self._sentinels, *questions, everybody=True)
        except RedisError:
            return False
        are_at_ease = [_is_at_ease(node, replies) for _, replies in answers.given]
        return answers.are_most and all(are_at_ease)

    async def _primary(self) -> Node:
        if self._node is None or _now() - self._asked_at > _KNOWN_S:
            return await self._ask_now()
        return self._node

    async def _ask_now(self) -> Node:
        """Return the primary. While no sentinel answers, the one it was goes on."""
        try:
            await self._question_now()
        except SilentError:
            if self._node is None:
                raise
        if self._node is None:
            raise SilentError("no primary is named")
        return self._node

    async def _question_now(self) -> None:
        """Learn the primary, together with all who ask at this time."""
        if self._question is None:
            self._question = asyncio.create_task(self._learn(), name="sentinels")
            self._question.add_done_callback(self._question_ended)
        await asyncio.shield(self._question)

    def _question_ended(self, question: asyncio.Task[None]) -> None:
        self._question = None
        if not question.cancelled():
            question.exception()  # told to whoever still waits

    async def _learn(self) -> None:
        question = ("SENTINEL", "MASTER", self._name)
        try:
            answers = await ask(self._sentinels, question, everybody=True)
        except SilentError as error:
            if isinstance(error.__cause__, ResponseError):
                raise RefusalError("the sentinels know no master of this name") from error
            raise
        finally:
            self._asked_at = _now()
        views = [_read_master(replies[0]) for _, replies in answers.given]
        self._is_doubted = any(view.flags != {b"master"} for view in views)
        await self._change_to(max(views, key=lambda view: view.epoch).address)

    async def _change_to(self, address: tuple[str, int]) -> None:
        if self._node is not None and self._node.address == address:
            return
        deposed, self._node = self._node, Node(self._connect, *address, must_be_primary=True)
        if deposed is not None:
            await deposed.close()


@dataclass(frozen=True, slots=True)
class _View:
    """What a sentinel knows of the primary."""

    epoch: int
    address: tuple[str, int]
    flags: frozenset[bytes]


def _read_master(reply: object) -> _View:
    """Read the answer to `SENTINEL MASTER`. Raises: RubbishError."""
    fields = read_map(reply)
    try:
        return _View(
            epoch=int(fields[b"config-epoch"]),
            address=(fields[b"ip"].decode(), int(fields[b"port"])),
            flags=frozenset(fields[b"flags"].split(b",")),
        )
    except (KeyError, ValueError) as error:
        raise RubbishError("not a master") from error


def _is_at_ease(node: Node, replies: Sequence[object]) -> bool:
    """Whether a sentinel names this server, and is not about to replace it.

    Only the one that leads a failover knows of it, so everybody is asked. One alone that does not
    reach the server (`s_down`) replaces nobody.
    """
    match replies:
        case [list(master), [bytes(host), bytes(port)]]:
            view = _read_master(master)
            named = (host.decode(), int(port))
            return view.address == named == node.address and not view.flags & _REPLACING
    return False


def _now() -> float:
    return asyncio.get_running_loop().time()
