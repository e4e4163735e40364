"""How calls to Redis fail, and how long what they write is kept."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.errors import GatewayError
from gateway.sessions.redis.calls import redis_call, ttl_ms
from gateway.sessions.redis.link import UnmetError


@pytest.mark.parametrize(
    "fault",
    [
        RedisConnectionError("x"),
        UnmetError([]),
        OSError(),
        TimeoutError(),
        ValueError(),
        TypeError(),
        KeyError(),
        AttributeError(),
        RecursionError(),
    ],
)
async def test_faults(fault: Exception) -> None:
    """Whatever a server or the client library does, the store is away."""
    with pytest.raises(GatewayError) as caught:
        async with redis_call():
            raise fault
    assert caught.value.code == "store_unavailable"


async def test_what_passes() -> None:
    """Outcomes of ours stay what they are."""
    with pytest.raises(GatewayError) as caught:
        async with redis_call():
            raise GatewayError("user_blocked", "x")
    assert caught.value.code == "user_blocked"


def test_ttl() -> None:
    """A minute longer than needed, for clocks differ; never less than that minute."""
    assert ttl_ms(100.5, 90.0) == 70_500
    assert ttl_ms(10.0, 90.0) == 60_000
