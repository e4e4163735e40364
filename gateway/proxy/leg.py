"""One request's exchange with a service as it stands: what is held, and how far it has come.

What became of an attempt is told to the upstream here; whether there is another is `retry`'s.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from aiohttp import web

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.answers import cut_off
from gateway.errors import GatewayError
from gateway.observe import Visit
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import AnswerHead
from gateway.proxy.holdups import Holdup
from gateway.proxy.live import OVERLOADED
from gateway.proxy.pool import Pool
from gateway.proxy.relay import is_event_stream
from gateway.proxy.retry import REPEATABLE, Retry
from gateway.proxy.upload import BodyError
from gateway.proxy.upstream import Upstream


class Launched(NamedTuple):
    """A request that has been sent whole; its connection is held until it is released."""

    upstream: Upstream
    pool: Pool
    connection: UpstreamConnection

    def release(self, *, is_over: bool) -> None:
        """Give the connection back; `is_over` says that its answer was taken whole."""
        if not is_over:
            self.connection.abort()
        elif self.pool.has_failed:
            self.upstream.note_success(self.pool)
        self.pool.release(self.connection)


@dataclass(slots=True)
class Leg:
    """What one exchange holds: both sides and how far it has come.

    `keeps_alive` is asked when the head goes out: draining may have begun meanwhile. `is_targets`:
    a failure may be the target's.
    """

    request: web.BaseRequest
    admitted: Admitted
    grant: Grant
    upstream: Upstream
    keeps_alive: Callable[[], bool]
    visit: Visit
    pool: Pool | None = None
    retry: Retry | None = None
    connection: UpstreamConnection | None = None
    pump: asyncio.Task[int] | None = None
    has_answered: bool = False
    is_over: bool = False
    is_targets: bool = True
    held: Holdup | None = None

    @property
    def stream_idle_s(self) -> float:
        return self.grant.route.stream_idle_s or self.upstream.timeouts.stream_idle_s

    @property
    def first_byte_s(self) -> float:
        return self.grant.route.first_byte_s or self.upstream.timeouts.first_byte_s

    def idle_s(self, answer: AnswerHead | None = None) -> float:
        """Say how long the service may be silent, seconds."""
        if answer is not None and is_event_stream(answer):
            return self.stream_idle_s
        return self.grant.route.idle_s or self.upstream.timeouts.idle_s

    def note_head(self, answer: AnswerHead, head: bytes) -> None:
        """From here on the client has an answer: it is logged, and a failure cuts it off."""
        self.has_answered = True
        if self.pool is not None and self.pool.has_failed:
            self.upstream.note_success(self.pool)
        self.visit.status, self.visit.head_bytes = answer.status, len(head)

    @property
    def is_sent(self) -> bool:
        """Whether the whole body went out: only then is the connection in step."""
        pump = self.pump
        if pump is None:
            return True
        return pump.done() and not pump.cancelled() and pump.exception() is None

    def raise_if_broken(self) -> None:
        """Raise what to answer when the body could not be sent. Raises: GatewayError."""
        try:
            if self.pump is not None:
                self.pump.result()
        except BodyError as broken:
            self.is_targets = broken.is_targets
            raise broken.error from broken

    def choose(self) -> Pool:
        """Choose a target for the next attempt. Raises: GatewayError upstream_unavailable."""
        self.pool = self.held = None  # where no target lives, none has failed
        self.pool = self.upstream.choose(() if self.retry is None else self.retry.tried)
        return self.pool

    async def acquire(self, pool: Pool) -> UpstreamConnection:
        """Take a connection. Raises: GatewayError upstream_unavailable, overloaded."""
        self.connection = None
        asker = self.admitted.client.address
        if self.retry is not None:
            self.connection = await self.retry.acquire(pool, asker)
        else:
            self.connection = pool.take(asker) or await self.upstream.acquire(pool, asker=asker)
        return self.connection

    def holdup(self) -> Holdup:
        """Return what this attempt is to those who wait at its target: it keeps one place."""
        if self.held is None:
            assert self.pool is not None  # noqa: S101 - asked for only where it has a connection
            give_up = partial(self.cut_off, OVERLOADED)
            self.held = Holdup(self.pool.holdups, self.admitted.client.address, give_up)
        return self.held

    def cut_off(self, reason: str) -> None:
        """Let the client go, within an answer or before one; the log tells this reason."""
        self.visit.error = reason
        cut_off(self.request)

    def may_retry(self, error: GatewayError) -> bool:
        """Note what became of the attempt; tell whether there may be another."""
        if self.pool is None or self.has_answered:
            return False
        if self.is_targets:
            self.upstream.note_failure(self.pool, error)
        if self.retry is None:
            self.retry = Retry(self.upstream, self.pool)
        is_repeatable = self.admitted.method in REPEATABLE and not self.admitted.has_body
        return self.retry.allows(self.pool, error, self.connection, is_repeatable=is_repeatable)

    async def give_back(self, pool: Pool) -> None:
        """Return the connection, closed if anything is left open, also when cancelled here."""
        try:
            await self._stop_pump()
        finally:
            if (connection := self.connection) is not None:
                if not self.is_over:
                    connection.abort()
                pool.release(connection)

    async def _stop_pump(self) -> None:
        """End the body pump before the handler returns: aiohttp's body stream is this request's."""
        pump, self.pump = self.pump, None
        if pump is not None and not pump.done():
            pump.cancel()
            await asyncio.wait({pump})
