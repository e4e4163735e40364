"""The one place that writes bytes to a client. It knows no route and no session.

aiohttp appends a second answer when a handler fails after raw bytes went to the transport, unless
`request.writer.output_size` says so; so every write counts there (design section 9, point 1).
"""

import asyncio
import contextlib
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.streams import StreamReader

from gateway.clock import now
from gateway.errors import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINGER_S = 2.0
"""How long a client still sending may take to read our answer, before it gets a reset."""
_NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends a reset (socket(7), SO_LINGER)


class Written(web.StreamResponse):
    """Tells aiohttp's server that the answer has been written, and whether to keep the connection.

    `sent_bytes` counts body bytes, for the log.
    """

    def __init__(self, status: int, *, keep_alive: bool, sent_bytes: int = 0) -> None:
        super().__init__(status=status)
        self._keep_alive = keep_alive
        self.sent_bytes = sent_bytes
        self._request: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Note whose answer this is; the head is out already."""
        self._request = request
        return None

    async def write_eof(
        self,
        data: bytes = b"",  # noqa: ARG002 - aiohttp's signature
    ) -> None:
        """Say that nothing more comes, and read the rest of a body to no end, for a while.

        Closing at once would reset the connection and lose our answer (RFC 9112 9.6). aiohttp's
        own way of reading on fails over a body that breaks, and logs it.
        """
        request, self._request = self._request, None
        if self._keep_alive or request is None or request.content.is_eof():
            return
        if (transport := request.transport) is not None:
            if transport.can_write_eof():
                with contextlib.suppress(OSError):  # it is gone already
                    transport.write_eof()
            await _read_on(request.content)


async def _read_on(content: StreamReader) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):  # ends with the client, too: we are cancelled
            try:
                while await content.readany():
                    pass
            except web.RequestPayloadError:
                await asyncio.sleep(LINGER_S)


def write(request: web.BaseRequest, data: bytes) -> None:
    """Write raw bytes. Raises: ConnectionResetError when the client is gone."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    request.writer.output_size += len(data)
    transport.write(data)


async def drain(request: web.BaseRequest, idle_s: float) -> None:
    """Wait until the client has taken enough of what was written, however slowly.

    Raises: TimeoutError when it takes nothing for `idle_s`; ConnectionError when it is gone.
    """
    transport = request.transport
    if transport is None or not request.protocol.writing_paused:
        return
    # A wait for aiohttp's writer that was cancelled spoils the next one: it is never cancelled.
    drained = asyncio.create_task(request.writer.drain())
    try:
        while not drained.done():
            before_bytes = transport.get_write_buffer_size()
            await asyncio.wait({drained}, timeout=idle_s)
            if not drained.done() and transport.get_write_buffer_size() >= before_bytes:
                raise TimeoutError
        drained.result()
    finally:
        drained.cancel()


def cut_off(request: web.BaseRequest) -> None:
    """Reset the client's connection, now: a plain end would make half an answer look whole."""
    transport = request.transport
    if transport is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):  # closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def write_continue(request: web.BaseRequest) -> None:
    """Send an interim 100 of our own (RFC 9110 15.2.1)."""
    write_interim(request, CONTINUE)


def write_interim(request: web.BaseRequest, head: bytes) -> None:
    """Send an interim answer; it is no answer, so it does not count as one (RFC 9110 15.2)."""
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.write(head)


def status_line(status: int, reason: str | None = None) -> str:
    """Build a status line (RFC 9112 4); we speak HTTP/1.1, whatever the client speaks."""
    if reason is None:
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = ""
    return f"HTTP/1.1 {status} {reason}\r\n"


def connection_field(request: web.BaseRequest, *, keep_alive: bool) -> str:
    """Say what becomes of the connection, where the version's default does not (RFC 9112 9.3)."""
    if not keep_alive:
        return "Connection: close\r\n"
    return "Connection: keep-alive\r\n" if request.version < (1, 1) else ""


def write_answer(request: web.BaseRequest, answer: Answer, *, keep_alive: bool) -> Written:
    """Write a whole answer of our own in one go."""
    body = b"" if request.method == "HEAD" or answer.status in {204, 304} else answer.body
    lines = [status_line(answer.status)]
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
    if answer.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(answer.body)}\r\n")
    lines.append(f"Date: {formatdate(now(), usegmt=True)}\r\n")
    lines.append(connection_field(request, keep_alive=keep_alive))
    head = "".join(lines).encode("latin-1")
    write(request, head + b"\r\n" + body)
    return Written(answer.status, keep_alive=keep_alive, sent_bytes=len(body))
