"""The tunnel behind a WebSocket handshake (RFC 6455): bytes both ways, until somebody ends it.

It decides when a tunnel ends, and with which Close. It does not know why a session has ended, and
no payload is looked at. Time on a tunnel is no use of the session: only requests are.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from gateway.answers import write
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.live import DRAINING, OVERLOADED, SESSION_ENDED, STORE_UNAVAILABLE
from gateway.proxy.side import ClientSide, Side

CLOSES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        DRAINING: (1001, "going away"),
        STORE_UNAVAILABLE: (1013, "try again later"),
        OVERLOADED: (1013, "try again later"),
        SESSION_ENDED: (4401, "session ended"),
    }
)
"""Code and reason of the Close (RFC 6455 7.4; design section 8).

1013 is in IANA's registry (RFC 6455 11.7); 4000 to 4999 are private use (7.4.2).
"""

LAST_WORDS_S = 2.0
"""How long a service may take to take what its client sent before it left."""


@dataclass(frozen=True, slots=True)
class TunnelLimits:
    """Seconds: silence of both directions together; one end's taking nothing of what waits."""

    idle_s: float
    stall_s: float


class _Early:
    """Takes the bytes aiohttp kept behind the handshake (its parser's interface)."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """The end of a connection comes another way."""


class Tunnel:
    """One WebSocket: `run` once, after the 101 has been written; `end` at any time."""

    def __init__(
        self, request: web.BaseRequest, connection: UpstreamConnection, limits: TunnelLimits
    ) -> None:
        self._request = request
        self._connection = connection
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._sides: tuple[ClientSide, Side] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.reason: str | None = None

    async def run(self) -> int:
        """Pass bytes both ways until the tunnel ends; return bytes to the client.

        Raises: ConnectionResetError, when the client is gone already.
        """
        early = self._connection.take_or_fail() if self._connection.has_news else None
        transport = self._connection.transport
        if transport is None:
            write(self._request, early or b"")
            return len(early or b"")
        client, service = self._open(transport)
        try:
            self._begin(client, service, early)
            await self._over
        finally:
            self._close(client, service)
        return service.passed_bytes

    def end(self, reason: str) -> None:
        """End the tunnel with the Close for this reason, both ways; the first reason counts."""
        if self.reason is not None or self._is_half_gone:
            return
        self.reason = reason
        if self._sides is not None:
            self._send_closes(*self._sides)

    @property
    def _is_half_gone(self) -> bool:
        return self._sides is not None and (self._sides[0].is_gone or self._sides[1].is_gone)

    def _send_closes(self, client: Side, service: Side) -> None:
        self._stop_idle()
        code, text = CLOSES[cast("str", self.reason)]
        service.end(code, text)
        client.end(code, text)

    # -- open and close -------------------------------------------------------------------------

    def _open(self, service_transport: asyncio.Transport) -> tuple[ClientSide, Side]:
        """Take both transports over."""
        client_transport = self._request.transport
        if client_transport is None:
            raise ConnectionResetError("the client is gone")
        stall_s, server = self._limits.stall_s, self._request.protocol
        client = ClientSide(client_transport, stall_s, self._on_gone, server)
        service = Side(service_transport, stall_s, self._on_gone, is_service=True)
        client.other, service.other = service, client
        return client, service

    def _begin(self, client: ClientSide, service: Side, early: bytes | None) -> None:
        """Pass on what has come behind the two heads, and then what comes."""
        kept = _Early()
        # aiohttp types its parser by name; feed_data and feed_eof are all it calls.
        self._request.protocol.set_parser(cast("WebSocketReader", kept))
        client.transport.set_protocol(client)
        service.transport.set_protocol(service)
        if self._request.protocol.writing_paused:
            client.hold_other()
        if early:
            service.data_received(early)
        if kept.data:
            client.data_received(kept.data)
        self._sides = client, service
        if service.transport.is_closing():
            service.eof_received()
        elif self.reason is not None:
            self._send_closes(client, service)
        else:
            self._idle = self._loop.call_later(self._limits.idle_s, self._check_idle)

    def _close(self, client: ClientSide, service: Side) -> None:
        self._stop_idle()
        client.stop_timers()
        service.stop_timers()
        self._request.writer.output_size += service.passed_bytes
        client.release()

    # -- the end --------------------------------------------------------------------------------

    def _check_idle(self) -> None:
        client, service = cast("tuple[ClientSide, Side]", self._sides)
        heard_s = max(client.heard_s, service.heard_s)
        left_s = heard_s + self._limits.idle_s - self._loop.time()
        if left_s > 0:
            self._idle = self._loop.call_later(left_s, self._check_idle)
        else:
            self._finish()

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _on_gone(self, side: Side) -> None:
        """End when both are gone, or the service: the listener sees to a client's last bytes."""
        if side.other.is_gone or (self.reason is None and not isinstance(side, ClientSide)):
            self._finish()
        elif self.reason is None:
            self._stop_idle()
            side.other.shut(LAST_WORDS_S)

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
