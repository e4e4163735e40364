"""The socket to a target: what goes out, when it must wait, and what becomes of it at the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.proxy.target_socket import TargetSocket

MIB = b"x" * 2**20


class Quiet(TargetSocket):
    """It, with nothing to read: what comes is `connection`'s."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[TargetSocket, socket.socket]]:
    """A connected socket, and the target at its other end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_connection(lambda: Quiet(loop), sock=ours)
    try:
        yield made, theirs
    finally:
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)


async def take(theirs: socket.socket, size: int) -> bytes:
    """Read so many bytes at the target."""
    loop, taken = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        while len(taken) < size:
            taken += await loop.sock_recv(theirs, size - len(taken))
    return taken


async def test_what_is_written_arrives() -> None:
    """And is noted: a request of which nothing went out may be sent again."""
    async with pair() as (target, theirs):
        assert [target.has_sent, target.is_closing] == [False, False]
        target.write(b"hello")
        assert await take(theirs, 5) == b"hello"
        assert [target.has_sent, target.unsent_bytes] == [True, 0]


async def test_draining_waits_for_who_reads() -> None:
    """As long as something is taken now and then."""
    async with pair() as (target, theirs):
        target.write(MIB)
        assert target.is_writing_paused
        assert target.unsent_bytes > 0
        draining = asyncio.create_task(target.drain(10))
        await asyncio.sleep(0)
        assert not draining.done()
        assert await take(theirs, len(MIB)) == MIB
        await draining
        assert [target.is_writing_paused, target.unsent_bytes] == [False, 0]
        await target.drain(0)  # with nothing to wait for


async def test_a_target_that_takes_nothing_is_given_up() -> None:
    """After `stall_s` without a byte."""
    async with pair() as (target, _):
        target.write(MIB)
        with pytest.raises(TimeoutError):
            await target.drain(0.02)


async def test_a_slow_target_is_waited_for() -> None:
    """`stall_s` is for taking nothing, not for taking all."""
    async with pair() as (target, theirs):
        target.write(MIB)
        draining = asyncio.create_task(target.drain(0.1))
        taken = 0
        while not draining.done():
            taken += len(await take(theirs, 65536))
            await asyncio.sleep(0.01)
        await draining
        assert taken > 0


async def test_a_target_that_goes_ends_the_wait() -> None:
    """Reading will tell what happened; writing more is quietly nothing."""
    async with pair() as (target, theirs):
        target.write(MIB)
        draining = asyncio.create_task(target.drain(10))
        await asyncio.sleep(0)
        theirs.close()
        async with asyncio.timeout(10):
            await draining
        assert [target.is_closing, target.unsent_bytes] == [True, 0]
        assert target.transport is None
        target.has_sent = False
        target.write(b"more")
        assert not target.has_sent


async def test_before_it_is_connected_it_is_closed() -> None:
    """Nothing goes out, and nothing is waited for."""
    target = TargetSocket(asyncio.get_running_loop())
    target.write(b"x")
    await target.drain(0)
    assert [target.is_closing, target.has_sent, target.unsent_bytes] == [True, False, 0]
