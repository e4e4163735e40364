"""A named upstream: its targets, how one is chosen, and its limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.pool import Pool


@dataclass(frozen=True, slots=True)
class UpstreamTimeouts:
    """Seconds: from the end of the request body to the head; silence within an answer; the same
    within event streams and tunnels."""

    first_byte_s: float = 30.0
    idle_s: float = 60.0
    stream_idle_s: float = 600.0


class Upstream:
    """Targets in round robin; a failed connect goes on to the next."""

    def __init__(
        self,
        name: str,
        pools: Sequence[Pool],
        timeouts: UpstreamTimeouts,
        *,
        retries: int = 1,
        sends_client_host: bool = True,
    ) -> None:
        self.name = name
        self.timeouts = timeouts
        self.retries = retries
        self.sends_client_host = sends_client_host
        self._pools = tuple(pools)
        self._next = 0

    def choose(self, tried: Sequence[Pool] = ()) -> Pool:
        """Choose the next target, one not tried yet where there is one."""
        pools = self._pools
        for _ in pools:
            pool = pools[self._next % len(pools)]
            self._next += 1
            if pool not in tried:
                return pool
        return pools[self._next % len(pools)]

    async def acquire(self, pool: Pool, *, fresh: bool = False) -> UpstreamConnection:
        """Take a connection to one target; `fresh` takes none that was used before.

        Raises: GatewayError upstream_unavailable, overloaded.
        """
        try:
            return await pool.acquire(fresh=fresh)
        except GatewayError as error:
            error.detail = f"{error.detail} ({self.name})"
            raise

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            pool.close()
