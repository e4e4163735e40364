"""A named upstream: its targets, which of them is asked, and what is heard of them.

It decides who is fit to be asked: active checks say who is up, failures in a row eject for a while,
and the balance picks among the rest. Passive ejection never takes the last one out: a bad moment of
a service's only target would become an outage of ours. Active checks do: then there is no target.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.proxy.balance import Balance, RoundRobin
from gateway.proxy.budget import RetryBudget
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.ejection import Ejection, EjectionPolicy
from gateway.proxy.pool import Pool

logger = logging.getLogger(__name__)
FAILURES = frozenset({"upstream_unavailable", "upstream_error", "upstream_timeout"})
"""What counts against a target: no connection, no valid answer head, no answer in time."""


def draw_evenly() -> float:
    """Draw a number from 0 up to 1: processes that started together should not act together."""
    return secrets.randbelow(2**32) / 2**32


@dataclass(frozen=True, slots=True)
class UpstreamTimeouts:
    """Seconds: from the end of the request body to the head; silence within an answer; the same
    within event streams and tunnels."""

    first_byte_s: float = 30.0
    idle_s: float = 60.0
    stream_idle_s: float = 600.0


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target as it stands, for metrics and the admin API; `target` holds no credentials.

    `is_up`: by the active checks. `is_ejected`: left alone after failures. `in_flight`: requests
    under way or waiting. `in_use` places, `open` and `idle` connections, `waiting` requests.
    The last three are counted since the process began.
    """

    target: str
    is_up: bool
    is_ejected: bool
    in_flight: int
    in_use: int
    open: int
    idle: int
    waiting: int
    attempts: int
    connect_failures: int
    ejections: int


@dataclass(slots=True, eq=False)
class _Target:
    """A pool and what is known of the target behind it."""

    pool: Pool
    ejection: Ejection
    is_up: bool = True

    @property
    def in_flight(self) -> int:
        return self.pool.in_flight

    @property
    def is_live(self) -> bool:
        return self.is_up and not self.ejection.is_ejected


