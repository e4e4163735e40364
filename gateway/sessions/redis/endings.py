"""Hearing of endings and renewals from Redis: one stretch, from its connections to their loss.

It must not know records or commands of other connections. It speaks through redis-py's plain
connection, not its PubSub: that one connects anew by itself, and nobody would learn that messages
were missed.

A `PING` every `BEAT_S` goes the same way as the messages, and its answer comes after all of them
that this server sent before: so an answer says that every ending in its own scripts until its
question has been told. In a Cluster each ending is published by the primary that holds it, and the
bus between the nodes promises nothing: so every primary is followed, and what has been told is what
the one that was heard longest ago has told.
A peer that died without a word gives no answer, and after `_UNANSWERED` questions, a second, the
stretch ends. Questions are counted and not time: while this process itself was held up, it asked
nothing, and answers that wait to be read are no silence.
Redis 6 answers `PING` within a subscription with a list, outside with a word (RESP2), so a
connection that lost its subscription cannot pass for one that has it.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NoReturn

from redis.asyncio.connection import AbstractConnection

from gateway.sessions.redis.connection import raise_first, trip
from gateway.sessions.redis.node import Node
from gateway.sessions.redis.records import NEWS_CHANNEL, RubbishError
from gateway.sessions.store import BEAT_S, STORE_TIMEOUT_S, Listener
from gateway.sessions.token import is_session_key

Watch = Callable[[], Coroutine[object, object, NoReturn]]

_UNANSWERED = 4


async def follow(
    nodes: Sequence[Node],
    listener: Listener,
    begin: Callable[[], Awaitable[None]],
    watches: Sequence[Watch],
) -> NoReturn:
    """Subscribe everywhere and tell `listener`, until one connection is lost or one watch fails.

    `begin` is awaited when all have joined, before anything counts as heard.
    Raises: RedisError, OSError, TimeoutError, RubbishError.
    """
    heard = _Heard(listener, len(nodes))
    subscriptions: list[_Subscription] = []
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            for number, node in enumerate(nodes):
                connection = await node.connect()
                subscriptions.append(_Subscription(connection, listener, heard, number))
                await subscriptions[-1].join()
            await begin()
        heard.begin()
        sides = [side() for one in subscriptions for side in (one.read, one.ping)]
        await _first_of(*sides, *(watch() for watch in watches))
    finally:
        for one in subscriptions:
            await one.close()


async def _first_of(*sides: Coroutine[object, object, NoReturn]) -> NoReturn:
    """Run all until one fails, and fail as it did."""
    tasks = [asyncio.create_task(side, name="subscription") for side in sides]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Heard:
    """When each server was heard, and with them the oldest, which is what the listener hears."""

    def __init__(self, listener: Listener, count: int) -> None:
        self._listener = listener
        self._at = [-math.inf] * count
        self._told_at = math.inf  # nothing is told before all have joined

    def note(self, number: int, at: float) -> None:
        """All that this server did until then has been told; a monotonic moment."""
        self._at[number] = at
        if min(self._at) > self._told_at:
            self.begin()

    def begin(self) -> None:
        """Tell the listener."""
        self._told_at = min(self._at)
        self._listener.heard(time.monotonic() - self._told_at)


class _Subscription:
    """What is said on one connection."""

    def __init__(
        self, connection: AbstractConnection, listener: Listener, heard: _Heard, number: int
    ) -> None:
        self._connection = connection
        self._listener = listener
        self._heard = heard
        self._number = number
        self._asked_at: deque[float] = deque()

    async def join(self) -> None:
        """Subscribe."""
        asked_at = time.monotonic()
        replies = await trip(self._connection, [("SUBSCRIBE", NEWS_CHANNEL)])
        raise_first(replies)
        if replies != [[b"subscribe", NEWS_CHANNEL.encode(), 1]]:
            raise RubbishError("not a subscription")
        self._heard.note(self._number, asked_at)

    async def read(self) -> NoReturn:
        """Take messages in."""
        while True:
            match await self._connection.read_response():
                case [b"message", _, bytes(text)]:
                    self._tell(text.decode("ascii"))
                case [b"pong", b""] if self._asked_at:
                    self._heard.note(self._number, self._asked_at.popleft())
                case _:
                    raise RubbishError("not a message of a subscription")

    async def ping(self) -> NoReturn:
        """Ask on and on, until too many questions are without an answer."""
        while len(self._asked_at) < _UNANSWERED:
            await asyncio.sleep(BEAT_S)
            self._asked_at.append(time.monotonic())
            await self._connection.send_command("PING", check_health=False)
        raise TimeoutError("a silent subscription")

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

    def _tell(self, text: str) -> None:
        key, space, successor = text.partition(" ")
        if not is_session_key(key) or (space and not is_session_key(successor)):
            return  # somebody else's, and no key of ours
        if space:
            self._listener.renewed(key, successor)
        else:
            self._listener.ended([key])
