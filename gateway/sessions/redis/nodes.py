"""The nodes of a Redis Cluster that are known, and the newest view of who holds what.

Decides: whom to ask, which view to believe, and which nodes to keep connections to. It must not
know what is asked of them.
"""

import asyncio

from redis.exceptions import RedisError, ResponseError

from gateway.sessions.redis.connection import RefusalError, connector_of
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.slots import QUESTIONS, Address, Shard, SlotMap, read_view
from gateway.sessions.redis.survey import Answers, SilentError, ask
from gateway.settings.redis_url import RedisAddress


class Nodes:
    """All nodes. Those of the settings are asked whenever the others are silent."""

    def __init__(self, address: RedisAddress) -> None:
        self._seeds = address.hosts
        self._connect = connector_of(address)
        self._nodes: dict[Address, Node] = {}
        self._view: SlotMap | None = None
        self._question: asyncio.Task[None] | None = None

    async def owner_of(self, slot: int) -> Node:
        """Return the primary that holds a slot. Raises: RedisError."""
        return self.node_of((await self._known()).owner_of(slot))

    async def primaries(self) -> list[Node]:
        """Return all primaries by their ids, as lately known. Raises: RedisError."""
        return self._in_order(await self._known())

    async def refreshed_primaries(self) -> list[Node]:
        """Return all primaries by their ids, as told now. Raises: RedisError."""
        await self.refresh()
        return self._in_order(await self._known())

    async def refresh(self) -> None:
        """Learn the newest view, together with all who ask. Raises: RedisError: none answers."""
        if self._question is None:
            self._question = asyncio.create_task(self._learn(), name="cluster nodes")
            self._question.add_done_callback(self._question_ended)
        await asyncio.shield(self._question)

    async def is_sure(self, node: Node) -> bool:
        """Whether most nodes answer now, and all of those hold this one for a primary."""
        try:
            answers = await self._ask(everybody=True)
        except RedisError:
            return False
        views = [read_view(one.address[0], replies) for one, replies in answers.given]
        return answers.are_most and all(
            node.address in {shard.address for shard in view.shards} for view in views
        )

    def node_of(self, shard: Shard) -> Node:
        """Return the node at a shard's address, which connects when it is used."""
        node = self.at(shard.address)
        node.id = shard.id
        return node

    def at(self, address: Address) -> Node:
        """Return the node at an address."""
        if address not in self._nodes:
            self._nodes[address] = Node(self._connect, *address)
        return self._nodes[address]

    async def close(self) -> None:
        if self._question is not None:
            await asyncio.gather(self._question, return_exceptions=True)
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    async def _known(self) -> SlotMap:
        if self._view is None:
            await self.refresh()
        if self._view is None:
            raise SilentError("the cluster is not known")
        return self._view

    def _in_order(self, view: SlotMap) -> list[Node]:
        return [self.node_of(shard) for shard in sorted(view.shards, key=lambda one: one.id)]

    def _question_ended(self, question: asyncio.Task[None]) -> None:
        self._question = None
        if not question.cancelled():
            question.exception()  # told to whoever still waits

    async def _ask(self, *, everybody: bool = False) -> Answers:
        asked = set(self._seeds) | (self._view.members if self._view else set())
        nodes = [self.at(address) for address in sorted(asked)]
        return await ask(nodes, *QUESTIONS, everybody=everybody)

    async def _learn(self) -> None:
        try:
            answers = await self._ask()
        except SilentError as error:
            if isinstance(error.__cause__, ResponseError):
                raise RefusalError("Redis is no Cluster, or does not say so") from error
            raise
        views = [read_view(node.address[0], replies) for node, replies in answers.given]
        self._view = max(views, key=lambda view: view.epoch)
        await self._forget_strangers(self._view)

    async def _forget_strangers(self, view: SlotMap) -> None:
        gone = [address for address in self._nodes if address not in view.members]
        await asyncio.gather(
            *(self._nodes.pop(one).close() for one in gone if one not in self._seeds)
        )
