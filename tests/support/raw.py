"""Raw sockets for wire-level tests: a client that sends bytes, an upstream that records them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it stood on the wire; `body` without chunk framing."""

    line: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    raw_head: bytes = b""

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def values(self, name: str) -> list[str]:
        """All values of a name, compared without case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        found = self.values(name)
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else None


async def read_head(reader: asyncio.StreamReader) -> Message:
    """Read up to the empty line."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head[:-4].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    fields = tuple((name, value.strip()) for name, _, value in pairs)
    return Message(lines[0], fields, raw_head=head)


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body to its end, trailers thrown away."""
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


async def read_message(reader: asyncio.StreamReader, *, of: str = "GET") -> Message:
    """Read one whole message; `of` is the method an answer belongs to."""
    head = await read_head(reader)
    is_answer = head.line.startswith("HTTP/")
    if is_answer and (of == "HEAD" or head.status in (204, 304) or head.status < 200):
        return head
    if head.value("Transfer-Encoding") == "chunked":
        body = await read_chunked(reader)
    elif (length := head.value("Content-Length")) is not None:
        body = await reader.readexactly(int(length))
    else:
        body = await reader.read() if is_answer else b""
    return Message(head.line, head.fields, body, head.raw_head)


@dataclass(slots=True)
class RawClient:
    """A client connection that speaks bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, of: str = "GET") -> Message:
        """Read one whole answer."""
        async with asyncio.timeout(WAIT_S):
            return await read_message(self.reader, of=of)

    async def is_closed(self) -> bool:
        """Wait until the other side closes; nothing may come before."""
        try:
            async with asyncio.timeout(WAIT_S):
                return await self.reader.read() == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(port: int, host: str = "127.0.0.1") -> RawClient:
    """Open a raw connection."""
    return RawClient(*await asyncio.open_connection(host, port))


async def ask(port: int, data: bytes, of: str = "GET") -> Message:
    """Send bytes on a fresh connection and read one answer."""
    client = await connect(port)
    try:
        await client.send(data)
        return await client.answer(of)
    finally:
        await client.close()


Script = Callable[["RawUpstream", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class RawUpstream:
    """A service behind that records every request byte for byte and answers as told.

    `answer` is sent to each request; `script`, if set, has a connection to itself instead.
    """

    answer: bytes = OK
    script: Script | None = None
    requests: list[Message] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Take no new connection; those that stand go on."""
        assert self._server is not None, "it has not been started"
        self._server.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            if self.script is not None:
                await self.script(self, reader, writer)
            else:
                await self._answer_all(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.requests.append(await read_message(reader))
            writer.write(self.answer)
            await writer.drain()
