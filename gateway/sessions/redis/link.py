"""What the Redis store asks of its connections, whatever stands behind them.

It decides nothing. One server (`redis.single`), Sentinel (`redis.sentinel`) and Cluster
(`redis.cluster`) are such links; `redis_links.open_link` builds the one a URL names, and
`RedisStore(link, clock)` is given it. A link must not know sessions.
"""

from collections.abc import Sequence
from typing import NoReturn, Protocol

from redis.exceptions import RedisError

from gateway.sessions.store import Listener

Command = tuple[str | bytes | int | float, ...]
"""A command's words, such as `("GET", name)`."""

REPLICAS_WANTED = 1
WAIT_MS = 500
"""How long a write waits for a replica (design section 5); a part of `STORE_TIMEOUT_S`."""


class UnmetError(RedisError):
    """The commands were carried out, but no replica has said within `WAIT_MS` that it has them.

    `replies` are theirs.
    """

    def __init__(self, replies: Sequence[object]) -> None:
        super().__init__("no replica has confirmed it in time")
        self.replies = list(replies)


class Primary(Protocol):
    """A server that takes writes."""

    @property
    def id(self) -> str:
        """Its name among the primaries, for cursors: letters, digits and `_`, never an address."""
        ...

    async def send(self, *commands: Command) -> list[object]:
        """Send commands in one trip on one connection, as `RedisLink.send` does."""
        ...


class RedisLink(Protocol):
    """The way to Redis. Replies are RESP2 as they came: bytes, int, list, None.

    The caller bounds every call but `follow`. A call that met a connection which had just died is
    sent once more, so each command must bear being repeated.
    """

    async def send(self, name: str, *commands: Command, confirm: bool = False) -> list[object]:
        """Send commands in one trip on one connection of the primary that holds `name`.

        All their keys lie on its slot. With `confirm`, where replicas exist, one must confirm.
        Raises: RedisError for any error reply and each way a connection fails; UnmetError.
        """
        ...

    async def primaries(self) -> Sequence[Primary]:
        """Return all servers that take writes, in the order of their ids. Raises: RedisError."""
        ...

    async def follow(self, listener: Listener) -> NoReturn:
        """Tell of endings and renewals for one unbroken stretch (`SessionStore.follow`).

        Raises: RedisError, OSError, TimeoutError, RubbishError.
        """
        ...

    async def ping(self) -> None:
        """Return when it answers. Raises: RedisError."""
        ...

    async def close(self) -> None:
        """Give up the connections; calls may follow, and connect anew."""
        ...
