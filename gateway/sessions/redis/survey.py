"""Asking several servers the same thing, for a view that no single one of them can be trusted with.

A server that was cut off, or stood still, goes on telling what it last knew. So many are asked, and
whoever reads the answers takes the newest view.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from gateway.sessions.redis.link import Command
from gateway.sessions.redis.node import Node

ASKED = 9
"""Of more servers so many are asked, chosen at random."""
_WITHIN_S = 0.5  # a part of `STORE_TIMEOUT_S`: the call that waits for it has still to be sent

Answer = tuple[Node, list[object]]


class SilentError(RedisConnectionError):
    """None of the servers answered."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Who answered what; whether they are most of those asked."""

    given: list[Answer]
    are_most: bool


async def ask(nodes: Sequence[Node], *commands: Command, everybody: bool = False) -> Answers:
    """Ask until most have answered, or `everybody`, or the time is over. Raises: SilentError."""
    asked = secrets.SystemRandom().sample(nodes, min(len(nodes), ASKED))
    tasks = [asyncio.create_task(_ask(node, commands), name="redis survey") for node in asked]
    try:
        return await _gather(tasks, len(tasks) if everybody else len(tasks) // 2 + 1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(node: Node, commands: Sequence[Command]) -> Answer:
    return node, await node.send(*commands)


async def _gather(tasks: Sequence[asyncio.Task[Answer]], enough: int) -> Answers:
    given: list[Answer] = []
    fault: Exception | None = None
    try:
        async with asyncio.timeout(_WITHIN_S):
            for next_one in asyncio.as_completed(tasks):
                try:
                    given.append(await next_one)
                except (RedisError, OSError) as error:
                    fault = error
                if len(given) >= enough:
                    break
    except TimeoutError:
        pass  # those who have answered by now are those who answer
    if not given:
        raise SilentError("none answers") from fault
    return Answers(given, len(given) > len(tasks) // 2)
