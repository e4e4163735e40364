"""Pooled connections: bounded, handed on in order, short-lived when idle, never out of step."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.holdups import PATIENCE_S, Holdup, Wait
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.queue import PRESS_S
from gateway.proxy.resolve import Resolver
from tests.support.endings import until
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawUpstream, connect
from tests.support.wire import Service, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
ATTACKER = "192.0.2.1"
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    """A service that answers each request."""
    service = RawUpstream()
    await service.start()
    yield service
    await service.close()


def pool_to(upstream: RawUpstream, *, connections: int = 2, connect_s: float = 5.0) -> Pool:
    """A pool that forgets nothing by time."""
    limits = PoolLimits(connections, connect_s, keepalive_s=60.0)
    return Pool(TargetAddress("127.0.0.1", upstream.port), limits, Dialer(Resolver()))


async def exchange(connection: UpstreamConnection) -> None:
    """Send a request and read its whole answer."""
    connection.begin("GET")
    connection.write(PLAIN)
    await connection.head
    while not connection.is_complete:
        await connection.wait()
    assert connection.take_or_fail() == b"ok"


async def test_a_connection_is_used_again(upstream: RawUpstream) -> None:
    """After a whole answer the same connection serves the next exchange."""
    pool = pool_to(upstream)
    first = await pool.acquire()
    await exchange(first)
    pool.release(first)
    second = await pool.acquire()
    assert second is first
    await exchange(second)
    pool.release(second)
    assert (upstream.connections, pool.in_use, pool.idle) == (1, 0, 1)
    pool.close()


async def test_fresh_takes_no_idle_connection(upstream: RawUpstream) -> None:
    """A retry must not meet another connection the service has just closed."""
    pool = pool_to(upstream)
    first = await pool.acquire()
    await exchange(first)
    pool.release(first)
    second = await pool.acquire(fresh=True)
    assert second is not first
    pool.release(second)
    pool.close()


async def test_a_connection_out_of_step_is_not_kept(upstream: RawUpstream) -> None:
    """An exchange that was begun and not finished spoils its connection."""
    pool = pool_to(upstream)
    connection = await pool.acquire()
    connection.begin("GET")
    pool.release(connection)
    assert (pool.in_use, pool.idle, connection.is_closing) == (0, 0, True)
    pool.close()


async def test_unread_bytes_spoil_a_connection(upstream: RawUpstream) -> None:
    """A body nobody took would stand before the next answer."""
    pool = pool_to(upstream)
    connection = await pool.acquire()
    connection.begin("GET")
    connection.write(PLAIN)
    while not connection.is_complete:
        await connection.head
        await connection.wait()
        await asyncio.sleep(0)
    pool.release(connection)
    assert pool.idle == 0
    pool.close()


async def test_unsent_bytes_spoil_a_connection(upstream: RawUpstream) -> None:
    """A service that answers without reading would take the rest for the next request."""

    async def answer_first(_: object, reader: object, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
        writer.write(OK)
        await writer.wait_closed()

    upstream.script = answer_first
    pool = pool_to(upstream)
    connection = await pool.acquire()
    connection.begin("POST")
    connection.write(bytes(16 * 1024 * 1024))
    await connection.head
    while connection.take_or_fail() is not None or not connection.is_complete:
        await connection.wait()
    assert connection.unsent_bytes
    pool.release(connection)
    assert pool.idle == 0
    pool.close()


async def test_the_youngest_is_taken_first(upstream: RawUpstream) -> None:
    """The others may then grow old and be closed."""
    pool = pool_to(upstream)
    taken = [await pool.acquire() for _ in range(2)]
    for connection in taken:
        await exchange(connection)
        pool.release(connection)
    assert await pool.acquire() is taken[1]
    pool.close()


async def test_a_full_pool_serves_who_waits_longest(upstream: RawUpstream) -> None:
    """A place given up goes to the first in the queue, and to nobody who comes later."""
    pool = pool_to(upstream, connections=1)
    held = await pool.acquire()
    order: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.acquire()
        order.append(number)
        assert pool.in_use == 1
        await asyncio.sleep(0)
        pool.release(connection)

    waiting = [asyncio.create_task(use(number)) for number in range(4)]
    await asyncio.sleep(0)
    pool.release(held)
    waiting.append(asyncio.create_task(use(4)))  # comes after a place was promised
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]
    assert pool.in_use == 0
    pool.close()


async def test_a_full_pool_is_overloaded_after_the_connect_time(upstream: RawUpstream) -> None:
    """The wait is bounded, and who gave up takes no place with it."""
    pool = pool_to(upstream, connections=1, connect_s=0.02)
    held = await pool.acquire()
    with pytest.raises(GatewayError, match="overloaded"):
        await pool.acquire()
    pool.release(held)
    pool.release(await pool.acquire())
    assert pool.in_use == 0
    pool.close()


async def test_a_place_is_taken_from_who_holds_many_up(upstream: RawUpstream) -> None:
    """It is for whoever asked, before those of that address who have waited longer (D2, D6)."""
    moment = 1000.0
    address = TargetAddress("127.0.0.1", upstream.port)
    pool = Pool(address, PoolLimits(connections=2), Dialer(Resolver()), ticks=lambda: moment)
    held = [await pool.acquire(asker=ATTACKER) for _ in range(2)]
    for connection in held:
        give_up = partial(pool.release, connection)
        Wait(Holdup(pool.holdups, ATTACKER, give_up)).begin()
    moment += PATIENCE_S
    theirs = asyncio.create_task(pool.acquire(asker=ATTACKER))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        pool.release(await pool.acquire(asker="192.0.2.2"))
        pool.release(await theirs)
    assert pool.in_use == 1
    pool.close()


async def test_a_closed_pool_looks_for_nobody_any_more(upstream: RawUpstream) -> None:
    """Nothing of it is left running; who waits learns so when his time is up."""
    pool = pool_to(upstream, connections=1, connect_s=PRESS_S * 2)
    await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    given_up: list[int] = []
    for number in range(2):
        Wait(Holdup(pool.holdups, ATTACKER, partial(given_up.append, number))).begin(PATIENCE_S)
    pool.close()
    with pytest.raises(GatewayError, match="overloaded"):
        await waiting
    assert not given_up


async def test_who_is_cancelled_with_a_promise_hands_it_on(upstream: RawUpstream) -> None:
    """A place promised to a request that goes away in that moment is not lost."""
    pool = pool_to(upstream, connections=1)
    held = await pool.acquire()
    first, second = (asyncio.create_task(pool.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    pool.release(held)  # promised to the first …
    first.cancel()  # … which is cancelled before it can take it
    connection = await second
    with pytest.raises(asyncio.CancelledError):
        await first
    pool.release(connection)
    assert pool.in_use == 0
    pool.close()


async def test_who_is_cancelled_waiting_leaves_the_queue(upstream: RawUpstream) -> None:
    """The next in line is served."""
    pool = pool_to(upstream, connections=1)
    held = await pool.acquire()
    first, second = (asyncio.create_task(pool.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    pool.release(held)
    pool.release(await second)
    assert pool.in_use == 0
    pool.close()


async def test_a_connect_that_fails_gives_its_place_back() -> None:
    """Each waiter gets its own failure at once, not the end of its patience."""
    gone = RawUpstream()
    await gone.start()
    await gone.close()
    pool = pool_to(gone, connections=1)
    for failed in await asyncio.gather(*(pool.acquire() for _ in range(3)), return_exceptions=True):
        assert isinstance(failed, GatewayError)
        assert failed.code == "upstream_unavailable"
    assert pool.in_use == 0
    pool.close()


async def test_a_connect_that_is_cancelled_gives_its_place_back(upstream: RawUpstream) -> None:
    """The client went away while we connected for it."""
    pool = pool_to(upstream, connections=1)
    connecting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    connecting.cancel()
    pool.release(await waiting)
    assert pool.in_use == 0
    pool.close()


async def test_a_name_that_does_not_exist_is_unavailable() -> None:
    """A failing look-up is like a refused connection."""
    pool = Pool(TargetAddress("name.invalid", 80), PoolLimits(connect_s=5.0), Dialer(Resolver()))
    with pytest.raises(GatewayError, match="upstream_unavailable"):
        await pool.acquire()
    pool.close()


async def test_an_idle_connection_is_taken_at_once(upstream: RawUpstream) -> None:
    """Without a task's turn; with none, or none that is good, the caller opens one."""
    pool = pool_to(upstream)
    assert pool.take() is None
    first = await pool.acquire()
    pool.release(first)
    assert pool.take() is first
    assert (pool.in_use, pool.idle, pool.attempts) == (1, 0, 2)
    pool.release(first)
    first.abort()
    assert pool.take() is None
    assert (pool.in_use, pool.idle) == (0, 0)
    pool.close()