class Upstream:
    """Chooses targets, and learns from what became of the requests."""

    def __init__(
        self,
        name: str,
        pools: Sequence[Pool],
        timeouts: UpstreamTimeouts,
        *,
        retries: int = 1,
        sends_client_host: bool = True,
        balance: Balance | None = None,
        ejection: EjectionPolicy | None = None,
        ticks: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = draw_evenly,
    ) -> None:
        self.name = name
        self.timeouts = timeouts
        self.retries = retries
        self.sends_client_host = sends_client_host
        self.pools = tuple(pools)
        self._balance = balance or RoundRobin()
        self._ticks = ticks
        self._budget = RetryBudget()
        policy = ejection or EjectionPolicy()
        self._targets = {pool: _Target(pool, Ejection(policy, draw)) for pool in self.pools}
        self._only: Pool | None = None
        self._is_calm = True
        self._note_change()

    # -- choose ---------------------------------------------------------------------------------

    def choose(self, tried: Sequence[Pool] = ()) -> Pool:
        """Choose a target, one not tried yet where there is one.

        Raises: GatewayError upstream_unavailable, by the active checks none is up.
        """
        if self._only is not None:
            return self._only
        if self._is_calm and not tried:
            pool = self._balance.pick(self.pools)
            if not pool.is_full:
                return pool
        return self._choose_in_trouble(tried)

    def choose_calmly(self) -> Pool | None:
        """Choose a first target where nothing is wrong with any; None: `choose`.

        One without an idle connection keeps its turn, or it would never get its first.
        """
        if self._only is not None:
            return self._only
        if not self._is_calm:
            return None
        pool = self._balance.pick(self.pools)
        if pool.idle:
            return pool
        self._balance.undo()
        return None

    def _choose_in_trouble(self, tried: Sequence[Pool]) -> Pool:
        """Choose where some are out, full or tried already."""
        up = [target for target in self._targets.values() if target.is_up]
        if not up:
            raise GatewayError("upstream_unavailable", f"no live target ({self.name})")
        now_s = self._ticks()
        due = [target for target in up if target.ejection.is_due(now_s)]
        live = [target for target in up if target.is_live]
        others = [target for target in live if target.pool not in tried]
        probes = [target for target in due if target.pool not in tried]
        if probes and not (tried and others):
            probes[0].ejection.begin_probe(now_s)
            return probes[0].pool
        among = others or live or up
        return self._balance.pick([each for each in among if not each.pool.is_full] or among).pool

    async def acquire(
        self, pool: Pool, *, fresh: bool = False, connect_s: float | None = None, asker: str = ""
    ) -> UpstreamConnection:
        """Take a connection to one target; `fresh` takes none that was used before.

        `asker` is the client's address.

        Raises: GatewayError upstream_unavailable, overloaded.
        """
        try:
            return await pool.acquire(fresh=fresh, connect_s=connect_s, asker=asker)
        except GatewayError as error:
            error.detail = f"{error.detail} ({self.name})"
            raise

    def take_retry(self) -> bool:
        """Take one retry out of the budget; False when it is spent."""
        attempts = sum(pool.attempts for pool in self.pools)
        return self._budget.take(self._ticks(), attempts - self._budget.taken)

    @property
    def retried(self) -> int:
        """Requests sent once more, since the process began."""
        return self._budget.taken

    # -- learn ----------------------------------------------------------------------------------

    def note_failure(self, pool: Pool, error: GatewayError) -> None:
        """Count an attempt that got no answer head; what was the client's or ours counts not."""
        if error.code not in FAILURES:
            return
        target = self._targets[pool]
        pool.has_failed = True
        may_eject = any(each.is_live for each in self._targets.values() if each is not target)
        if target.ejection.note_failure(self._ticks(), may_eject=may_eject):
            logger.warning(
                "upstream %s: %s is left alone for a while: %s", self.name, pool.address, error
            )
            pool.drop_idle()
            self._note_change()

    def note_success(self, pool: Pool) -> None:
        """Note an answer head, whatever it says; asked for only where `pool.has_failed`."""
        target = self._targets[pool]
        was_ejected = target.ejection.is_ejected
        target.ejection.note_success()
        pool.has_failed = False
        if was_ejected:
            logger.warning("upstream %s: %s answers again", self.name, pool.address)
            self._note_change()

    def note_check(self, pool: Pool, *, is_up: bool) -> None:
        """Take what the active checks say; who comes back starts afresh."""
        target = self._targets[pool]
        if target.is_up == is_up:
            return
        target.is_up = is_up
        word = "passes its checks again" if is_up else "fails its checks, it gets no requests"
        logger.warning("upstream %s: %s %s", self.name, pool.address, word)
        if is_up:
            target.ejection.note_success()
            pool.has_failed = False
        else:
            pool.drop_idle()
        self._note_change()

    def _note_change(self) -> None:
        """Work out what lets most requests pass without a look at the targets."""
        self._is_calm = all(target.is_live for target in self._targets.values())
        alone = self.pools[0] if len(self.pools) == 1 else None
        self._only = alone if alone is not None and self._targets[alone].is_up else None

    # -- tell, close ----------------------------------------------------------------------------

    def states(self) -> tuple[TargetState, ...]:
        """Tell each target as it stands, in the settings' order."""
        return tuple(_state(target) for target in self._targets.values())

    def close(self) -> None:
        """Close all connections."""
        for pool in self.pools:
            pool.close()


def _state(target: _Target) -> TargetState:
    pool = target.pool
    return TargetState(
        target=str(pool.address),
        is_up=target.is_up,
        is_ejected=target.ejection.is_ejected,
        in_flight=pool.in_flight,
        in_use=pool.in_use,
        open=pool.open,
        idle=pool.idle,
        waiting=pool.waiting,
        attempts=pool.attempts,
        connect_failures=pool.connect_failures,
        ejections=target.ejection.ejections,
    )
