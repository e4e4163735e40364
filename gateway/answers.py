"""The one place that writes bytes to a client. It knows no route and no session.

aiohttp appends a second answer when a handler fails after raw bytes went to the transport, unless
`request.writer.output_size` says so; so every write counts there (design section 9, point 1).
"""

from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway.clock import now
from gateway.errors import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Written(web.StreamResponse):
    """Tells aiohttp's server that the answer has been written, and whether to keep the connection.

    `sent_bytes` counts body bytes, for the log.
    """

    def __init__(self, status: int, *, keep_alive: bool, sent_bytes: int = 0) -> None:
        super().__init__(status=status)
        self._keep_alive = keep_alive
        self.sent_bytes = sent_bytes

    async def prepare(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
    ) -> AbstractStreamWriter | None:
        """Do nothing: the head is out already."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the body is out already."""


def write(request: web.BaseRequest, data: bytes) -> None:
    """Write raw bytes. Raises: ConnectionResetError when the client is gone."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    request.writer.output_size += len(data)
    transport.write(data)


def write_continue(request: web.BaseRequest) -> None:
    """Send an interim 100; it is no answer, so it does not count as one (RFC 9110 15.2.1)."""
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.write(CONTINUE)


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
