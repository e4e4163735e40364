"""Passes an answer on to the client as it comes, with back-pressure; nothing is kept whole.

It knows one answer and its client, no route and no retry.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from gateway.answers import drain, write
from gateway.headers import Kind
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import LAST_CHUNK, AnswerHead, as_chunk
from gateway.proxy.holdups import Wait

WRITE_BYTES = 64 * 1024
"""Pieces gathered into one write before it goes out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: the service's silence within an answer, and the client's not reading it.

    `wait` is noted where the service has its places while the client does not read.
    """

    idle_s: float
    write_idle_s: float
    wait: Wait


async def relay(
    request: web.BaseRequest,
    connection: UpstreamConnection,
    head: bytes,
    patience: Patience,
    *,
    has_body: bool,
    is_chunked: bool,
) -> int:
    """Write the head, then the body as it comes; return the body's size in bytes.

    What has come is written before the next is waited for: event streams arrive event by event.
    Raises: TimeoutError, GatewayError upstream_error (cut off), ConnectionError (client gone).
    """
    pending, sent_bytes = head, 0
    while has_body:
        if not connection.has_news:
            await _write(request, pending, patience)
            pending = b""
            async with asyncio.timeout(patience.idle_s):
                await connection.wait()
        data = connection.take_or_fail()
        if data is None:
            break
        sent_bytes += len(data)
        pending += as_chunk(data) if is_chunked else data
        if len(pending) > WRITE_BYTES:
            await _write(request, pending, patience)
            pending = b""
    await _write(request, pending + LAST_CHUNK if is_chunked else pending, patience)
    return sent_bytes


async def _write(request: web.BaseRequest, data: bytes, patience: Patience) -> None:
    if data:
        write(request, data)
    if request.protocol.writing_paused:
        patience.wait.begin()
        try:
            await drain(request, patience.write_idle_s)
        finally:
            patience.wait.end()


def is_event_stream(answer: AnswerHead) -> bool:
    """Tell whether silence is normal in this answer (server-sent events)."""
    kinds = answer.found.special.get(Kind.CONTENT_TYPE, [])
    return any(kind.lower().startswith(b"text/event-stream") for kind in kinds)
