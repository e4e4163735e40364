"""Dialogues on the wire: the test itself plays the client and the service behind.

Nothing here waits for time to pass; every wait is for something the other side does.
"""

import asyncio
import contextlib
import gc
from dataclasses import dataclass

from aiohttp.streams import StreamReader

from gateway.protocol import GatewayProtocol
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.inbox import Inbox
from tests.support.raw import (
    WAIT_S,
    Message,
    RawClient,
    RawUpstream,
    read_chunked,
    read_head,
    read_message,
)


@dataclass(slots=True)
class Peer:
    """One connection from the gateway to the service that the test plays."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> Message:
        """Read a request's head only."""
        async with asyncio.timeout(WAIT_S):
            return await read_head(self.reader)

    async def request(self) -> Message:
        """Read a whole request."""
        async with asyncio.timeout(WAIT_S):
            return await read_message(self.reader)

    async def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readexactly(size)

    async def chunked(self) -> bytes:
        """Read a chunked body to its end."""
        async with asyncio.timeout(WAIT_S):
            return await read_chunked(self.reader)

    async def rest(self) -> bytes:
        """Read until the gateway closes, gracefully or not."""
        async with asyncio.timeout(WAIT_S):
            received = b""
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65536):
                    received += data
            return received

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(WAIT_S):
            self.writer.write(data)
            await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


class Service:
    """Hands each connection that reaches the raw upstream to the test."""

    def __init__(self, upstream: RawUpstream) -> None:
        self._arrived: asyncio.Queue[Peer] = asyncio.Queue()
        upstream.script = self._take

    async def _take(
        self, _upstream: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._arrived.put_nowait(Peer(reader, writer))
        await writer.wait_closed()

    async def accept(self) -> Peer:
        """Wait for the gateway to connect."""
        async with asyncio.timeout(WAIT_S):
            return await self._arrived.get()

    @property
    def is_quiet(self) -> bool:
        """Whether no connection waits to be accepted."""
        return self._arrived.empty()


async def read_exactly(client: RawClient, size: int) -> bytes:
    """Read so many bytes of an answer."""
    async with asyncio.timeout(WAIT_S):
        return await client.reader.readexactly(size)


async def read_answer_head(client: RawClient) -> Message:
    """Read an answer's head only."""
    async with asyncio.timeout(WAIT_S):
        return await read_head(client.reader)


async def read_rest(client: RawClient) -> tuple[bytes, bool]:
    """Read until the connection ends; tell what came, and whether the end was a reset."""
    received = b""
    try:
        async with asyncio.timeout(WAIT_S):
            while data := await client.reader.read(65536):
                received += data
    except ConnectionError:
        return received, True
    return received, False


def held_bytes() -> int:
    """Bytes of bodies that wait inside the gateway, both legs and both directions together."""
    gc.collect()  # what earlier tests left is nobody's
    total = 0
    for each in gc.get_objects():
        if type(each) is UpstreamConnection:
            total += each.unsent_bytes
        elif type(each) in (Inbox, StreamReader):
            total += each._size_bytes if type(each) is Inbox else each._size
        elif type(each) is GatewayProtocol and each.transport is not None:
            total += each.transport.get_write_buffer_size() + len(each._message_tail)
    return total
