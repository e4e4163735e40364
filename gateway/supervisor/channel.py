"""The control channel between parent and worker: length-prefixed JSON over a socketpair.

It knows how messages travel, not what they say. Both ends are ours; sizes and times are bounded all
the same, so that neither end can be held up by a broken other. The settings go first, pickled: the
socket is nobody else's, and they must arrive exactly as they were checked.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Self

HEADER = struct.Struct(">I")
MAX_MESSAGE_BYTES = 8 * 1024**2
"""A snapshot of some ten thousand counters is a megabyte."""
MAX_SETTINGS_BYTES = 256 * 1024**2
"""Settings hold the files that routes answer with."""
PATIENCE_S = 5.0
"""How long the other end may take nothing, and the rest of a message that has begun may take."""

Message = dict[str, object]


class ChannelError(Exception):
    """The other end is gone, too slow, or does not speak our language."""


class Channel:
    """One end of the channel."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience_s = patience_s

    @classmethod
    async def open(cls, end: socket.socket, patience_s: float = PATIENCE_S) -> Self:
        """Take one end of a socketpair over. Raises: OSError."""
        return cls(*await asyncio.open_unix_connection(sock=end), patience_s)

    async def send(self, message: Mapping[str, object]) -> None:
        """Send a message. Raises: ChannelError."""
        data = json.dumps(message, separators=(",", ":")).encode()
        await self.send_bytes(data, MAX_MESSAGE_BYTES)

    async def receive(self) -> Message | None:
        """Wait for the next message; None when the other end is gone. Raises: ChannelError."""
        data = await self.receive_bytes(MAX_MESSAGE_BYTES)
        if data is None:
            return None
        try:
            message = json.loads(data)
        except ValueError as error:
            raise ChannelError("this is no JSON") from error
        if not isinstance(message, dict):
            raise ChannelError("this is no message")
        return message

    async def send_bytes(self, data: bytes, max_bytes: int) -> None:
        """Send bytes as one message. Raises: ChannelError, also if the other end takes nothing."""
        if len(data) > max_bytes:
            raise ChannelError(f"a message of {len(data)} bytes is too large")
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > max_bytes:
            raise ChannelError("the other end is gone, or takes nothing")
        self._writer.write(HEADER.pack(len(data)) + data)
        try:
            async with asyncio.timeout(self._patience_s):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise ChannelError("the other end takes nothing") from error

    async def receive_bytes(self, max_bytes: int) -> bytes | None:
        """Wait for one message's bytes; None when the other end is gone. Raises: ChannelError."""
        try:
            first = await self._reader.read(1)
            if not first:
                return None
            async with asyncio.timeout(self._patience_s):
                return await self._rest(first, max_bytes)
        except ConnectionError:
            return None
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            raise ChannelError("a message broke off") from error

    async def _rest(self, first: bytes, max_bytes: int) -> bytes:
        (size,) = HEADER.unpack(first + await self._reader.readexactly(HEADER.size - 1))
        if size > max_bytes:
            raise ChannelError(f"a message of {size} bytes is too large")
        return await self._reader.readexactly(size)

    def close(self) -> None:
        """End it; the other end notices."""
        self._writer.close()