async def miss_one(pool: Pool) -> list[UpstreamConnection]:
    """Ask while all connections are in use, and take one that came back a moment later."""
    first = await pool.acquire()
    assert pool.take() is None
    pool.release(first)
    return [await pool.acquire()]


async def test_a_pool_grows_with_what_is_asked_at_once(upstream: RawUpstream) -> None:
    """A spare one is opened for the next time, once for each that was missed."""
    pool = pool_to(upstream, connections=3)
    (first,) = await miss_one(pool)
    await until(lambda: pool.idle == 1)
    assert pool.open == 2
    second = pool.take()
    assert second is not None
    assert second is not first
    for connection in (first, second):
        await exchange(connection)
        pool.release(connection)
    pool.release(await pool.acquire())
    await asyncio.sleep(0)
    assert (pool.open, pool.idle) == (2, 2)
    pool.close()


@pytest.mark.parametrize(
    ("connections", "keepalive_s", "why"),
    [(1, 60.0, "the bound"), (3, 0.0, "none is kept")],
)
async def test_a_pool_does_not_grow(
    upstream: RawUpstream, connections: int, keepalive_s: float, why: str
) -> None:
    """Beyond its bound, or where a spare connection would be closed at once."""
    limits = PoolLimits(connections, 5.0, keepalive_s)
    pool = Pool(TargetAddress("127.0.0.1", upstream.port), limits, Dialer(Resolver()))
    taken = await miss_one(pool)
    await asyncio.sleep(0.02)
    assert (pool.open, pool.idle) == (1, 0), why
    pool.release(taken[0])
    pool.close()


