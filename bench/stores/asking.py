"""Asks over one kept connection, one request after another, and many connections at once.

It must not know what is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from bench.warm import read_length

T = TypeVar("T")
_HEAD_END = b"\r\n\r\n"
_NO_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that said its length."""

    status: int
    body: bytes


class Asker:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer. Raises: ValueError, OSError, EOFError."""
        self._writer.write(request)
        head = await self._reader.readuntil(_HEAD_END)
        status = int(head.split(b" ", 2)[1])
        if status in _NO_BODY:
            return Answer(status, b"")
        return Answer(status, await self._reader.readexactly(read_length(head)))


@asynccontextmanager
async def asking(port: int) -> AsyncIterator[Asker]:
    """Connect to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Asker(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def at_once(
    port: int, connections: int, items: Iterable[T], each: Callable[[Asker, T], Awaitable[None]]
) -> None:
    """Do `each` with every item, on so many connections."""
    left = iter(items)

    async def work() -> None:
        async with asking(port) as asker:
            for item in left:
                await each(asker, item)

    await asyncio.gather(*(work() for _ in range(connections)))


def post(path: str, body: bytes = b"", *fields: str) -> bytes:
    """Return a POST of JSON."""
    about = ["Content-Type: application/json"] if body else []
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: bench",
        *about,
        *fields,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def bearer(token: str) -> str:
    """Return the header line that carries a token."""
    return f"Authorization: Bearer {token}"
