"""Sends one request with each token, so that whoever keeps sessions at hand has them all.

It must not know what is behind the port.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import uvloop

CONNECTIONS = 32
_HEAD_END = b"\r\n\r\n"


def warm(port: int, path: str, tokens: Path) -> None:
    """Send a GET with each token of the file.

    Raises: ValueError for any answer but 200; OSError, EOFError when a connection breaks.
    """
    lines = tokens.read_text().split()
    uvloop.run(_warm(port, path, iter(lines)))


async def _warm(port: int, path: str, tokens: Iterator[str]) -> None:
    await asyncio.gather(*(_ask(port, path, tokens) for _ in range(CONNECTIONS)))


async def _ask(port: int, path: str, tokens: Iterator[str]) -> None:
    """Take tokens until there are none left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for token in tokens:
            writer.write(request_bytes(path, token))
            await read_answer(reader)
    finally:
        writer.close()
        await writer.wait_closed()


def request_bytes(path: str, token: str) -> bytes:
    """Return a GET that bears a token."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def read_answer(reader: asyncio.StreamReader) -> None:
    """Read one answer that says its length. Raises: ValueError for any status but 200."""
    head = await reader.readuntil(_HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"a request was answered by {head[:12]!r}")
    await reader.readexactly(read_length(head))


def read_length(head: bytes) -> int:
    """Return what `Content-Length` says. Raises: ValueError where there is none."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise ValueError("an answer did not say its length")