async def test_a_spare_connection_that_fails_is_nobodys_trouble(upstream: RawUpstream) -> None:
    """It is counted, and the pool goes on."""
    pool = pool_to(upstream, connections=3)
    first = await pool.acquire()
    assert pool.take() is None
    pool.release(first)
    upstream.stop_listening()
    assert await pool.acquire() is first
    await until(lambda: pool.connect_failures == 1)
    assert pool.open == 1
    pool.release(first)
    pool.close()


async def test_closing_gives_spare_connections_up(upstream: RawUpstream) -> None:
    """One that is being opened is not left behind."""
    pool = pool_to(upstream, connections=3)
    await miss_one(pool)
    pool.close()
    await asyncio.sleep(0.02)
    assert pool.idle == 0


async def test_nobody_overtakes_those_who_wait(upstream: RawUpstream) -> None:
    """A connection given back belongs to the first in the queue, though it lies idle a moment."""
    pool = pool_to(upstream, connections=1)
    held = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    assert (pool.waiting, pool.in_flight, pool.is_full) == (1, 2, True)
    pool.release(held)
    assert (pool.idle, pool.take()) == (1, None)
    assert await waiting is held
    pool.release(held)
    assert (pool.waiting, pool.in_flight) == (0, 0)
    pool.close()


async def test_idle_connections_count_against_the_bound(upstream: RawUpstream) -> None:
    """The service never sees more than `connections`, retries on fresh ones included."""
    pool = pool_to(upstream, connections=2)
    taken = [await pool.acquire() for _ in range(2)]
    for connection in taken:
        await exchange(connection)
        pool.release(connection)
    fresh = await pool.acquire(fresh=True)
    assert (pool.open, taken[0].is_closing, taken[1].is_closing) == (2, True, False)
    pool.release(fresh)
    assert pool.open == 2
    pool.close()


async def test_thousands_who_go_away_while_waiting(upstream: RawUpstream) -> None:
    """In any order, and the place goes to one that stayed."""
    pool = pool_to(upstream, connections=1)
    held = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(1000)]
    await asyncio.sleep(0)
    for task in reversed(waiting[:-1]):
        task.cancel()
    await asyncio.wait(waiting[:-1])
    assert pool.waiting == 1
    pool.release(held)
    pool.release(await waiting[-1])
    assert pool.in_use == 0
    pool.close()


async def test_what_is_idle_can_be_dropped(upstream: RawUpstream) -> None:
    """A target that has died keeps none that only looks alive; those in use go on."""
    pool = pool_to(upstream)
    held, other = await pool.acquire(), await pool.acquire()
    pool.release(other)
    pool.drop_idle()
    assert (pool.idle, other.is_closing, held.is_closing) == (0, True, False)
    await exchange(held)
    pool.release(held)
    pool.close()


