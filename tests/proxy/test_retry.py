"""Whether a failed attempt is made again: by the rule, by the count, by the time, by the budget."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import Resolver
from gateway.proxy.retry import Retry
from gateway.proxy.upstream import Upstream, UpstreamTimeouts

CLOSED = GatewayError("upstream_error", "the service closed the connection")
REFUSED = GatewayError("upstream_unavailable")


def upstream_of(
    *ports: int,
    retries: int = 1,
    connect_s: float = 2.0,
    ticks: Callable[[], float] = lambda: 0.0,
) -> Upstream:
    """Targets on these ports."""
    dialer, limits = Dialer(Resolver()), PoolLimits(connect_s=connect_s)
    pools = [Pool(TargetAddress("127.0.0.1", port), limits, dialer) for port in ports]
    return Upstream("main", pools, UpstreamTimeouts(), retries=retries, ticks=ticks)


def connection(*, has_sent: bool = True, has_received: bool = False) -> UpstreamConnection:
    """A connection with this past."""
    made = UpstreamConnection(asyncio.get_running_loop())
    made.has_sent, made.has_received = has_sent, has_received
    return made


@pytest.mark.parametrize(
    ("code", "has_sent", "has_received", "is_repeatable", "allowed"),
    [
        pytest.param("upstream_unavailable", False, False, False, True, id="nothing was sent"),
        pytest.param("upstream_error", False, False, False, True, id="closed before a byte went"),
        pytest.param("upstream_error", True, False, True, True, id="GET, no byte came"),
        pytest.param("upstream_error", True, False, False, False, id="POST, no byte came"),
        pytest.param("upstream_error", True, True, True, False, id="GET, an answer had begun"),
        pytest.param("upstream_timeout", True, False, True, False, id="it may still be at work"),
        pytest.param("overloaded", False, False, True, False, id="no room is no failure"),
        pytest.param("bad_request", True, False, True, False, id="the client's fault"),
    ],
)
async def test_the_rule(
    code: str, has_sent: bool, has_received: bool, is_repeatable: bool, allowed: bool
) -> None:
    """Design section 8."""
    upstream = upstream_of(1, 2)
    pool = upstream.pools[0]
    used = connection(has_sent=has_sent, has_received=has_received)
    retry = Retry(upstream, pool)
    assert retry.allows(pool, GatewayError(code), used, is_repeatable=is_repeatable) is allowed
    assert (retry.tried, upstream.retried) == ([pool], int(allowed))


async def test_without_a_connection_only_a_failed_connect_is_tried_again() -> None:
    """A refusal that came before there was one is not the service's."""
    upstream = upstream_of(1)
    pool = upstream.pools[0]
    assert Retry(upstream, pool).allows(pool, REFUSED, None, is_repeatable=False)
    assert not Retry(upstream, pool).allows(pool, CLOSED, None, is_repeatable=True)


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_so_many_and_no_more(retries: int) -> None:
    """`retries` of the settings, for one request."""
    upstream = upstream_of(1, 2, retries=retries)
    retry = Retry(upstream, upstream.pools[0])
    allowed = [
        retry.allows(upstream.choose(retry.tried), REFUSED, None, is_repeatable=True)
        for _ in range(5)
    ]
    assert allowed == [True] * retries + [False] * (5 - retries)


async def test_the_budget_of_all_requests() -> None:
    """A hundred at once; then the first failure is the answer, until there is room again."""
    now_s = [0.0]
    upstream = upstream_of(1, 2, ticks=lambda: now_s[0])
    pool = upstream.pools[0]

    def allowed() -> int:
        tries = (Retry(upstream, pool) for _ in range(300))
        return sum(each.allows(pool, REFUSED, None, is_repeatable=True) for each in tries)

    assert allowed() == 100
    assert allowed() == 0
    now_s[0] = 2.0
    assert allowed() == 20
    assert upstream.retried == 120


async def test_targets_that_swallow_connects_do_not_add_up() -> None:
    """All retries together have one more `connect`."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the one its queue holds
            upstream = upstream_of(port, port, port, port, retries=5, connect_s=0.1)
            retry = Retry(upstream, upstream.pools[0])
            tries, pool, error = 0, upstream.pools[0], REFUSED
            while retry.allows(pool, error, None, is_repeatable=True):
                pool, tries = upstream.choose(retry.tried), tries + 1
                with pytest.raises(GatewayError) as failed:
                    await retry.acquire(pool)
                error = failed.value
            assert (tries, error.code) == (1, "upstream_unavailable")
            upstream.close()
