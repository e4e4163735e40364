"""A local server that answers as a script says, byte for byte, and keeps what it received.

It works on raw sockets, so that it can break every rule of HTTP a hostile platform could break.
"""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
Step = bytes | Act


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, True, True))

    @property
    def form(self) -> dict[str, str]:
        is_form = self.headers.get("content-type") == "application/x-www-form-urlencoded"
        return dict(parse_qsl(self.body.decode(), True, True)) if self.body and is_form else {}

    @property
    def document(self) -> dict[str, str]:
        is_json = self.headers.get("content-type") == "application/json"
        return dict(json.loads(self.body)) if is_json else {}


class PlatformServer:
    """Takes the next step of `script` for each request; `always` answers a path without one."""

    def __init__(self) -> None:
        self.base = ""
        self.script: list[Step] = []
        self.always: dict[str, bytes] = {}
        self.received: list[Received] = []
        self.connections = 0
        self.open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    def calls(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open[writer] = asyncio.current_task()
        try:
            while (request := await _read_request(reader)) is not None:
                self.received.append(request)
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            del self.open[writer]
            writer.close()

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        step = self.always.get(request.path) or self.script.pop(0)
        if not isinstance(step, bytes):
            await step(writer)
            return False
        writer.write(step)
        await writer.drain()
        return b"Connection: close" not in step


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode().split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (li.partition(":") for li in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


@asynccontextmanager
async def open_platform_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[PlatformServer]:
    """Listen on 127.0.0.1; `base` is what to give as `api_base`."""
    scripted = PlatformServer()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted.base = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield scripted
    finally:
        server.close()
        tasks = [task for task in scripted.open.values() if task]
        for writer in scripted.open:
            writer.transport.abort()
        await asyncio.gather(*tasks)
        await server.wait_closed()


# Steps


def answer(body: bytes | str, status: str = "200 OK", *fields: str) -> bytes:
    """A whole answer, after which the connection stays open."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_answer(document: object, status: str = "200 OK") -> bytes:
    """JSON as WeChat labels it: text/plain (platforms.md 1.1)."""
    return answer(json.dumps(document), status, "Content-Type: text/plain")


def bomb_answer(megabytes: int) -> bytes:
    """A small gzip body that grows to many MiB of spaces before a JSON object."""
    packed = gzip.compress(b" " * (megabytes * 1024 * 1024) + b'{"openid":"o-bomb"}')
    return answer(packed, "200 OK", "Content-Encoding: gzip", "Content-Type: application/json")


async def drop(writer: asyncio.StreamWriter) -> None:
    """Close without a byte."""
    writer.close()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Say nothing until the end of the test."""
    await writer.wait_closed()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send an endless head, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_body(writer: asyncio.StreamWriter) -> None:
    """Send a head at once and then an endless body, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)
