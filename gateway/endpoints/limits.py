"""How many logins are taken: per client address, per app and in total, before any call goes out.

Decides what counts against what, and when there were too many. It must not know where counts are
kept, nor platforms. Design section 3, `login.limits`; attacks.md S11.

A window begins with its first login and ends after the setting's duration, so that a refusal can
tell when to come again. Within any stretch of that length there are at most two windows' worth.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.networks import network_of
from gateway.settings.units import Rate


@dataclass(frozen=True, slots=True)
class LoginRates:
    """How many logins are taken; None limits nothing."""

    per_ip: Rate | None = None
    per_app: Rate | None = None
    total: Rate | None = None


async def _nothing() -> None:
    """Close what has nothing to close."""


class LoginLimits:
    """Counts logins, and refuses those too many. `close` closes what `storage` stands on.

    `storage` and `clock` agree on the time: a window's end is told in the clock's seconds.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        rates: LoginRates,
        *,
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._clock = clock
        self._per_ip = _item(rates.per_ip)
        self._per_app = _item(rates.per_app)
        self._total = _item(rates.total)
        self.close = close

    async def count_address(self, address: str) -> None:
        """Count a login by where it came from; "" is a unix socket's, where nobody has an address.

        Raises: GatewayError rate_limited, store_unavailable.
        """
        if address:
            await self._count(self._per_ip, "this address", "ip", network_of(address))

    async def count_app(self, app: str) -> None:
        """Count a login by its app's name, and in total; one refused for its app counts only there.

        Raises: GatewayError rate_limited, store_unavailable.
        """
        await self._count(self._per_app, "this app", "app", app)
        await self._count(self._total, "all apps together", "total", "")

    async def _count(self, item: RateLimitItem | None, whose: str, *name: str) -> None:
        if item is None or await self._limiter.hit(item, *name):
            return
        window = await self._limiter.get_window_stats(item, *name)
        left_s = max(1, math.ceil(window.reset_time - self._clock()))
        raise GatewayError("rate_limited", f"too many logins of {whose}", retry_after_s=left_s)


def _item(rate: Rate | None) -> RateLimitItem | None:
    """Say a rate in whole seconds, as `limits` counts: 5 in 500ms are 10 in 1s."""
    if rate is None:
        return None
    window_s = math.ceil(rate.per_s)
    amount = max(1, math.floor(rate.requests * window_s / rate.per_s))
    return RateLimitItemPerSecond(amount, window_s, namespace="login")
