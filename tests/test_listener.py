"""Opening and draining the public listener: nothing under way is lost, and it ends in time.

Each scenario runs on both event loops; production runs on uvloop.
"""

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import pytest
import uvloop

from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Peer, Service, read_answer_head, read_exactly, read_rest

Scenario = Callable[[Path], Coroutine[object, object, None]]
GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
HELLO = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Run a scenario in a loop of its own."""
    run: Callable[[Awaitable[None]], None] = request.param
    return lambda scenario: run(scenario(tmp_path))


async def begin(gateway: RunningGateway, request: bytes) -> tuple[RawClient, Peer]:
    """A request that its service has read the head of."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    await client.send(request)
    peer = await service.accept()
    await peer.head()
    return client, peer


def start_closing(gateway: RunningGateway) -> asyncio.Task[None]:
    """Begin to drain."""
    return asyncio.create_task(gateway.gateway.listener.close())


# -- draining -------------------------------------------------------------------------------------


def test_an_upload_under_way_is_finished(play: Callable[[Scenario], None]) -> None:
    """Body bytes sent after draining began still arrive; the answer says that it is the last."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            head = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 10\r\n\r\n"
            client, peer = await begin(gateway, head + b"hello")
            idle = await connect(gateway.port)
            closing = start_closing(gateway)
            assert await idle.is_closed()  # so draining has begun
            await client.send(b"world")
            assert await peer.exactly(10) == b"helloworld"
            await peer.send(OK)
            answer = await client.answer()
            assert (answer.body, answer.value("Connection")) == (b"ok", "close")
            assert await client.is_closed()
            await closing
            for each in (client, idle):
                await each.close()

    play(scenario)


def test_an_answer_under_way_is_finished(play: Callable[[Scenario], None]) -> None:
    """Its head was out before: the connection ends behind it all the same."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            client, peer = await begin(gateway, GET)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            assert (await read_answer_head(client)).value("Connection") is None
            idle = await connect(gateway.port)
            closing = start_closing(gateway)
            assert await idle.is_closed()
            await peer.send(b"world")
            assert await read_rest(client) == (b"helloworld", False)
            await closing
            for each in (client, idle):
                await each.close()

    play(scenario)


def test_idle_connections_end_at_once_and_new_ones_are_refused(
    play: Callable[[Scenario], None],
) -> None:
    """Whether they have served a request or none."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            used, fresh = [await connect(gateway.port) for _ in range(2)]
            await used.send(GET)
            assert (await used.answer()).status == 200
            port = gateway.port
            async with asyncio.timeout(1):
                await gateway.gateway.listener.close()
            assert await used.is_closed()
            assert await fresh.is_closed()
            with pytest.raises(ConnectionRefusedError):
                await connect(port)
            for each in (used, fresh):
                await each.close()

    play(scenario)


def test_a_request_already_sent_when_draining_begins_is_answered(
    play: Callable[[Scenario], None],
) -> None:
    """Draining does not take an accepted request for an idle connection."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            client, peer = await begin(gateway, GET)
            await peer.send(OK)
            assert (await client.answer()).status == 200
            await client.send(GET)
            await peer.head()  # it is with the service
            closing = start_closing(gateway)
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
            await closing
            await client.close()

    play(scenario)


def test_draining_may_begin_at_any_moment(play: Callable[[Scenario], None]) -> None:
    """A request that the service has seen is answered, however fresh it is."""

    async def scenario(folder: Path) -> None:
        for turns in range(16):
            async with run_gateway(folder) as gateway:
                client = await connect(gateway.port)
                client.writer.write(GET)
                for _ in range(turns):
                    await asyncio.sleep(0)
                await gateway.gateway.listener.close()
                received, _ = await read_rest(client)
                assert received.endswith(b"ok") == bool(gateway.upstream.requests)
                await client.close()

    play(scenario)


def test_draining_ends_in_time(play: Callable[[Scenario], None]) -> None:
    """What is still open after `shutdown` is cut, so that nobody takes half for a whole."""

    async def scenario(folder: Path) -> None:
        changes = {"server": {"timeouts": {"shutdown": "100ms"}}}
        async with run_gateway(folder, changes) as gateway:
            client, peer = await begin(gateway, GET)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            await read_answer_head(client)
            assert await read_exactly(client, 5) == b"hello"
            async with asyncio.timeout(1):
                await gateway.gateway.listener.close()
            assert (await read_rest(client))[0] == b""
            assert await peer.rest() == b""
            await client.close()

    play(scenario)


def test_no_time_to_drain_is_no_time(play: Callable[[Scenario], None]) -> None:
    """`shutdown: 0s` cuts at once, and still leaves no task behind."""

    async def scenario(folder: Path) -> None:
        changes = {"server": {"timeouts": {"shutdown": "0s"}}}
        async with run_gateway(folder, changes) as gateway:
            client, peer = await begin(gateway, GET)
            before = asyncio.all_tasks()
            async with asyncio.timeout(1):
                await gateway.gateway.listener.close()
            assert await peer.rest() == b""
            names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() & before}  # type: ignore[union-attr] # tasks here have coroutines
            assert not {name for name in names if "Handler" in name or "Gateway" in name}
            await client.close()

    play(scenario)