async def test_failed_connects_are_counted() -> None:
    """They tell an operator which target is down."""
    gone = RawUpstream()
    await gone.start()
    await gone.close()
    pool = pool_to(gone)
    for _ in range(2):
        with pytest.raises(GatewayError):
            await pool.acquire()
    assert (pool.connect_failures, pool.attempts) == (2, 0)
    pool.close()


async def test_idle_connections_are_closed_in_time(upstream: RawUpstream) -> None:
    """An unused connection stays `keepalive`; then the service sees it end."""
    service = Service(upstream)
    pool = Pool(
        TargetAddress("127.0.0.1", upstream.port), PoolLimits(keepalive_s=0.02), Dialer(Resolver())
    )
    connection = await pool.acquire()
    peer = await service.accept()
    pool.release(connection)
    assert pool.idle == 1
    assert await peer.rest() == b""
    assert pool.idle == 0
    pool.close()


async def test_no_keepalive_keeps_none(upstream: RawUpstream) -> None:
    """`0s`: the service sees each connection end after its exchange."""
    service = Service(upstream)
    pool = Pool(
        TargetAddress("127.0.0.1", upstream.port), PoolLimits(keepalive_s=0.0), Dialer(Resolver())
    )
    for _ in range(2):
        connection = await pool.acquire()
        peer = await service.accept()
        pool.release(connection)
        assert await peer.rest() == b""
    pool.close()


async def test_bytes_nobody_asked_for_close_an_idle_connection(running: RunningGateway) -> None:
    """What a service says between two requests is never an answer to the second (T18)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert await peer.rest() == b""
    await client.send(GET)
    second = await service.accept()
    await second.head()
    await second.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_the_service_closed_is_not_taken(
    running: RunningGateway, method: str
) -> None:
    """Its end was noticed: the next request, whatever it is, takes another."""
    service, client = Service(running.upstream), await connect(running.port)
    request = GET.replace(b"GET", method.encode())
    await client.send(request)
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    peer.writer.write_eof()
    assert await peer.rest() == b""  # the gateway has closed its side too
    await client.send(request)
    second = await service.accept()
    await second.head()
    await second.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_busy_service_is_overloaded_and_then_free(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The wire's view: 503 with Retry-After above the limit, served when a place is free."""
    main = {"connections": 1, "timeouts": {"connect": "200ms"}}
    changes = {"upstreams": {"main": main}}
    async with run_gateway(tmp_path_factory.mktemp("gw"), changes) as gateway:
        service = Service(gateway.upstream)
        first, second, third = [await connect(gateway.port) for _ in range(3)]
        await first.send(GET)
        peer = await service.accept()
        await peer.head()
        await second.send(GET)
        refused = await second.answer()
        assert (problem(refused)["code"], refused.value("Retry-After")) == ("overloaded", "1")
        assert refused.value("Connection") is None
        await third.send(GET)
        await peer.send(OK)
        assert (await first.answer()).body == b"ok"
        await peer.head()
        await peer.send(OK)
        assert (await third.answer()).body == b"ok"
        assert gateway.upstream.connections == 1
        for client in (first, second, third):
            await client.close()


async def test_a_target_that_is_refused_takes_no_connection(running: RunningGateway) -> None:
    """Clients cannot empty the pool with requests that are never forwarded."""
    token = await running.login()
    assert (await running.get("/public/x")).status == 200
    service = Service(running.upstream)
    for _ in range(3):
        refused = await running.get("/%61pi/x", f"X-Session-Token: {token}")
        assert problem(refused)["code"] == "target_refused"
    assert service.is_quiet
    assert running.upstream.connections == 1
    assert (await running.get("/public/x")).status == 200
    assert running.upstream.connections == 1


async def test_closing_ends_what_is_in_use(upstream: RawUpstream) -> None:
    """Nothing outlives the pool."""
    service = Service(upstream)
    pool = pool_to(upstream)
    connection = await pool.acquire()
    peer = await service.accept()
    pool.close()
    assert await peer.rest() == b""
    pool.release(connection)
    assert (pool.in_use, pool.idle) == (0, 0)


async def test_a_client_is_told_nothing_of_a_connection_it_never_had(
    running: RunningGateway,
) -> None:
    """A client that goes away while it waits leaves nothing behind."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await client.close()
    assert await peer.rest() == b""
    assert await read_rest(client) == (b"", False)
