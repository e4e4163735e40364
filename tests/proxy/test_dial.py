"""One connection to a target: its name's addresses in turn, TLS with the right name."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.dial import Dialer, TargetAddress
from gateway.proxy.pool import Pool, PoolLimits
from gateway.proxy.resolve import FRESH_S, Resolver
from tests.support.authority import Authority, server_context

NOBODY = "127.9.9.9"  # this machine too, but the services here listen on 127.0.0.1 only


def resolver_to(*addresses: str) -> Resolver:
    """Every name is here."""

    async def look_up(host: str) -> list[str]:
        return list(addresses)

    return Resolver(look_up)


@asynccontextmanager
async def service(
    host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, "asyncio.Queue[str]"]]:
    """A service; yields its port, and the addresses it is called on as they come."""
    called = asyncio.Queue[str]()
    held: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        called.put_nowait(writer.get_extra_info("sockname")[0])
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(take, host, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], called
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def close(connection: UpstreamConnection) -> None:
    """Close a connection, and let the loop see it."""
    connection.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(("127.0.0.1",), id="one"),
        pytest.param((NOBODY, "127.0.0.1"), id="the first refuses"),
        pytest.param(("::1", "127.0.0.1"), id="IPv6 refuses"),
        pytest.param((NOBODY, "::1", "127.0.0.1"), id="both families"),
    ],
)
async def test_each_address_is_tried(addresses: tuple[str, ...]) -> None:
    """One that answers is enough, whichever it is."""
    dialer = Dialer(resolver_to(*addresses))
    async with service() as (port, _):
        for _ in addresses:  # they take turns at being the first
            connection = await dialer.dial(TargetAddress("svc.internal", port))
            assert not connection.is_closing
            await close(connection)


@pytest.mark.parametrize("addresses", [(NOBODY,), (NOBODY, "127.8.8.8"), (NOBODY, "::1")])
async def test_none_that_answers_is_an_error(addresses: tuple[str, ...]) -> None:
    """Of the one kind that the pool translates."""
    async with service() as (port, _):
        with pytest.raises(OSError, match=r".+"):
            await Dialer(resolver_to(*addresses)).dial(TargetAddress("svc.internal", port))


async def test_a_swallowed_connect_does_not_use_up_the_time() -> None:
    """The next address is tried beside the one that says nothing."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        with socket.create_connection(("127.0.0.2", port)):  # the one its queue holds
            dialer = Dialer(resolver_to("127.0.0.2", "127.0.0.1"))
            async with service(port=port), asyncio.timeout(5):
                connection = await dialer.dial(TargetAddress("svc.internal", port))
                assert not connection.is_closing
                await close(connection)


async def test_a_changed_answer_is_taken_for_new_connections() -> None:
    """When the old answer is no longer fresh; connections that stand go on."""
    answers, now_s = ["127.0.0.1"], [0.0]

    async def look_up(host: str) -> list[str]:
        return list(answers)

    dialer = Dialer(Resolver(look_up, lambda: now_s[0]))
    async with service("0.0.0.0") as (port, called):
        pool = Pool(TargetAddress("svc.internal", port), PoolLimits(), dialer)
        first = await pool.acquire()
        answers[:] = ["127.0.0.2"]
        second = await pool.acquire()
        now_s[0] += FRESH_S
        third = await pool.acquire()
        assert not first.is_closing
        async with asyncio.timeout(5):
            seen = [await called.get() for _ in range(3)]
        assert seen == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
        for connection in (first, second, third):
            pool.release(connection)
        pool.close()


@pytest.mark.parametrize("addresses", [("127.0.0.1",), (NOBODY, "127.0.0.1")])
async def test_the_certificate_must_carry_the_name_not_the_address(
    tmp_path: Path, addresses: tuple[str, ...]
) -> None:
    """The name that was looked up is sent along and checked, by whichever way it was reached."""
    authority, asked = Authority(tmp_path), list[str | None]()
    context = server_context(authority.issue("orders.internal"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    ours = ssl.create_default_context(cafile=authority.ca)
    dialer = Dialer(resolver_to(*addresses))
    async with service(context=context) as (port, _):
        await close(await dialer.dial(TargetAddress("orders.internal", port, tls=ours)))
        for wrong in (
            TargetAddress("evil.internal", port, tls=ours),
            TargetAddress("orders.internal", port, tls=ours, server_name="evil.internal"),
        ):
            with pytest.raises(ssl.SSLCertVerificationError):
                await dialer.dial(wrong)
    assert asked == ["orders.internal", "evil.internal", "evil.internal"]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (TargetAddress("10.0.0.1", 80), "http://10.0.0.1:80"),
        (TargetAddress("::1", 8443, tls=ssl.create_default_context()), "https://[::1]:8443"),
        (TargetAddress(unix_path="/run/app.sock"), "unix:/run/app.sock"),
    ],
)
def test_an_address_can_be_read(address: TargetAddress, text: str) -> None:
    """As the settings write it."""
    assert str(address) == text
