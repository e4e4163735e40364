"""How each call to Redis is bounded and fails, and how long what it writes is kept.

It must not know what is asked.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from gateway.sessions.store import store_call

CLOCKS_DIFFER_S = 60
"""What is kept stays this much longer: our clock judges, not Redis'."""

# What a server that answers nonsense makes the client library raise, beside its own errors.
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


@asynccontextmanager
async def redis_call() -> AsyncIterator[None]:
    """Bound a call to Redis. Raises: GatewayError store_unavailable, for whatever goes wrong."""
    async with store_call(RedisError, *NONSENSE):
        yield


def ttl_ms(until: float, now: float) -> int:
    """Return how long Redis keeps what is needed until then, in milliseconds."""
    return int((max(until - now, 0) + CLOCKS_DIFFER_S) * 1000)
