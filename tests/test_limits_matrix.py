"""Every limit and time-out of design section 3, at a value an operator chose, on a running gateway.

What each of them does in detail is told where it is enforced; here they are held side by side:
the last value that passes, the first that does not, its code, and what is freed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Peer, Service, held_bytes, read_answer_head, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
HELLO = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"
POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Front:
    """A gateway and how its clients connect: by TCP or a unix socket."""

    gateway: RunningGateway
    path: Path | None
    stack: AsyncExitStack

    async def connect(self) -> RawClient:
        """Open a connection, which ends with the front at the latest."""
        if self.path is None:
            client = await connect(self.gateway.port)
        else:
            client = RawClient(*await asyncio.open_unix_connection(self.path))
        self.stack.callback(_end, client)
        return client

    async def ask(self, data: bytes) -> tuple[int, str | None]:
        """Send bytes on a fresh connection; the status and code of the answer."""
        client = await self.connect()
        sending = asyncio.create_task(client.send(data))
        answer = await client.answer()
        await asyncio.wait({sending})
        sending.exception()
        await client.close()
        return answer.status, answer.value("X-Gateway-Error")


def _end(client: RawClient) -> None:
    client.writer.transport.abort()


@asynccontextmanager
async def open_front(folder: Path, kind: str, changes: dict[str, object]) -> AsyncIterator[Front]:
    """Run a gateway on a listener of this kind."""
    server = changes.get("server", {})
    assert isinstance(server, dict)
    path = folder / "gw.sock" if kind == "unix" else None
    listen = "127.0.0.1:0" if path is None else f"unix:{path}"
    settings = {**changes, "server": {**server, "listen": listen}}
    async with run_gateway(folder, settings) as gateway, AsyncExitStack() as stack:
        yield Front(gateway, path, stack)


KINDS = pytest.mark.parametrize("kind", ["tcp", "unix"])


# -- sizes ----------------------------------------------------------------------------------------


def with_headers(size: int) -> bytes:
    """A request whose header lines count `size` bytes together."""
    filled = size - len(b"Host: gw\r\n") - len(b"X-A: \r\n")
    return GET.replace(b"gw\r\n", b"gw\r\nX-A: " + b"a" * filled + b"\r\n")


def with_target(size: int) -> bytes:
    """A request whose target has `size` bytes."""
    return GET.replace(b"/public/x", b"/public/" + b"x" * (size - 8))


def with_body(size: int, path: bytes = b"/public/x") -> bytes:
    """A request that declares its body's size."""
    head = POST.replace(b"/public/x", path)
    return head + b"Content-Length: %d\r\n\r\n" % size + b"b" * size


def with_chunks(size: int, path: bytes = b"/public/x") -> bytes:
    """A request whose body comes in two chunks."""
    head = POST.replace(b"/public/x", path) + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"1\r\nb\r\n%x\r\n%b\r\n0\r\n\r\n" % (size - 1, b"b" * (size - 1))


SMALL_ROUTE = {"path": "/own/", "upstream": "main", "session": "none"}
OWN_BODY: list[dict[str, object]] = [{**SMALL_ROUTE, "limits": {"body": 50}}]
WIDE_BODY: list[dict[str, object]] = [{**SMALL_ROUTE, "limits": {"body": "2KiB"}}]

