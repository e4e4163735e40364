"""Targets are asked whether they live; two silences take one out, one answer brings it back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.health import Checked, HealthChecks, HealthPolicy, Verdict, check
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import Resolver
from gateway.proxy.upstream import Upstream, UpstreamTimeouts
from tests.support.gateway import problem, run_gateway
from tests.support.raw import OK, RawUpstream, read_head

POLICY = HealthPolicy("/healthz", interval_s=0.01, timeout_s=0.5)
DOWN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
DIALER = Dialer(Resolver())


@pytest.fixture
async def service() -> AsyncIterator[RawUpstream]:
    """A service that says 200."""
    raw = RawUpstream()
    await raw.start()
    yield raw
    await raw.close()


def upstream_to(*ports: int) -> Upstream:
    """An upstream with targets on these ports."""
    pools = [Pool(TargetAddress("127.0.0.1", port), PoolLimits(), DIALER) for port in ports]
    return Upstream("main", pools, UpstreamTimeouts())


@asynccontextmanager
async def checking(upstream: Upstream, policy: HealthPolicy = POLICY) -> AsyncIterator[None]:
    """Check an upstream for a while."""
    async with HealthChecks([Checked(upstream, policy)], DIALER):
        yield
    upstream.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the checks will find."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is awaited happens in the gateway's tasks
            await asyncio.sleep(0.002)


@pytest.mark.parametrize(
    ("answer", "is_good"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nthe head is enough", True),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", False),
        (DOWN, False),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", False),
        (b"rubbish\r\n\r\n", False),
    ],
)
async def test_what_is_a_good_check(service: RawUpstream, answer: bytes, is_good: bool) -> None:
    """2xx and 3xx; the body is nobody's."""
    service.answer = answer
    address = TargetAddress("127.0.0.1", service.port, authority="orders.internal:81")
    assert await check(DIALER, address, POLICY) is is_good
    (asked,) = service.requests
    assert asked.line == "GET /healthz HTTP/1.1"
    assert (asked.value("Host"), asked.value("Connection")) == ("orders.internal:81", "close")


async def test_silence_is_no_good_check(service: RawUpstream) -> None:
    """Nor half a head, nor a connection closed at once, nor none at all."""

    async def say_half(
        _: RawUpstream, reader: asyncio.StreamReader, w: asyncio.StreamWriter
    ) -> None:
        await read_head(reader)
        w.write(b"HTTP/1.1 200 OK\r\nX-")
        await reader.read()

    async def close(_: RawUpstream, reader: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
        w.transport.abort()

    address = TargetAddress("127.0.0.1", service.port)
    service.script = say_half
    assert not await check(DIALER, address, HealthPolicy("/", timeout_s=0.02))
    service.script = close
    assert not await check(DIALER, address, POLICY)
    await service.close()
    assert not await check(DIALER, address, POLICY)


def test_two_failures_out_and_one_success_in() -> None:
    """One lost packet is no outage."""
    verdict = Verdict()
    said = [verdict.note(is_good=good) for good in (False, True, False, False, False, True, False)]
    assert said == [True, True, True, False, False, True, True]


async def test_a_target_goes_and_comes_back(service: RawUpstream) -> None:
    """It gets no request in between; its idle connections are closed."""
    other = RawUpstream()
    await other.start()
    upstream = upstream_to(service.port, other.port)
    sick, well = upstream.pools
    sick.release(await sick.acquire())
    async with checking(upstream):
        service.answer = DOWN
        await until(lambda: not upstream.states()[0].is_up)
        assert {upstream.choose() for _ in range(4)} == {well}
        assert (upstream.choose_calmly(), sick.idle) == (None, 0)
        service.answer = OK
        await until(lambda: upstream.states()[0].is_up)
        assert {upstream.choose() for _ in range(4)} == {sick, well}
    await other.close()


async def test_no_live_target(service: RawUpstream) -> None:
    """By the active checks also the only one may go: then nobody waits for a connect."""
    service.answer = DOWN
    upstream = upstream_to(service.port)
    async with checking(upstream):
        await until(lambda: not upstream.states()[0].is_up)
        assert upstream.choose_calmly() is None
        with pytest.raises(GatewayError, match=r"upstream_unavailable: no live target \(main\)"):
            upstream.choose()


async def test_who_comes_back_starts_afresh(service: RawUpstream) -> None:
    """Failures before the checks took it out are forgotten: it is another process now."""
    upstream = upstream_to(service.port, 1)
    pool = upstream.pools[0]
    for _ in range(3):
        upstream.note_failure(pool, GatewayError("upstream_error"))
    assert upstream.states()[0].is_ejected
    upstream.note_check(pool, is_up=False)
    upstream.note_check(pool, is_up=True)
    state = upstream.states()[0]
    assert (state.is_up, state.is_ejected, pool.has_failed) == (True, False, False)
    upstream.close()


async def test_checks_of_one_target_never_overlap(service: RawUpstream) -> None:
    """A slow answer delays the next question; and at the end none is left."""
    open_now, most = 0, 0

    async def slowly(_: RawUpstream, reader: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await read_head(reader)
        await asyncio.sleep(0.03)
        w.write(OK)
        await reader.read()
        open_now -= 1

    service.script = slowly
    upstream = upstream_to(service.port)
    async with checking(upstream):
        await until(lambda: service.connections >= 4)
    await until(lambda: open_now == 0)
    assert most == 1
    asked = service.connections
    await asyncio.sleep(0.03)
    assert service.connections == asked


async def test_a_gateway_checks_what_its_settings_say(tmp_path: Path) -> None:
    """From the file to the wire: the path is asked, and an outage is answered at once."""
    main = {"health_check": {"path": "/up", "interval": "20ms"}}
    async with run_gateway(tmp_path, {"upstreams": {"main": main}}) as gateway:
        service = gateway.upstream
        await until(lambda: len(service.requests) > 0)
        assert service.requests[0].target == "/up"
        assert (await gateway.get("/public/x")).status == 200
        service.answer = DOWN
        checks = len(service.requests)
        await until(lambda: len(service.requests) > checks + 3)
        answer = await gateway.get("/public/x")
        assert (answer.status, problem(answer)["code"]) == (503, "upstream_unavailable")
        assert "no live target" in str(problem(answer)["detail"])
        service.answer = OK
        checks = len(service.requests)
        await until(lambda: len(service.requests) > checks + 2)
        assert (await gateway.get("/public/x")).status == 200
