"""Services that are down, silent, somewhere else or behind TLS; and what is tried again."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.proxy.balance import Balance
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.ejection import EjectionPolicy
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import Resolver
from gateway.proxy.upstream import TargetState, Upstream, UpstreamTimeouts
from tests.support.authority import Authority, server_context
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawUpstream, connect, read_message
from tests.support.wire import Service

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\nhi"


def upstream_of(*targets: str, **more: object) -> Mapping[str, object]:
    """Settings that put the routes' service somewhere else."""
    return {"upstreams": {"main": {"targets": list(targets), **more}}}


async def closed_port() -> int:
    """A port on which nobody listens."""
    gone = RawUpstream()
    await gone.start()
    await gone.close()
    return gone.port


# -- down, silent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_a_service_that_is_down_is_unavailable(tmp_path: Path, request_: bytes) -> None:
    """Connection refused: 503, and the next request asks again."""
    port = await closed_port()
    async with run_gateway(tmp_path, upstream_of(f"http://127.0.0.1:{port}")) as gateway:
        client = await connect(gateway.port)
        for _ in range(2):
            await client.send(request_)
            answer = await client.answer()
            assert (answer.status, problem(answer)["code"]) == (503, "upstream_unavailable")
        server = await asyncio.start_server(_answer_all, "127.0.0.1", port)
        await client.send(request_)
        assert (await client.answer()).body == b"ok"
        await client.close()
        server.close()


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await read_message(reader)
            writer.write(OK)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def test_a_service_that_takes_no_connection_is_unavailable(tmp_path: Path) -> None:
    """A full queue that nobody empties: `connect` bounds the wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the one the queue holds
            target = upstream_of(f"http://127.0.0.1:{port}", timeouts={"connect": "50ms"})
            async with run_gateway(tmp_path, target) as gateway:
                answer = await gateway.get("/public/x")
                assert problem(answer)["code"] == "upstream_unavailable"


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_a_silent_service_times_out(tmp_path: Path, request_: bytes) -> None:
    """No head within `first_byte` of the whole request: 504, and nothing is sent twice."""
    changes = {"upstreams": {"main": {"timeouts": {"first_byte": "50ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(request_)
        peer = await service.accept()
        answer = await client.answer()
        assert (answer.status, problem(answer)["code"]) == (504, "upstream_timeout")
        await peer.rest()
        assert service.is_quiet
        await client.send(request_)
        second = await service.accept()
        await second.head()
        await second.send(OK)
        assert (await client.answer()).body == b"ok"
        await client.close()


async def test_a_route_has_its_own_patience(tmp_path: Path) -> None:
    """A route's `first_byte` goes before the upstream's."""
    route = {
        "path": "/slow/",
        "upstream": "main",
        "session": "none",
        "timeouts": {"first_byte": "20ms"},
    }
    async with run_gateway(tmp_path, {"routes": [route]}) as gateway:
        service = Service(gateway.upstream)
        answer = await gateway.get("/slow/x")
        assert problem(answer)["code"] == "upstream_timeout"
        assert "0.02 s" in str(problem(answer)["detail"])
        await (await service.accept()).rest()


async def test_half_a_head_does_not_stop_the_clock(tmp_path: Path) -> None:
    """`first_byte` is the time to a whole head."""
    changes = {"upstreams": {"main": {"timeouts": {"first_byte": "100ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET)
        peer = await service.accept()
        await peer.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        assert problem(await client.answer())["code"] == "upstream_timeout"
        await peer.rest()
        await client.close()


# -- again, elsewhere -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_repeatable_request_is_sent_once_more(running: RunningGateway, method: str) -> None:
    """A service that closed without an answer byte is asked once more, and only once."""
    service, client = Service(running.upstream), await connect(running.port)
    request = GET.replace(b"GET", method.encode())
    await client.send(request)
    (first := await service.accept()).close()
    second = await service.accept()
    await second.head()
    await second.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (await client.answer(of=method)).status == 204
    await client.send(request)
    await second.head()
    second.close()
    (await service.accept()).close()
    refused = await client.answer(of=method)  # to HEAD there is no body to look into
    assert refused.value("X-Gateway-Error") == "upstream_error"
    assert service.is_quiet
    first.abort()
    await client.close()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(POST, id="POST"),
        pytest.param(POST.replace(b"POST", b"PUT"), id="PUT"),
        pytest.param(GET.replace(b"GET", b"DELETE"), id="DELETE"),
        pytest.param(GET.replace(b"GET", b"PATCH"), id="PATCH, no body"),
        pytest.param(POST.replace(b"POST", b"GET"), id="GET with a body"),
    ],
)
async def test_what_may_have_had_an_effect_is_never_sent_twice(
    running: RunningGateway, request_: bytes
) -> None:
    """Bytes went out: the failure is reported."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(request_)
    peer = await service.accept()
    await peer.head()
    peer.close()
    assert problem(await client.answer())["code"] == "upstream_error"
    assert service.is_quiet
    await client.close()