SIZES: list[tuple[str, dict[str, object], bytes, bytes, int, str]] = [
    (
        "headers, less than usual",
        {"server": {"limits": {"headers": "2KiB"}}},
        with_headers(2 * KIB),
        with_headers(2 * KIB + 1),
        431,
        "headers_too_large",
    ),
    (
        "headers, more than usual",
        {"server": {"limits": {"headers": "100KiB"}}},
        with_headers(100 * KIB),
        with_headers(100 * KIB + 1),
        431,
        "headers_too_large",
    ),
    (
        "headers, as large as the target",
        {"server": {"limits": {"headers": "4KiB", "target": "4KiB"}}},
        with_headers(4 * KIB),
        with_headers(9 * KIB),
        431,
        "headers_too_large",
    ),
    (
        "target, less than usual",
        {"server": {"limits": {"target": 100}}},
        with_target(100),
        with_target(101),
        414,
        "target_too_long",
    ),
    (
        "target, more than usual",
        {"server": {"limits": {"target": "30KiB"}}},
        with_target(30 * KIB),
        with_target(30 * KIB + 1),
        414,
        "target_too_long",
    ),
    (
        "target, as large as the headers",
        {"server": {"limits": {"headers": "4KiB", "target": "4KiB"}}},
        with_target(4 * KIB),
        with_target(9 * KIB),
        414,
        "target_too_long",
    ),
    (
        "target, larger than the headers",
        {"server": {"limits": {"headers": "1KiB", "target": "8KiB"}}},
        with_target(8 * KIB),
        with_target(8 * KIB + 1),
        414,
        "target_too_long",
    ),
    (
        "body with a length",
        {"server": {"limits": {"body": 100}}},
        with_body(100),
        with_body(101),
        413,
        "body_too_large",
    ),
    (
        "body in chunks",
        {"server": {"limits": {"body": 100}}},
        with_chunks(100),
        with_chunks(101),
        413,
        "body_too_large",
    ),
    (
        "a route's own body, smaller",
        {"routes": OWN_BODY},
        with_body(50, b"/own/x"),
        with_body(51, b"/own/x"),
        413,
        "body_too_large",
    ),
    (
        "a route's own body, larger",
        {"routes": WIDE_BODY, "server": {"limits": {"body": "1KiB"}}},
        with_chunks(2 * KIB, b"/own/x"),
        with_chunks(2 * KIB + 1, b"/own/x"),
        413,
        "body_too_large",
    ),
]


@KINDS
@pytest.mark.parametrize(
    ("changes", "largest", "larger", "status", "code"),
    [pytest.param(*row[1:], id=row[0]) for row in SIZES],
)
async def test_a_size_is_held_to_the_byte(
    tmp_path: Path,
    kind: str,
    changes: dict[str, object],
    largest: bytes,
    larger: bytes,
    status: int,
    code: str,
) -> None:
    """The last that passes reaches the service, the first that does not gets its own code."""
    async with open_front(tmp_path, kind, {"logs": {"format": "json"}, **changes}) as front:
        assert await front.ask(largest) == (200, None)
        assert len(front.gateway.upstream.requests) == 1
        assert await front.ask(larger) == (status, code)
        assert await front.ask(largest) == (200, None)
        assert len(front.gateway.upstream.requests) == 2


# -- connections ----------------------------------------------------------------------------------


@KINDS
async def test_connections_are_bounded(tmp_path: Path, kind: str) -> None:
    """One too many is closed unanswered, on either listener."""
    async with open_front(tmp_path, kind, {"server": {"limits": {"connections": 2}}}) as front:
        clients = [await front.connect() for _ in range(2)]
        for client in clients:
            await client.send(HELLO)
            assert (await client.answer()).body == b"hello\n"
        late = await front.connect()
        assert await late.is_closed()
        for client in [*clients, late]:
            await client.close()


async def test_a_unix_socket_has_no_address_to_count(tmp_path: Path) -> None:
    """`connections_per_ip` says nothing of clients that have none."""
    changes = {"server": {"limits": {"connections_per_ip": 1}}}
    async with open_front(tmp_path, "unix", dict(changes)) as front:
        clients = [await front.connect() for _ in range(3)]
        for client in clients:
            await client.send(HELLO)
            assert (await client.answer()).body == b"hello\n"
            await client.close()


@KINDS
async def test_no_keepalive_is_one_request_a_connection(tmp_path: Path, kind: str) -> None:
    """`keepalive: 0s` ends a connection behind its answer, which arrives whole."""
    async with open_front(tmp_path, kind, {"server": {"timeouts": {"keepalive": "0s"}}}) as front:
        client = await front.connect()
        await client.send(HELLO)
        assert (await client.answer()).body == b"hello\n"
        assert await client.is_closed()
        await client.close()


# -- heads ----------------------------------------------------------------------------------------

HASTY: dict[str, object] = {"server": {"timeouts": {"headers": "80ms", "keepalive": "10s"}}}


@KINDS
async def test_slow_heads_hold_nothing(tmp_path: Path, kind: str) -> None:
    """Dozens of them: no service hears of one, others are served, and all end in time (D1)."""
    changes: dict[str, object] = {"server": {"timeouts": {"headers": "500ms"}}}
    async with open_front(tmp_path, kind, changes) as front:
        slow = [await front.connect() for _ in range(40)]
        for client in slow:
            await client.send(GET[:-3])
        assert await front.ask(HELLO) == (200, None)
        assert held_bytes() < 40 * KIB
        async with asyncio.timeout(5):
            assert all([await client.is_closed() for client in slow])
        assert front.gateway.upstream.connections == 0
        for client in slow:
            await client.close()


