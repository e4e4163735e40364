"""Sends a request's body upstream as it comes, within its limits; nothing is kept whole."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from gateway.admission import Admitted
from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import LAST_CHUNK, as_chunk
from gateway.proxy.holdups import Slowness, Wait
from gateway.routing import Route


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds of one body: bytes; seconds of the client's silence, and of the service's.

    `rate_bytes` a second, averaged over `idle_s`, is the least a client may send (attacks.md D6);
    0 is no bound. `wait` is noted while nothing comes, `slowness` while the client is slower than
    the service.
    """

    size_bytes: int
    idle_s: float
    stall_s: float
    rate_bytes: int
    wait: Wait
    slowness: Slowness


class BodyError(Exception):
    """The body cannot be sent on; `error` is what to answer if we still can.

    `is_targets`: it may be the target's failure. Not where a client chose to wait for a 100 that
    no service owes it (RFC 9110 10.1.1): else clients could have targets ejected.
    """

    def __init__(self, error: GatewayError, *, is_targets: bool = True) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_targets = is_targets


async def send_body(
    request: web.BaseRequest,
    admitted: Admitted,
    connection: UpstreamConnection,
    limits: BodyLimits,
) -> int:
    """Pump the body upstream with back-pressure; return its size in bytes.

    A chunked body stays chunked, any other keeps its length (RFC 9112 6). Stops quietly when the
    upstream is gone: its answer, or the lack of one, decides.
    Raises: BodyError (body_too_large; bad_request when malformed, silent or too slow;
    upstream_timeout when the service takes nothing, or never asks for a body it was offered).
    """
    try:
        return await _pump(request, admitted, connection, limits)
    finally:
        limits.slowness.end()


async def _pump(
    request: web.BaseRequest,
    admitted: Admitted,
    connection: UpstreamConnection,
    limits: BodyLimits,
) -> int:
    sent_bytes = 0
    pace = _Pace(limits, connection)
    while not connection.is_closing:
        data = await _read(request, connection, pace)
        if not data:
            if admitted.is_chunked:
                connection.write(LAST_CHUNK)
            elif sent_bytes != admitted.content_length:
                # Whatever took it before us: the service must not take the next request for it.
                raise BodyError(GatewayError("bad_request", "the request body ended early"))
            break
        sent_bytes += len(data)
        if sent_bytes > limits.size_bytes:
            raise BodyError(_too_large(limits.size_bytes))
        connection.write(as_chunk(data) if admitted.is_chunked else data)
        if connection.is_writing_paused:
            limits.slowness.end()  # now it is the service
            await _drain(connection, limits.stall_s)
    return sent_bytes


class _Pace:
    """How long the client may still keep us waiting: waiting uses it up, bytes earn it back.

    A client that waits for the service's 100 keeps nobody waiting: the service does. Once it has
    sent anything it waits for no 100 any more (RFC 9110 10.1.1).
    """

    def __init__(self, limits: BodyLimits, connection: UpstreamConnection) -> None:
        self._limits = limits
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self.left_s = limits.idle_s
        self._began_s: float | None = None
        self._deadline: asyncio.Timeout | None = None
        if connection.awaits_continue:
            connection.on_continue = self._go_on

    async def read(self, request: web.BaseRequest) -> bytes:
        """Wait for body bytes. Raises: TimeoutError."""
        try:
            async with asyncio.timeout(self.left_s) as self._deadline:
                if not self._connection.awaits_continue:
                    self._begin()
                data = await request.content.readany()
        finally:
            waited_s = self._end()
        self._connection.awaits_continue = False
        rate_bytes = self._limits.rate_bytes
        earned_s = len(data) / rate_bytes if rate_bytes else self._limits.idle_s
        self.left_s = min(self._limits.idle_s, self.left_s - waited_s + earned_s)
        return data

    def _begin(self) -> None:
        self._began_s = self._loop.time()
        self._limits.wait.begin(self._limits.idle_s - self.left_s)
        self._limits.slowness.begin()

    def _end(self) -> float:
        """Return how long it was the client that was waited for, seconds."""
        self._limits.wait.end()
        began_s, self._began_s, self._deadline = self._began_s, None, None
        return 0.0 if began_s is None else self._loop.time() - began_s

    def _go_on(self) -> None:
        """The service has asked: from now on it is the client that is waited for."""
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(self._loop.time() + self.left_s)
            self._begin()


async def _read(request: web.BaseRequest, connection: UpstreamConnection, pace: _Pace) -> bytes:
    try:
        return await pace.read(request)
    except TimeoutError:
        if connection.awaits_continue:
            problem = GatewayError("upstream_timeout", "the service never asked for the body")
            raise BodyError(problem, is_targets=False) from None
        problem = GatewayError("bad_request", "the request body came too slowly or stopped")
    except (web.RequestPayloadError, ValueError):
        problem = GatewayError("bad_request", "the request body is malformed")
    raise BodyError(problem)


async def _drain(connection: UpstreamConnection, stall_s: float) -> None:
    try:
        await connection.drain(stall_s)
    except TimeoutError:
        problem = GatewayError("upstream_timeout", "the service stopped taking the body")
        raise BodyError(problem) from None


def body_limit(route: Route, limit_bytes: int) -> int:
    """Say how large a body may be on this route, in bytes."""
    return limit_bytes if route.body_bytes is None else route.body_bytes


def check_length(admitted: Admitted, limit_bytes: int) -> None:
    """Refuse a declared length before anything is sent. Raises: GatewayError body_too_large."""
    if admitted.content_length is not None and admitted.content_length > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> GatewayError:
    return GatewayError("body_too_large", f"the body is larger than {limit_bytes} bytes")