async def test_a_stale_connection_costs_a_get_nothing(running: RunningGateway) -> None:
    """The service closes just as a request goes out; other idle connections may be as stale."""
    service = Service(running.upstream)
    clients = [await connect(running.port) for _ in range(2)]
    peers = []
    for client in clients:
        await client.send(GET)
        peers.append(peer := await service.accept())
        await peer.head()
    for client, peer in zip(clients, peers, strict=True):
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
    await clients[0].send(GET)
    await peers[1].head()  # the youngest
    peers[1].abort()
    fresh = await service.accept()
    await fresh.head()
    await fresh.send(OK)
    assert (await clients[0].answer()).body == b"ok"
    for client in clients:
        await client.close()


async def test_no_retry_where_none_is_wanted(tmp_path: Path) -> None:
    """`retries: 0` reports the first failure."""
    async with run_gateway(tmp_path, {"upstreams": {"main": {"retries": 0}}}) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET)
        (await service.accept()).close()
        assert problem(await client.answer())["code"] == "upstream_error"
        assert service.is_quiet
        await client.close()


@asynccontextmanager
async def second_target() -> AsyncIterator[RawUpstream]:
    """Another machine with the same service."""
    other = RawUpstream()
    await other.start()
    try:
        yield other
    finally:
        await other.close()


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_a_dead_target_is_passed_over(tmp_path: Path, request_: bytes) -> None:
    """Nothing was sent to it, so any request may go to the next."""
    dead = f"http://127.0.0.1:{await closed_port()}"
    async with (
        second_target() as alive,
        run_gateway(tmp_path, upstream_of(dead, f"http://127.0.0.1:{alive.port}")) as gateway,
    ):
        client = await connect(gateway.port)
        for _ in range(4):
            await client.send(request_)
            assert (await client.answer()).body == b"ok"
        assert len(alive.requests) == 4
        await client.close()


async def test_a_retry_goes_to_another_target(tmp_path: Path) -> None:
    """The one that failed is not asked again where there is another."""
    async with second_target() as one, second_target() as other:
        targets = [f"http://127.0.0.1:{each.port}" for each in (one, other)]
        async with run_gateway(tmp_path, upstream_of(*targets)) as gateway:
            service = Service(one)
            client = await connect(gateway.port)
            await client.send(GET)
            (await service.accept()).close()
            assert (await client.answer()).body == b"ok"
            assert service.is_quiet
            assert len(other.requests) == 1
            await client.close()


async def test_targets_take_turns(tmp_path: Path) -> None:
    """Round robin."""
    async with second_target() as one, second_target() as other:
        targets = [f"http://127.0.0.1:{each.port}" for each in (one, other)]
        async with run_gateway(tmp_path, upstream_of(*targets)) as gateway:
            for _ in range(6):
                assert (await gateway.get("/public/x")).status == 200
        assert (len(one.requests), len(other.requests)) == (3, 3)


def test_choosing_prefers_what_was_not_tried() -> None:
    """And falls back to any when all were."""
    dialer = Dialer(Resolver())
    pools = [Pool(TargetAddress("127.0.0.1", port), PoolLimits(), dialer) for port in (1, 2, 3)]
    upstream = Upstream("main", pools, UpstreamTimeouts())
    tried: list[Pool] = []
    for _ in pools:
        tried.append(upstream.choose(tried))
    assert set(map(id, tried)) == set(map(id, pools))
    assert upstream.choose(tried) in pools