@KINDS
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Content-Length: 4\r\n\r\nbody", id="a length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", id="chunks"),
        pytest.param(b"Content-Length: 0\r\n\r\n", id="none"),
    ],
)
async def test_a_head_begun_behind_a_body_has_a_deadline(
    tmp_path: Path, kind: str, body: bytes
) -> None:
    """In the same bytes as the request before it: `headers` bounds it, not `keepalive` (D1)."""
    async with open_front(tmp_path, kind, HASTY) as front:
        client = await front.connect()
        await client.send(POST + body + b"GET /pub")
        assert (await client.answer()).body == b"ok"
        async with asyncio.timeout(3):
            assert await client.is_closed()
        await client.close()


@KINDS
async def test_a_head_begun_behind_a_slow_body_has_a_deadline(tmp_path: Path, kind: str) -> None:
    """The body's last bytes come later, and the next head's first with them."""
    async with open_front(tmp_path, kind, HASTY) as front:
        service, client = Service(front.gateway.upstream), await front.connect()
        await client.send(POST + b"Content-Length: 4\r\n\r\nbo")
        peer = await service.accept()
        await peer.head()
        await client.send(b"dyGET /pub")
        assert await peer.exactly(4) == b"body"
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        async with asyncio.timeout(3):
            assert await client.is_closed()
        await client.close()


async def test_a_connection_is_kept_behind_a_request_with_a_body(tmp_path: Path) -> None:
    """The head's deadline begins with a head: silence behind a body is only unused time."""
    async with open_front(tmp_path, "tcp", HASTY) as front:
        client = await front.connect()
        for _ in range(3):
            await client.send(POST + b"Content-Length: 4\r\n\r\nbody")
            assert (await client.answer()).body == b"ok"
            await asyncio.sleep(0.12)
        await client.close()


# -- what is slow gives back what it held ---------------------------------------------------------


def busy(timeouts: dict[str, object], places: int = 2) -> dict[str, object]:
    """So few connections to the service that those who hold them keep others out."""
    main = {"connections": places, "timeouts": {"connect": "8s"}}
    return {"upstreams": {"main": main}, "server": {"timeouts": timeouts}}


async def assert_served(front: Front, service: Service) -> None:
    """A request that waits for a place gets one, and its answer."""
    client = await front.connect()
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


@KINDS
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
async def test_slow_bodies_give_their_places_back(
    tmp_path: Path, kind: str, framing: bytes
) -> None:
    """Each holds a connection to the service for `body_idle`, and no longer (D2, D6)."""
    async with open_front(tmp_path, kind, busy({"body_idle": "150ms"})) as front:
        service = Service(front.gateway.upstream)
        slow = [await front.connect() for _ in range(2)]
        peers: list[Peer] = []
        for client in slow:
            await client.send(POST + framing)
            peers.append(await service.accept())
            await peers[-1].head()
        await assert_served(front, service)
        for client, peer in zip(slow, peers, strict=True):
            assert await peer.rest() == b""
            assert problem(await client.answer())["code"] == "bad_request"
            await client.close()


@KINDS
async def test_slow_readers_give_their_places_back(tmp_path: Path, kind: str) -> None:
    """Each holds a connection to the service for `write_idle`, and bounded bytes (D2, D5)."""
    async with open_front(tmp_path, kind, busy({"write_idle": "300ms"})) as front:
        service = Service(front.gateway.upstream)
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await _stop_reading(front, service, stack)
            assert held_bytes() < 2 * MIB
            await assert_served(front, service)


async def _stop_reading(front: Front, service: Service, stack: AsyncExitStack) -> None:
    """Ask for 64 MiB and take nothing but the head."""
    client = await front.connect()
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % (64 * MIB))
    await read_answer_head(client)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    sending = asyncio.create_task(peer.send(bytes(64 * MIB)))

    async def end() -> None:
        await asyncio.wait({sending})
        sending.exception()
        client.writer.transport.abort()

    stack.push_async_callback(end)


