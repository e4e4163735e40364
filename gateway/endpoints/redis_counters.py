"""Counts for limits in Redis, for all processes and machines that share it.

It is a storage for the library `limits`, as its page on custom backends has them
(limits.readthedocs.io, "Custom storage backends"), for windows that begin with their first count.
Its own one for Redis brings connections, time-outs, names and a handling of failovers of its own;
here they are the session store's, for one server, Sentinel and Cluster alike.

It must not know what is counted, or what follows from it.
"""

from limits.aio.storage import Storage
from redis.exceptions import RedisError

from gateway.clock import Clock
from gateway.sessions.redis.calls import redis_call
from gateway.sessions.redis.link import RedisLink

_PREFIX = "gw:limit:"  # as all our names: an ACL allows `gw:*`

# Redis forgets a window at its end. One that has lost its end, by whatever hand, gets one again:
# it must not refuse for ever.
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class RedisCounters(Storage):
    """Counters of all who share a Redis; each is a key of its own, on any slot of a Cluster.

    `clock` only turns what is left of a window into its end: Redis counts the time.
    Raises: GatewayError store_unavailable, from every method.
    """

    STORAGE_SCHEME = None

    def __init__(self, link: RedisLink, clock: Clock) -> None:
        super().__init__()
        self._link = link
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        """What `limits` would wrap; ours are outcomes already."""
        return RedisError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window of `expiry` seconds, and return how many there are in it."""
        return await self._ask(key, ("EVAL", _COUNT, 1, _PREFIX + key, expiry * 1000, amount))

    async def get(self, key: str) -> int:
        """Return how many were counted in the window that lasts."""
        return await self._ask(key, ("GET", _PREFIX + key))

    async def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds since the epoch."""
        left_ms = await self._ask(key, ("PTTL", _PREFIX + key))
        return self._clock() + max(left_ms, 0) / 1000  # negative: it is over

    async def clear(self, key: str) -> None:
        """Forget a window."""
        await self._ask(key, ("DEL", _PREFIX + key))

    async def check(self) -> bool:
        """Say that Redis answers."""
        async with redis_call():
            await self._link.ping()
        return True

    async def reset(self) -> int | None:
        """Leave the windows: each ends by itself, and nobody may sweep a shared Redis."""
        return None

    async def _ask(self, key: str, command: tuple[str | int, ...]) -> int:
        async with redis_call():
            (reply,) = await self._link.send(_PREFIX + key, command)
            return _number(reply)


def _number(reply: object) -> int:
    if reply is None:
        return 0
    if isinstance(reply, bytes | int):
        return int(reply)
    raise ValueError("not a number")