def test_a_connection_that_never_asks_does_not_hold_up_the_end(
    play: Callable[[Scenario], None],
) -> None:
    """Half a head is nothing under way."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            client = await connect(gateway.port)
            await client.send(b"GET /public/x HTTP/1.1\r\nHost:")
            other = await gateway.get("/public/x")  # so the half head has been read
            assert other.status == 200
            async with asyncio.timeout(1):
                await gateway.gateway.listener.close()
            assert await client.is_closed()
            await client.close()

    play(scenario)


def test_a_tunnel_is_told_that_the_gateway_goes(play: Callable[[Scenario], None]) -> None:
    """A WebSocket gets a Close with 1001 at both ends, and is over long before the rest."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder, {"server": {"timeouts": {"shutdown": "30s"}}}) as gateway:
            handshake = GET.replace(
                b"\r\n\r\n",
                b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            client, peer = await begin(gateway, handshake)
            await peer.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            assert (await read_answer_head(client)).status == 101
            async with asyncio.timeout(5):
                await gateway.gateway.listener.close()
            assert (await read_rest(client))[0] == b"\x88\x0c\x03\xe9going away"
            assert (await peer.rest()).startswith(b"\x88\x8c")  # masked, so not in plain words
            await client.close()

    play(scenario)


def test_what_is_queued_when_draining_begins_is_served(play: Callable[[Scenario], None]) -> None:
    """The kernel has connected these clients; nobody else would ever answer them."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            clients = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(16)]
            for client in clients:
                client.sendall(HELLO)
            await gateway.gateway.listener.close()  # the loop has had no time to accept them
            for client in clients:
                assert b"hello\n" in client.recv(65536)
                client.close()

    play(scenario)


def test_a_client_that_is_just_accepted_may_still_ask(play: Callable[[Scenario], None]) -> None:
    """Its request is on its way; later it would be closed as idle."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            client = await connect(gateway.port)
            await gateway.get("/hello.txt")  # so it has been accepted
            closing = start_closing(gateway)
            await asyncio.sleep(0)
            await client.send(HELLO)
            answer = await client.answer()
            assert (answer.body, answer.value("Connection")) == (b"hello\n", "close")
            await closing
            await client.close()

    play(scenario)


def test_it_may_be_closed_again_at_once(play: Callable[[Scenario], None]) -> None:
    """Whoever does not want to wait any longer gives it no time."""

    async def scenario(folder: Path) -> None:
        changes = {"server": {"timeouts": {"shutdown": "1h"}}}
        async with run_gateway(folder, changes) as gateway:
            client, peer = await begin(gateway, GET)
            closing = start_closing(gateway)
            await asyncio.sleep(0)
            await gateway.gateway.listener.close(0.0)
            assert await peer.rest() == b""
            await closing
            await client.close()

    play(scenario)


# -- where it listens -----------------------------------------------------------------------------


def test_it_listens_on_a_unix_socket(play: Callable[[Scenario], None]) -> None:
    """Behind a proxy on the same machine; one left behind by a killed process is replaced."""

    async def scenario(folder: Path) -> None:
        path = folder / "gw.sock"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(path))
        async with run_gateway(folder, {"server": {"listen": f"unix:{path}"}}) as gateway:
            assert stat.S_ISSOCK(path.stat().st_mode)
            client = RawClient(*await asyncio.open_unix_connection(path))
            for _ in range(2):
                await client.send(GET)
                assert (await client.answer()).body == b"ok"
            seen = gateway.upstream.requests[-1]
            assert (seen.value("X-Real-IP"), seen.value("X-Forwarded-For")) == (None, None)
            await client.close()

    play(scenario)


def test_a_unix_socket_that_is_served_is_not_taken_away(
    play: Callable[[Scenario], None],
) -> None:
    """As a port would not be: the second start fails, the first goes on."""

    async def scenario(folder: Path) -> None:
        path = folder / "gw.sock"
        listen = {"server": {"listen": f"unix:{path}"}}
        async with run_gateway(folder, listen):
            with pytest.raises(OSError, match="in use"):
                async with run_gateway(folder, listen):
                    pass
            client = RawClient(*await asyncio.open_unix_connection(path))
            await client.send(GET)
            assert (await client.answer()).body == b"ok"
            await client.close()

    play(scenario)


def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_open(
    play: Callable[[Scenario], None],
) -> None:
    """Start-up fails cleanly: nothing of it goes on (unclosed sockets would be warnings here)."""

    async def scenario(folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match="in use"):
                async with run_gateway(folder, {"server": {"listen": f"127.0.0.1:{port}"}}):
                    pass

    play(scenario)


def test_the_listener_shares_its_port_with_nobody(play: Callable[[Scenario], None]) -> None:
    """Without SO_REUSEPORT: closing one of several listeners would drop what waits in its queue."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            with socket.socket() as second:
                second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                with pytest.raises(OSError, match="in use"):
                    second.bind(("127.0.0.1", gateway.port))

    play(scenario)


def test_a_gateway_serves_again_where_it_served_before(play: Callable[[Scenario], None]) -> None:
    """A restart on the same port, at once."""

    async def scenario(folder: Path) -> None:
        async with run_gateway(folder) as gateway:
            port = gateway.port
            assert (await gateway.get("/hello.txt")).status == 200
        async with run_gateway(folder, {"server": {"listen": f"127.0.0.1:{port}"}}) as gateway:
            assert (await gateway.get("/hello.txt")).status == 200

    play(scenario)
