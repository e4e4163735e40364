"""Hearing of endings from Redis: one subscription, from its connection to its loss.

It must not know records or commands of other connections. It speaks through redis-py's plain
connection, not its PubSub: that one connects anew by itself, and nobody would learn that messages
were missed.

A `PING` every `BEAT_S` goes the same way as the messages, and its answer comes after all of them
that Redis sent before: so an answer says that every ending until its question has been told. A
peer that died without a word gives no answer, and after `_UNANSWERED` questions, a second, the
subscription ends. Questions are counted and not time: while this process itself was held up, it
asked nothing, and answers that wait to be read are no silence.
Redis 6 answers `PING` within a subscription with a list, outside with a word (RESP2), so a
connection that lost its subscription cannot pass for one that has it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from typing import NoReturn

from redis.asyncio.connection import AbstractConnection

from gateway.sessions.redis_records import ENDED_CHANNEL, RubbishError
from gateway.sessions.store import BEAT_S, STORE_TIMEOUT_S, Listener
from gateway.sessions.token import is_session_key

_UNANSWERED = 4


async def follow(connection: AbstractConnection, listener: Listener) -> NoReturn:
    """Subscribe and tell `listener`, until the connection is lost; it is closed then.

    Raises: RedisError, OSError, TimeoutError, RubbishError.
    """
    subscription = _Subscription(connection, listener)
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            await subscription.join()
        await _first_of(subscription.read(), subscription.ping())
    finally:
        await connection.disconnect(nowait=True)


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


class _Subscription:
    """What is said on one connection."""

    def __init__(self, connection: AbstractConnection, listener: Listener) -> None:
        self._connection = connection
        self._listener = listener
        self._asked_at: deque[float] = deque()

    async def join(self) -> None:
        """Connect and subscribe."""
        await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        asked_at = time.monotonic()
        await self._connection.send_command("SUBSCRIBE", ENDED_CHANNEL, check_health=False)
        if await self._connection.read_response() != [b"subscribe", ENDED_CHANNEL.encode(), 1]:
            raise RubbishError("not a subscription")
        self._listener.heard(time.monotonic() - asked_at)

    async def read(self) -> NoReturn:
        """Take messages in."""
        while True:
            match await self._connection.read_response():
                case [b"message", _, bytes(text)]:
                    key = text.decode("ascii")
                    if is_session_key(key):  # else somebody else's, and no key of ours
                        self._listener.ended([key])
                case [b"pong", b""] if self._asked_at:
                    self._listener.heard(time.monotonic() - self._asked_at.popleft())
                case _:
                    raise RubbishError("not a message of a subscription")

    async def ping(self) -> NoReturn:
        """Ask on and on, until too many questions are without an answer."""
        while len(self._asked_at) < _UNANSWERED:
            await asyncio.sleep(BEAT_S)
            self._asked_at.append(time.monotonic())
            await self._connection.send_command("PING", check_health=False)
        raise TimeoutError("a silent subscription")
