"""Sends a request's body upstream as it comes, within its limits; nothing is kept whole."""

import asyncio

from aiohttp import web

from gateway.admission import Admitted
from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.routing import Route

LAST_CHUNK = b"0\r\n\r\n"


class BodyError(Exception):
    """The body cannot be sent on; `error` is what to answer if we still can."""

    def __init__(self, error: GatewayError) -> None:
        super().__init__(str(error))
        self.error = error


async def send_body(
    request: web.BaseRequest,
    admitted: Admitted,
    connection: UpstreamConnection,
    *,
    limit_bytes: int,
    idle_s: float,
    stall_s: float,
) -> int:
    """Pump the body upstream with back-pressure; return its size in bytes.

    A chunked body stays chunked, any other keeps its length (RFC 9112 6). Stops quietly when the
    upstream is gone: its answer, or the lack of one, decides.
    Raises: BodyError (body_too_large; bad_request when malformed or silent for `idle_s`;
    upstream_timeout when the service takes nothing for `stall_s`).
    """
    sent_bytes = 0
    while not connection.is_closing:
        data = await _read(request, idle_s)
        if not data:
            if admitted.is_chunked:
                connection.write(LAST_CHUNK)
            break
        sent_bytes += len(data)
        if sent_bytes > limit_bytes:
            raise BodyError(_too_large(limit_bytes))
        connection.write(b"%x\r\n%b\r\n" % (len(data), data) if admitted.is_chunked else data)
        if connection.is_writing_paused:
            await _drain(connection, stall_s)
    return sent_bytes


async def _drain(connection: UpstreamConnection, stall_s: float) -> None:
    try:
        async with asyncio.timeout(stall_s):
            await connection.drain()
    except TimeoutError:
        problem = GatewayError("upstream_timeout", "the service stopped taking the body")
        raise BodyError(problem) from None


async def _read(request: web.BaseRequest, idle_s: float) -> bytes:
    try:
        async with asyncio.timeout(idle_s):
            return await request.content.readany()
    except TimeoutError:
        problem = GatewayError("bad_request", "the request body stopped arriving")
    except (web.RequestPayloadError, ValueError):
        problem = GatewayError("bad_request", "the request body is malformed")
    raise BodyError(problem)


def body_limit(route: Route, limit_bytes: int) -> int:
    """Say how large a body may be on this route, in bytes."""
    return limit_bytes if route.body_bytes is None else route.body_bytes


def check_length(admitted: Admitted, limit_bytes: int) -> None:
    """Refuse a declared length before anything is sent. Raises: GatewayError body_too_large."""
    if admitted.content_length is not None and admitted.content_length > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> GatewayError:
    return GatewayError("body_too_large", f"the body is larger than {limit_bytes} bytes")