# -- who is fit to be asked ----------------------------------------------------------------------

FAILED = GatewayError("upstream_error")


class Time:
    """A clock moved by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def upstream_to(*ports: int, ticks: Time | None = None, balance: Balance | None = None) -> Upstream:
    """Targets on these ports; back-offs without jitter."""
    dialer = Dialer(Resolver())
    pools = [Pool(TargetAddress("127.0.0.1", port), PoolLimits(), dialer) for port in ports]
    return Upstream(
        *("main", pools, UpstreamTimeouts()),
        balance=balance,
        ejection=EjectionPolicy(failures=3, jitter=0.0),
        ticks=ticks or Time(),
    )


def fail(upstream: Upstream, pool: Pool, times: int = 3) -> None:
    """Tell of so many failures."""
    for _ in range(times):
        upstream.note_failure(pool, FAILED)


def test_a_target_that_fails_is_left_alone_and_probed() -> None:
    """One request after its back-off, then all again."""
    time = Time()
    upstream = upstream_to(1, 2, 3, ticks=time)
    bad = upstream.pools[0]
    fail(upstream, bad)
    assert upstream.states()[0].is_ejected
    assert upstream.choose_calmly() is None
    assert bad not in [upstream.choose() for _ in range(6)]
    time.now_s += 1.0
    assert [upstream.choose() for _ in range(4)].count(bad) == 1
    assert bad.has_failed
    upstream.note_success(bad)
    assert (bad.has_failed, upstream.states()[0].is_ejected) == (False, False)
    assert [upstream.choose() for _ in range(6)].count(bad) == 2
    assert upstream.states()[0].ejections == 1


def test_failures_never_take_the_last_one_out() -> None:
    """A bad moment of all targets is not made an outage; who is better is asked first."""
    upstream = upstream_to(1, 2)
    one, other = upstream.pools
    fail(upstream, one, 9)
    fail(upstream, other, 9)
    assert [state.is_ejected for state in upstream.states()] == [True, False]
    assert upstream.choose() is other
    alone = upstream_to(1)
    fail(alone, alone.pools[0], 9)
    assert alone.choose() is alone.choose_calmly() is alone.pools[0]


def test_an_ejected_target_is_better_than_none() -> None:
    """Where checks take the others out, failures do not keep the last from being asked."""
    upstream = upstream_to(1, 2)
    one, other = upstream.pools
    fail(upstream, one)
    upstream.note_check(other, is_up=False)
    assert upstream.choose() is one
    upstream.note_check(one, is_up=False)
    with pytest.raises(GatewayError, match="no live target"):
        upstream.choose()


def test_a_retry_prefers_the_living() -> None:
    """Another that lives, before one that is due for a probe, before the one just tried."""
    time = Time()
    upstream = upstream_to(1, 2, 3, ticks=time)
    bad, tried, other = upstream.pools
    fail(upstream, bad)
    assert upstream.choose([tried]) is other
    assert upstream.choose([tried, other]) in (tried, other)
    time.now_s += 1.0
    assert upstream.choose([tried]) is other
    assert upstream.choose([tried, other]) is bad


@pytest.mark.parametrize("code", ["overloaded", "bad_request", "body_too_large"])
def test_what_is_not_the_target_s_fault(code: str) -> None:
    """A client's mistakes eject nobody."""
    upstream = upstream_to(1, 2)
    for _ in range(9):
        upstream.note_failure(upstream.pools[0], GatewayError(code))
    assert not upstream.pools[0].has_failed
    assert not upstream.states()[0].is_ejected


async def test_a_full_target_is_passed_over() -> None:
    """Where another has room nobody waits."""
    async with second_target() as one, second_target() as other:
        dialer, limits = Dialer(Resolver()), PoolLimits(connections=1)
        pools = [
            Pool(TargetAddress("127.0.0.1", each.port), limits, dialer) for each in (one, other)
        ]
        upstream = Upstream("main", pools, UpstreamTimeouts())
        held = await pools[0].acquire()
        assert [upstream.choose() for _ in range(4)] == [pools[1]] * 4
        pools[0].release(held)
        upstream.close()


