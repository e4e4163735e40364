"""Decides whether a request whose attempt failed is sent again, where, and for how long.

The rule of design section 8: only when nothing was sent, or for GET, HEAD and OPTIONS without a
body before the first answer byte; on another target where there is one; within a budget. It begins
with a request's first failure: one that succeeds at once never comes here.
"""

import asyncio

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.pool import Pool
from gateway.proxy.upstream import Upstream

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Sent again when no answer byte came (RFC 9110 9.2.2; design section 8)."""


class Retry:
    """One request's attempts; `tried` are the targets that failed it, in order.

    All retries together have one more `connect` to make their connections in: several targets
    that swallow connects must not add up.
    """

    def __init__(self, upstream: Upstream, pool: Pool) -> None:
        self.tried: list[Pool] = []
        self._upstream = upstream
        self._left_s = pool.limits.connect_s

    def allows(
        self,
        pool: Pool,
        error: GatewayError,
        connection: UpstreamConnection | None,
        *,
        is_repeatable: bool,
    ) -> bool:
        """Tell whether to try again after this failure; what it allows is out of the budget.

        `connection` is the attempt's, None where there was none. `is_repeatable`: the request has
        a method of `REPEATABLE` and no body.
        """
        self.tried.append(pool)
        return (
            len(self.tried) <= self._upstream.retries
            and self._left_s > 0
            and _is_safe(error, connection, is_repeatable=is_repeatable)
            and self._upstream.take_retry()
        )

    async def acquire(self, pool: Pool, asker: str = "") -> UpstreamConnection:
        """Open a fresh connection: idle ones may be as dead as the one that just failed.

        `asker` is the client's address.

        Raises: GatewayError upstream_unavailable, overloaded.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            return await self._upstream.acquire(
                pool, fresh=True, connect_s=self._left_s, asker=asker
            )
        finally:
            self._left_s -= loop.time() - began_s


def _is_safe(
    error: GatewayError, connection: UpstreamConnection | None, *, is_repeatable: bool
) -> bool:
    """Tell whether the service cannot have acted on it, or may be asked twice."""
    if error.code == "upstream_unavailable":
        return True
    return (
        error.code == "upstream_error"
        and connection is not None
        and not connection.has_received
        and (is_repeatable or not connection.has_sent)
    )
