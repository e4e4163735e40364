"""One Redis server: trips to it, and whether a replica has confirmed them.

"Where replicas exist" is as the server itself says, by ROLE, believed for a second. It must not
know which server is asked for what, or what is kept there.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from gateway.sessions.redis.connection import Connect, raise_first, trip
from gateway.sessions.redis.link import REPLICAS_WANTED, WAIT_MS, Command, UnmetError
from gateway.sessions.redis.pool import Pool
from gateway.sessions.redis.records import RubbishError

_ROLE_S = 1.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trip:
    """The replies of a trip, errors among them; whether a replica has it, where one exists."""

    replies: list[object]
    is_met: bool


class Node:
    """A server at an address. `id` names it for cursors, once somebody has given it one.

    With `must_be_primary` each new connection is refused where the server says it is a replica.
    """

    def __init__(
        self, connect: Connect, host: str, port: int, *, must_be_primary: bool = False
    ) -> None:
        self.address = (host, port)
        self.id = "0"
        self._pool = Pool(lambda: connect(host, port), _check_primary if must_be_primary else None)
        self._has_replicas = False
        self._asked_at = -_ROLE_S
        self._is_puzzled = False

    @property
    def is_alone(self) -> bool:
        """Whether it had no replica when it was last asked."""
        return not self._has_replicas

    async def send(self, *commands: Command, confirm: bool = False) -> list[object]:
        """Send commands in one trip. Raises: RedisError, OSError, UnmetError."""
        made = await self.exchange(commands, confirm=confirm)
        raise_first(made.replies)
        if not made.is_met:
            raise UnmetError(made.replies)
        return made.replies

    async def exchange(self, commands: Sequence[Command], *, confirm: bool = False) -> Trip:
        """Send commands in one trip; error replies are values. Raises: RedisError, OSError."""

        async def talk(connection: AbstractConnection) -> Trip:
            if not (confirm and await self._ask_for_replicas(connection)):
                return Trip(await trip(connection, commands), is_met=True)
            wait = ("WAIT", REPLICAS_WANTED, WAIT_MS)
            *replies, count = await trip(connection, [*commands, wait])
            raise_first([count])
            return Trip(replies, is_met=isinstance(count, int) and count >= REPLICAS_WANTED)

        return await self._pool.run(talk)

    async def connect(self) -> AbstractConnection:
        """Return a connection of the caller's own. Raises: RedisError, OSError."""
        return await self._pool.connect()

    async def close(self) -> None:
        """Close its connections."""
        await self._pool.close()

    async def _ask_for_replicas(self, connection: AbstractConnection) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= _ROLE_S:
            role = (await trip(connection, [("ROLE",)]))[0]
            if type(role) is ResponseError:
                self._puzzle()  # some services that look like one Redis do not answer this
                role = [b"master", 0, []]
            self._has_replicas = _replicas_in(role) > 0
            self._asked_at = now
        return self._has_replicas

    def _puzzle(self) -> None:
        if not self._is_puzzled:
            _LOG.warning("Redis does not say by ROLE whether replicas exist: none is waited for")
        self._is_puzzled = True


async def _check_primary(connection: AbstractConnection) -> None:
    _replicas_in((await trip(connection, [("ROLE",)]))[0])


def _replicas_in(role: object) -> int:
    """How many replicas are connected. Raises: RedisError; RubbishError."""
    match role:
        case RedisError():
            raise_first([role])
        case [b"master", int(), list(replicas)]:
            return len(replicas)
        case [b"slave", *_]:
            raise ReadOnlyError("a replica")
    raise RubbishError("not a role")