async def test_one_without_a_connection_keeps_its_turn() -> None:
    """The way for connections at hand must not starve who has none yet."""
    async with second_target() as one, second_target() as other:
        upstream = upstream_to(one.port, other.port)
        first, second = upstream.pools
        first.release(await first.acquire())
        chosen = []
        for _ in range(4):
            chosen.append(pool := upstream.choose_calmly() or upstream.choose())
            pool.release(await pool.acquire())
        assert chosen == [first, second, first, second]
        upstream.close()


async def test_states_tell_what_is_there() -> None:
    """For metrics and the admin API; an address is all that is said of a target."""
    async with second_target() as one:
        upstream = upstream_to(one.port, 1)
        busy, dead = upstream.pools
        held, idle = await busy.acquire(), await busy.acquire()
        busy.release(idle)
        with pytest.raises(GatewayError):
            await upstream.acquire(dead)
        assert upstream.states() == (
            TargetState(
                target=f"http://127.0.0.1:{one.port}",
                is_up=True,
                is_ejected=False,
                in_flight=1,
                in_use=1,
                open=2,
                idle=1,
                waiting=0,
                attempts=2,
                connect_failures=0,
                ejections=0,
            ),
            TargetState("http://127.0.0.1:1", True, False, 0, 0, 0, 0, 0, 0, 1, 0),
        )
        busy.release(held)
        upstream.close()


async def test_a_failure_names_the_upstream_not_its_address() -> None:
    """An operator learns which service; a client learns no address."""
    port = await closed_port()
    pool = Pool(TargetAddress("127.0.0.1", port), PoolLimits(), Dialer(Resolver()))
    upstream = Upstream("main", [pool], UpstreamTimeouts())
    with pytest.raises(GatewayError) as failed:
        await upstream.acquire(upstream.choose())
    assert "(main)" in failed.value.detail
    assert str(port) not in failed.value.detail
    upstream.close()


# -- where it is ----------------------------------------------------------------------------------


async def test_a_service_on_a_unix_socket(tmp_path: Path) -> None:
    """Requests pass as over TCP; a socket nobody listens on is unavailable."""
    path = tmp_path / "s.sock"
    server = await asyncio.start_unix_server(_answer_all, path)
    async with run_gateway(tmp_path, upstream_of(f"unix:{path}")) as gateway:
        client = await connect(gateway.port)
        for _ in range(2):
            await client.send(POST)
            assert (await client.answer()).body == b"ok"
        await client.close()
    server.close()
    await server.wait_closed()
    path.unlink(missing_ok=True)
    async with run_gateway(tmp_path, upstream_of(f"unix:{path}")) as gateway:
        assert problem(await gateway.get("/public/x"))["code"] == "upstream_unavailable"


