"""The connections of one process to one server: how many, and when new ones are made.

Decides: at most `CONNECTIONS` at a time, more callers wait; which are used again; and that a server
which is away is tried by one connection at a time, after a pause, however many callers wait for it.
So its return is no stampede. It must not know what is said on a connection.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.sessions.redis.connection import connect
from gateway.sessions.store import STORE_TIMEOUT_S

CONNECTIONS = 50
"""Per process and server."""
DIALS = 8
"""Connections made at once: a server that has just come back greets so many in milliseconds."""

_PAUSE_MS = (10, 50)  # before a server that was away is tried again, different in each process
_SILENT_S = 0.4  # a call cut off after this met a server that hangs, or is gone without a word

_Said = TypeVar("_Said")
Talk = Callable[[AbstractConnection], Awaitable[_Said]]


class AwayError(RedisConnectionError):
    """The server was tried once more, and is still away; the cause tells why."""


class Pool:
    """Connections from `make`; `greet` is said first on each new one, and may refuse it."""

    def __init__(
        self, make: Callable[[], AbstractConnection], greet: Talk[None] | None = None
    ) -> None:
        self._make = make
        self._greet = greet
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._dials = asyncio.Semaphore(DIALS)
        self._idle: list[AbstractConnection] = []
        self._age = 0
        self._is_away = False
        self._attempt: asyncio.Task[Exception | None] | None = None

    async def run(self, talk: Talk[_Said]) -> _Said:
        """Talk on a connection; once more on a new one, where an idle one proves to have died.

        Raises: RedisError, OSError, and what `talk` raises.
        """
        async with self._room:
            if self._idle:
                try:
                    return await self._talk(self._idle.pop(), talk)
                except (RedisConnectionError, OSError):
                    pass  # it died while nobody looked: such a loss is nobody's
            return await self._talk(await self.connect(), talk)

    async def connect(self) -> AbstractConnection:
        """Return a connection that is the caller's, to close. Raises: RedisError, OSError."""
        if self._is_away:
            await self._wait_for_return()
        return self._idle.pop() if self._idle else await self._dial()

    async def close(self) -> None:
        """Close what is idle at once, and the rest when it comes back."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)
        await self.renew()

    async def _talk(self, connection: AbstractConnection, talk: Talk[_Said]) -> _Said:
        age, begun_at = self._age, _now()
        try:
            said = await talk(connection)
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if _tells_of_the_server(error, begun_at):
                await self.renew()
            raise
        if age == self._age and connection.is_connected:
            self._idle.append(connection)
        else:
            await connection.disconnect(nowait=True)
        return said

    async def renew(self) -> None:
        """Close what is idle, and what is in use when it comes back."""
        self._age += 1
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)

    # A server that is away.

    async def _dial(self) -> AbstractConnection:
        async with self._dials:
            connection, begun_at = self._make(), _now()
            try:
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    await connect(connection)
                    if self._greet is not None:
                        await self._greet(connection)
            except BaseException as error:
                await connection.disconnect(nowait=True)
                self._is_away |= _tells_of_the_server(error, begun_at)
                raise
            self._is_away = False
            return connection

    async def _wait_for_return(self) -> None:
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._try_again(), name="a lost Redis")
            self._attempt.add_done_callback(self._attempt_ended)
        attempt = self._attempt
        await asyncio.wait([attempt])  # whoever is cut off cuts off nobody else
        if attempt.cancelled():
            raise AwayError("closed")
        fault = attempt.result()
        if fault is not None:
            raise AwayError("still away") from fault

    async def _try_again(self) -> Exception | None:
        shortest, longest = _PAUSE_MS
        await asyncio.sleep((shortest + secrets.randbelow(longest - shortest)) / 1000)
        try:
            self._idle.append(await self._dial())
        except Exception as error:  # noqa: BLE001 - handed to all who wait for it
            return error
        return None

    def _attempt_ended(self, _attempt: asyncio.Task[Exception | None]) -> None:
        self._attempt = None


def _tells_of_the_server(error: BaseException, begun_at: float) -> bool:
    """Whether a failure is the server's; a caller that went away soon says nothing of it."""
    return not isinstance(error, asyncio.CancelledError) or _now() - begun_at > _SILENT_S


def _now() -> float:
    return asyncio.get_running_loop().time()
