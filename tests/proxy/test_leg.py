"""One exchange as it stands: what is held, given back, and told to the upstream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import cast

import pytest
from aiohttp import web

from gateway.access import Grant
from gateway.errors import GatewayError
from gateway.observe import Visit
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.framing import AnswerHead, read_answer_head
from gateway.proxy.leg import Launched, Leg
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import Resolver
from gateway.proxy.upload import BodyError
from gateway.proxy.upstream import Upstream, UpstreamTimeouts
from gateway.routing import Route
from tests.support.raw import RawUpstream
from tests.support.requests import admitted, raw

PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSED = GatewayError("upstream_error", "the service closed the connection")
TIMEOUTS = UpstreamTimeouts(first_byte_s=3.0, idle_s=6.0, stream_idle_s=60.0)


@pytest.fixture
async def service() -> AsyncIterator[RawUpstream]:
    """A service that answers each request."""
    service = RawUpstream()
    await service.start()
    yield service
    await service.close()


@pytest.fixture
async def upstream(service: RawUpstream) -> AsyncIterator[Upstream]:
    """It, as two targets; forgetting nothing by time."""
    address, dialer = TargetAddress("127.0.0.1", service.port), Dialer(Resolver())
    pools = [Pool(address, PoolLimits(2, 5.0, keepalive_s=60.0), dialer) for _ in range(2)]
    made = Upstream("main", pools, TIMEOUTS, ticks=lambda: 0.0)
    yield made
    made.close()


def leg_to(
    upstream: Upstream, *lines: str, line: str = "GET /x", route: Route | None = None
) -> Leg:
    """A leg at its beginning."""
    return Leg(
        request=cast("web.BaseRequest", None),  # a leg only keeps it, for others
        admitted=admitted(raw(line, *lines)),
        grant=Grant(route or Route("/x", upstream="main"), None),
        upstream=upstream,
        keeps_alive=lambda: True,
        visit=Visit(0.0, 0.0),
    )


async def exchange(connection: UpstreamConnection) -> None:
    """Send a request and read its whole answer."""
    connection.begin("GET")
    connection.write(PLAIN)
    await connection.head
    while not connection.is_complete:
        await connection.wait()
    assert connection.take_or_fail() == b"ok"


def answer_of(content_type: bytes = b"text/plain") -> AnswerHead:
    """An answer of this type."""
    return read_answer_head("GET", 200, b"OK", [(b"Content-Type", content_type)], 0)


# -- launched -------------------------------------------------------------------------------------


async def launch(upstream: Upstream) -> Launched:
    """A request that was sent, its answer read."""
    pool = upstream.pools[0]
    launched = Launched(upstream, pool, await upstream.acquire(pool))
    await exchange(launched.connection)
    return launched


async def test_a_launched_connection_is_used_again(upstream: Upstream) -> None:
    """After a whole answer."""
    launched = await launch(upstream)
    launched.release(is_over=True)
    assert (launched.pool.in_use, launched.pool.idle) == (0, 1)
    assert launched.pool.take() is launched.connection
    launched.release(is_over=False)


async def test_a_launched_connection_is_closed_when_its_client_goes(upstream: Upstream) -> None:
    """Its answer is still to come, or was not taken."""
    launched = await launch(upstream)
    launched.connection.begin("GET")
    launched.release(is_over=False)
    assert (launched.pool.in_use, launched.pool.idle) == (0, 0)
    assert launched.connection.is_closing


@pytest.mark.parametrize("is_over", [True, False])
async def test_a_whole_answer_is_told_where_there_was_a_failure(
    upstream: Upstream, is_over: bool
) -> None:
    """An answer that was not taken says nothing."""
    launched = await launch(upstream)
    upstream.note_failure(launched.pool, CLOSED)
    launched.release(is_over=is_over)
    assert launched.pool.has_failed is not is_over


# -- patience -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "first_byte_s", "idle_s", "stream_idle_s"),
    [
        (Route("/x", upstream="main"), 3.0, 6.0, 60.0),
        (Route("/x", upstream="main", first_byte_s=0.1), 0.1, 6.0, 60.0),
        (Route("/x", upstream="main", idle_s=0.2), 3.0, 0.2, 60.0),
        (Route("/x", upstream="main", stream_idle_s=0.3), 3.0, 6.0, 0.3),
    ],
)
async def test_a_routes_times_go_before_the_upstreams(
    upstream: Upstream, own: Route, first_byte_s: float, idle_s: float, stream_idle_s: float
) -> None:
    """Each alone; an event stream has the patience of a stream."""
    leg = leg_to(upstream, route=own)
    assert (leg.first_byte_s, leg.stream_idle_s) == (first_byte_s, stream_idle_s)
    assert leg.idle_s() == leg.idle_s(answer_of()) == idle_s
    assert leg.idle_s(answer_of(b"text/event-stream")) == stream_idle_s


# -- an answer's head -----------------------------------------------------------------------------


async def test_a_head_that_goes_out_is_noted(upstream: Upstream) -> None:
    """For the log, for what may still be done, and for the target that had failed before."""
    leg = leg_to(upstream)
    pool = leg.choose()
    upstream.note_failure(pool, CLOSED)
    leg.note_head(answer_of(), b"x" * 70)
    assert (leg.visit.status, leg.visit.head_bytes, leg.has_answered) == (200, 70, True)
    assert not pool.has_failed
    assert not leg.may_retry(CLOSED)
    assert not pool.has_failed, "what happens after the head is no failure of the target's"


# -- the body -------------------------------------------------------------------------------------


async def _sent() -> int:
    return 2


async def _broken() -> int:
    raise BodyError(GatewayError("body_too_large"))


async def _for_ever() -> int:
    await asyncio.get_running_loop().create_future()
    return 0


@pytest.mark.parametrize(
    ("body", "is_sent"), [(_sent, True), (_broken, False)], ids=["sent", "broken"]
)
async def test_only_a_body_that_went_out_whole_leaves_the_connection_in_step(
    upstream: Upstream, body: Callable[[], Coroutine[None, None, int]], is_sent: bool
) -> None:
    """Not one that broke, and none that is still being sent."""
    leg = leg_to(upstream)
    assert [leg.is_sent] == [True], "where there is none to send"
    leg.pump = asyncio.create_task(body())
    assert [leg.is_sent] == [False]
    await asyncio.wait({leg.pump})
    assert [leg.is_sent] == [is_sent]


async def test_a_body_that_was_given_up_leaves_the_connection_out_of_step(
    upstream: Upstream,
) -> None:
    """Nobody knows how much of it went out."""
    leg = leg_to(upstream)
    leg.pump = asyncio.create_task(_for_ever())
    leg.pump.cancel()
    await asyncio.wait({leg.pump})
    assert not leg.is_sent


async def test_a_broken_body_says_what_to_answer(upstream: Upstream) -> None:
    """The refusal, as it was found."""
    leg = leg_to(upstream)
    leg.pump = asyncio.create_task(_broken())
    await asyncio.wait({leg.pump})
    with pytest.raises(GatewayError, match="body_too_large"):
        leg.raise_if_broken()


async def test_a_body_that_was_sent_raises_nothing(upstream: Upstream) -> None:
    """Nor does one that never was."""
    leg = leg_to(upstream)
    leg.raise_if_broken()
    leg.pump = asyncio.create_task(_sent())
    await leg.pump
    leg.raise_if_broken()


# -- attempts -------------------------------------------------------------------------------------


async def test_an_idle_connection_is_taken_before_one_is_opened(
    upstream: Upstream, service: RawUpstream
) -> None:
    """The first attempt may meet an old connection."""
    launched = await launch(upstream)
    launched.release(is_over=True)
    leg = leg_to(upstream)
    assert await leg.acquire(launched.pool) is launched.connection
    leg.is_over = True
    await leg.give_back(launched.pool)
    assert service.connections == 1


async def test_a_second_attempt_goes_elsewhere_on_a_fresh_connection(upstream: Upstream) -> None:
    """A target that failed it is not asked twice, nor is an idle connection trusted."""
    first, second = upstream.pools
    for pool in (first, second):
        idle = await upstream.acquire(pool)
        await exchange(idle)
        pool.release(idle)
    leg = leg_to(upstream)
    tried = leg.choose()
    (await leg.acquire(tried)).begin("GET")
    assert leg.may_retry(CLOSED)
    assert tried.has_failed
    await leg.give_back(tried)
    other = leg.choose()
    assert {tried, other} == {first, second}
    before = other.idle
    fresh = await leg.acquire(other)
    assert (other.idle, fresh.is_closing) == (before, False)
    assert not leg.may_retry(CLOSED), "only as often as is set"
    await leg.give_back(other)


@pytest.mark.parametrize(
    ("line", "lines", "is_repeatable"),
    [
        ("GET /x", (), True),
        ("HEAD /x", (), True),
        ("OPTIONS /x", (), True),
        ("POST /x", (), False),
        ("DELETE /x", (), False),
        ("GET /x", ("Content-Length: 2",), False),
        ("GET /x", ("Content-Length: 0",), True),
        ("GET /x", ("Transfer-Encoding: chunked",), False),
    ],
)
async def test_what_may_be_asked_twice(
    upstream: Upstream, line: str, lines: tuple[str, ...], is_repeatable: bool
) -> None:
    """Design section 8: a method that changes nothing, without a body."""
    leg = leg_to(upstream, *lines, line=line)
    pool = leg.choose()
    connection = await leg.acquire(pool)
    connection.begin("GET")
    connection.write(PLAIN)
    assert leg.may_retry(CLOSED) is is_repeatable
    await leg.give_back(pool)


async def test_without_a_target_nothing_is_noted(upstream: Upstream) -> None:
    """Where none was chosen, none has failed, and there is no second attempt."""
    for pool in upstream.pools:
        upstream.note_check(pool, is_up=False)
    leg = leg_to(upstream)
    with pytest.raises(GatewayError, match="upstream_unavailable") as refused:
        leg.choose()
    assert not leg.may_retry(refused.value)
    assert leg.retry is None


# -- giving back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_over", [True, False])
async def test_a_connection_is_given_back(upstream: Upstream, is_over: bool) -> None:
    """Kept after a whole answer, closed after anything else."""
    leg = leg_to(upstream)
    pool = leg.choose()
    await exchange(await leg.acquire(pool))
    leg.is_over = is_over
    await leg.give_back(pool)
    assert (pool.in_use, pool.idle) == (0, int(is_over))


async def test_the_body_is_stopped_first(upstream: Upstream) -> None:
    """aiohttp's body stream is this request's: nobody may read on in it."""
    leg = leg_to(upstream)
    pool = leg.choose()
    await leg.acquire(pool)
    leg.pump = pump = asyncio.create_task(_for_ever())
    await leg.give_back(pool)
    assert (pump.cancelled(), pool.in_use) == (True, 0)
    assert leg.is_sent, "there is none any more"


async def test_a_connection_is_given_back_also_when_that_is_cancelled(upstream: Upstream) -> None:
    """The client goes while the body is being stopped."""
    leg = leg_to(upstream)
    pool = leg.choose()
    await leg.acquire(pool)
    stopping = asyncio.Event()

    async def stubborn() -> int:
        try:
            return await _for_ever()
        finally:
            stopping.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    leg.pump = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    giving = asyncio.create_task(leg.give_back(pool))
    await stopping.wait()
    giving.cancel()
    await asyncio.wait({giving})
    assert (giving.cancelled(), pool.in_use, pool.idle) == (True, 0, 0)
