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

ALL_MS = 100
"""How long all replicas are waited for, before one is enough: the one that a failover chooses may
be any of them. Sentinels and Cluster nodes know how far each is only as of a while ago."""
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
        self._must_be_primary = must_be_primary
        self._pool = Pool(lambda: connect(host, port), _check_primary if must_be_primary else None)
        self._replicas = 0
        self._asked_at = -_ROLE_S
        self._is_puzzled = False

    @property
    def is_alone(self) -> bool:
        """Whether it had no replica when it was last asked."""
        return self._replicas == 0

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
            waits = (
                ("WAIT", self._replicas, ALL_MS),
                ("WAIT", REPLICAS_WANTED, WAIT_MS - ALL_MS),
            )
            *replies, _, count = await trip(connection, [*commands, *waits])
            raise_first([count])
            return Trip(replies, is_met=isinstance(count, int) and count >= REPLICAS_WANTED)

        try:
            made = await self._pool.run(talk)
            if not any(isinstance(reply, ReadOnlyError) for reply in made.replies):
                return made
        except ReadOnlyError:
            if self._must_be_primary:
                raise
        await self.renew()  # the name may lead elsewhere now: once more, on a new connection
        return await self._pool.run(talk)

    async def renew(self) -> None:
        """Use none of the connections again that there are: they lead to a server deposed."""
        self._asked_at = -_ROLE_S
        await self._pool.renew()

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
            self._replicas = _replicas_in(role)
            self._asked_at = now
        return self._replicas > 0

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