async def test_many_slow_readers_hold_little(tmp_path: Path) -> None:
    """What waits for each is bounded, so that what waits for all is (D5)."""
    readers = 20
    async with open_front(tmp_path, "tcp", {}) as front:
        service = Service(front.gateway.upstream)
        for _ in range(readers):
            client = await front.connect()
            await client.send(GET)
            peer = await service.accept()
            await peer.head()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined] # sockets have it
            peer.writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % (8 * MIB) + bytes(8 * MIB))
        last = -1
        while (now := held_bytes()) != last:  # until nothing moves any more
            last = now
            await asyncio.sleep(0.1)
        assert last < readers * MIB
        assert await front.ask(HELLO) == (200, None)


async def test_requests_nobody_answers_yet_are_not_gathered(running: RunningGateway) -> None:
    """A client may pipeline for ever: behind the first few, it is read no further (D3)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    client.writer.transport.set_write_buffer_limits(high=0)
    sent = 0
    while sent < 64 * MIB:
        client.writer.write(GET * 2000)
        sent += len(GET) * 2000
        try:
            async with asyncio.timeout(0.3):
                await client.writer.drain()
        except TimeoutError:
            break
    assert sent < 32 * MIB
    assert held_bytes() < 2 * MIB
    client.writer.transport.abort()
    peer.abort()


@pytest.mark.parametrize(
    ("body_rate", "is_fast_enough"), [("1KiB", True), ("1MiB", False)], ids=["slow", "fast"]
)
async def test_the_least_rate_is_the_operators(
    tmp_path: Path, body_rate: str, *, is_fast_enough: bool
) -> None:
    """`body_rate`: 40 KiB a second is enough for some, and too little for others (D6)."""
    timeouts = {"body_idle": "200ms", "body_rate": body_rate}
    async with open_front(tmp_path, "tcp", {"server": {"timeouts": timeouts}}) as front:
        client = await front.connect()
        await client.send(POST + b"Content-Length: 20480\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(0.025)
            await client.send(bytes(KIB))
        answer = await client.answer()
        assert (answer.status == 200) == is_fast_enough
        if not is_fast_enough:
            assert problem(answer)["code"] == "bad_request"
        await client.close()


# -- services that are slow -----------------------------------------------------------------------

PATIENT: dict[str, object] = {"first_byte": "9s", "idle": "9s", "stream_idle": "9s"}
EVENTS = b"Content-Type: text/event-stream\r\n"


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        pytest.param({"idle": "60ms"}, HEAD + b"Content-Length: 9\r\n\r\nhalf", id="idle"),
        pytest.param(
            {"stream_idle": "60ms"}, HEAD + EVENTS + b"Content-Length: 9\r\n\r\nhalf", id="stream"
        ),
    ],
)
async def test_a_route_has_its_own_patience_within_an_answer(
    tmp_path: Path, own: dict[str, object], sent: bytes
) -> None:
    """A route's `idle` and `stream_idle` go before its upstream's; the rest is cut off."""
    route = {"path": "/public/", "upstream": "main", "session": "none", "timeouts": own}
    changes = {
        "upstreams": {"main": {"timeouts": PATIENT}},
        "routes": [route],
        "logs": {"format": "json"},
    }
    async with run_gateway(tmp_path, changes) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET)
        peer = await service.accept()
        await peer.head()
        await peer.send(sent)
        await read_answer_head(client)
        async with asyncio.timeout(3):
            assert await read_rest(client) == (b"half", True)
            assert await peer.rest() == b""
        await client.close()


async def test_a_service_that_dribbles_its_head_is_given_up(tmp_path: Path) -> None:
    """`first_byte` is the time to a whole head: a byte now and then does not stretch it."""
    timeouts = {**PATIENT, "first_byte": "150ms"}
    async with run_gateway(tmp_path, {"upstreams": {"main": {"timeouts": timeouts}}}) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET)
        peer = await service.accept()
        await peer.head()

        async def dribble() -> None:
            for byte in HEAD + b"X-A: " + b"a" * 1000:
                await peer.send(bytes([byte]))
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        answer = await client.answer()
        assert (answer.status, problem(answer)["code"]) == (504, "upstream_timeout")
        dribbling.cancel()
        await asyncio.wait({dribbling})
        assert await peer.rest() == b""
        await client.close()
