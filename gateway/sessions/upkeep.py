"""What is done beside the requests: last uses are written in batches, expired records removed,
and the store is told which encryption key its records need.

It must not know tokens or requests. A request only notes a moment in memory; a store that is away
costs nothing but memory, and that is bounded.
"""

import asyncio
import logging
import math
import time
from itertools import islice

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.sealing import RenewedNote, SealingNote
from gateway.sessions.store import SessionStore

INTERVAL_S = 30.0
BATCH = 1000
MAX_PENDING = 100_000
"""Sessions whose last use waits to be written, per process: some 20 MB, as many as are cached."""

MAX_JUMP_S = 60.0
"""How far the wall clock may gain on time itself between two rounds: what corrections do."""
STEADY_S = 3600.0
"""After a jump nothing is removed for so long: for whoever sets the clock right again."""

_PURGE_BATCHES = 100  # per round: 100,000 records, so that expiry keeps up with logins
_LOG = logging.getLogger(__name__)


class LastUses:
    """When sessions were last used, as far as the store has not been told."""

    def __init__(self) -> None:
        self._pending: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def note(self, key: str, at: float) -> None:
        """Remember a use; a new key is let go where there are `MAX_PENDING` already."""
        if key in self._pending or len(self._pending) < MAX_PENDING:
            self._pending[key] = max(at, self.latest(key))

    def latest(self, key: str) -> float:
        """The latest use noted, seconds since the epoch; 0 where none is."""
        return self._pending.get(key, 0.0)

    def batch(self) -> dict[str, float]:
        """The `BATCH` that have waited longest; they stay noted until `written`."""
        return dict(islice(self._pending.items(), BATCH))

    def postpone(self, batch: dict[str, float]) -> None:
        """Let the others come first: what cannot be written now must not hold them up."""
        for key in batch:
            self._pending[key] = self._pending.pop(key)

    def written(self, batch: dict[str, float]) -> None:
        """Forget what the store knows now, but not what was noted since."""
        for key, at in batch.items():
            if self._pending.get(key) == at:
                del self._pending[key]


class ClockWatch:
    """Whether the wall clock may be believed about what is removed for good."""

    def __init__(self, clock: Clock, monotonic: Clock) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._ahead_s = clock() - monotonic()
        self._steady_from = -math.inf

    def steady_time(self) -> float | None:
        """Return the time, unless the clock was set forward within `STEADY_S`; ask each round."""
        now, steady_now = self._clock(), self._monotonic()
        jump_s, self._ahead_s = now - steady_now - self._ahead_s, now - steady_now
        if jump_s > MAX_JUMP_S:
            _LOG.warning("the clock was set forward by %.0f s: nothing is purged for now", jump_s)
            self._steady_from = steady_now + STEADY_S
        return now if steady_now >= self._steady_from else None


class Upkeep:
    """The background task: every `interval_s`, or as soon as a batch is full."""

    def __init__(
        self,
        store: SessionStore,
        uses: LastUses,
        clock: Clock,
        interval_s: float = INTERVAL_S,
        *,
        sealing: SealingNote | None = None,
        renewed: RenewedNote | None = None,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._uses = uses
        self._clock_watch = ClockWatch(clock, monotonic)
        self._interval_s = interval_s
        self._notes = [note for note in (sealing, renewed) if note is not None]
        self._sealing = sealing
        self._wake = asyncio.Event()
        self._stopping = False
        self._store_is_away = False
        self._was_heard = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="session upkeep")

    async def stop(self) -> None:
        """Do one last round, so that nothing noted is lost, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def note(self, key: str, at: float) -> None:
        """Note a use; a full batch wakes the task, but never hurries a store that failed."""
        self._uses.note(key, at)
        if len(self._uses) >= BATCH:
            self._hurry()

    def sealed(self) -> None:
        """Note that something was sealed; where the store must hear of it, the task wakes."""
        if self._sealing is not None and self._sealing.use():
            self._hurry()

    def new_stretch(self) -> None:
        """Write what a store could not take that is heard again: others ask it for last uses."""
        if self._was_heard:  # at the first time nothing can have waited
            self._wake.set()
        self._was_heard = True

    def _hurry(self) -> None:
        if not self._store_is_away:
            self._wake.set()

    async def _run(self) -> None:
        is_last = False
        while not is_last:
            await self._pause()
            is_last = self._stopping  # a stop within a round is followed by one more
            await self._round()

    async def _round(self) -> None:
        try:
            for note in self._notes:
                await note.write()
            await self._write_uses()
            await self._purge()
            self._store_is_away = False
        except GatewayError as error:
            self._store_is_away = True
            _LOG.warning("session upkeep waits for the store: %s", error)
        except Exception:  # noqa: BLE001 - a fault in one round must not end all upkeep
            self._store_is_away = True
            _LOG.exception("a fault in session upkeep")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _write_uses(self) -> None:
        for _ in range(0, len(self._uses), BATCH):
            batch = self._uses.batch()
            try:
                await self._store.touch(batch)
            except GatewayError:
                self._uses.postpone(batch)
                raise
            self._uses.written(batch)

    async def _purge(self) -> None:
        now = self._clock_watch.steady_time()
        if now is None:
            return
        for _ in range(_PURGE_BATCHES):
            if self._stopping or await self._store.purge(now) == 0:
                return