async def test_whose_name_host_carries(tmp_path: Path) -> None:
    """The client's by default; the service's own where the settings say so."""
    changes = {"upstreams": {"main": {"host_header": "upstream"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        assert (await gateway.get("/public/x")).status == 200
        seen = gateway.upstream.requests[-1]
        assert seen.value("Host") == f"127.0.0.1:{gateway.upstream.port}"
        assert seen.value("X-Forwarded-Host") == "gw"


@asynccontextmanager
async def tls_service(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A service behind TLS; yields its port."""
    server = await asyncio.start_server(_answer_all, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_https_service_with_its_own_authority(tmp_path: Path) -> None:
    """A certificate of the authority named in the settings is believed; bodies pass."""
    authority = Authority(tmp_path)
    certificate = authority.issue("orders.internal", "127.0.0.1")
    async with tls_service(server_context(certificate)) as port:
        target = upstream_of(f"https://127.0.0.1:{port}", tls={"ca": str(authority.ca)})
        async with run_gateway(tmp_path, target) as gateway:
            client = await connect(gateway.port)
            for _ in range(2):
                await client.send(POST)
                assert (await client.answer()).body == b"ok"
            await client.close()


@pytest.mark.parametrize(
    ("names", "tls", "is_good"),
    [
        pytest.param(("orders.internal", None), {}, False, id="the target's address is not in it"),
        pytest.param(
            ("orders.internal", None), {"server_name": "orders.internal"}, True, id="a name given"
        ),
        pytest.param(
            ("orders.internal", "127.0.0.1"), {"server_name": "evil.internal"}, False, id="another"
        ),
    ],
)
async def test_a_certificate_must_carry_the_name(
    tmp_path: Path, names: tuple[str, str | None], tls: dict[str, str], is_good: bool
) -> None:
    """The target's host, or `server_name`; a wrong one is refused before any byte is sent."""
    authority = Authority(tmp_path)
    async with tls_service(server_context(authority.issue(*names))) as port:
        target = upstream_of(f"https://127.0.0.1:{port}", tls={"ca": str(authority.ca), **tls})
        async with run_gateway(tmp_path, target) as gateway:
            answer = await gateway.get("/public/x")
            if is_good:
                assert answer.body == b"ok"
            else:
                assert (answer.status, problem(answer)["code"]) == (503, "upstream_unavailable")


async def test_a_certificate_of_a_stranger_is_refused(tmp_path: Path) -> None:
    """Neither another authority's nor, without `ca`, any but the system's is believed."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate = theirs.issue("orders.internal", "127.0.0.1")
    async with tls_service(server_context(certificate)) as port:
        for tls in ({"ca": str(ours.ca)}, None):
            target = upstream_of(f"https://127.0.0.1:{port}", **({"tls": tls} if tls else {}))
            async with run_gateway(tmp_path, target) as gateway:
                answer = await gateway.get("/public/x")
                assert problem(answer)["code"] == "upstream_unavailable"


async def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    """Right name, right authority, too late."""
    authority = Authority(tmp_path)
    certificate = authority.issue("orders.internal", "127.0.0.1", is_expired=True)
    async with tls_service(server_context(certificate)) as port:
        target = upstream_of(f"https://127.0.0.1:{port}", tls={"ca": str(authority.ca)})
        async with run_gateway(tmp_path, target) as gateway:
            answer = await gateway.get("/public/x")
            assert (answer.status, problem(answer)["code"]) == (503, "upstream_unavailable")


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    """A service that asks for one gets ours."""
    authority = Authority(tmp_path)
    service = authority.issue("orders.internal", "127.0.0.1")
    ours = authority.issue("gateway.internal")
    async with tls_service(server_context(service, client_ca=authority.ca)) as port:
        tls = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
        target = upstream_of(f"https://127.0.0.1:{port}", tls=tls)
        async with run_gateway(tmp_path, target) as gateway:
            assert (await gateway.get("/public/x")).body == b"ok"


async def test_without_a_client_certificate_the_service_refuses(tmp_path: Path) -> None:
    """Whether the refusal comes in the handshake or after it (TLS 1.3), the client learns it."""
    authority = Authority(tmp_path)
    service = authority.issue("orders.internal", "127.0.0.1")
    async with tls_service(server_context(service, client_ca=authority.ca)) as port:
        target = upstream_of(f"https://127.0.0.1:{port}", tls={"ca": str(authority.ca)})
        async with run_gateway(tmp_path, target) as gateway:
            answer = await gateway.get("/public/x")
            assert problem(answer)["code"] in {"upstream_unavailable", "upstream_error"}


async def test_plain_http_where_tls_is_meant_is_unavailable(tmp_path: Path) -> None:
    """And the other way round it is no valid answer."""
    authority = Authority(tmp_path)
    async with second_target() as plain:
        target = upstream_of(
            f"https://127.0.0.1:{plain.port}",
            tls={"ca": str(authority.ca)},
            timeouts={"connect": "500ms"},
        )
        plain.script = _refuse_tls
        async with run_gateway(tmp_path, target) as gateway:
            assert problem(await gateway.get("/public/x"))["code"] == "upstream_unavailable"
    certificate = authority.issue("orders.internal", "127.0.0.1")
    async with (
        tls_service(server_context(certificate)) as port,
        run_gateway(tmp_path, upstream_of(f"http://127.0.0.1:{port}")) as gateway,
    ):
        assert problem(await gateway.get("/public/x"))["code"] == "upstream_error"


async def _refuse_tls(
    _: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
