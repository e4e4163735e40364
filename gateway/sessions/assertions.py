"""Says endings to the store again until it has confirmed them, beside all requests.

Decides when. What waits, and what is refused for it, is `standing`'s; it must not know requests.

One task, one call at a time: endings that wait are few, and a store that is away or behind is not
to be pressed. After a failure it pauses, longer each time and by chance, and begins with another.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.sessions.standing import Ending, Standing
from gateway.sessions.store import STORE_TIMEOUT_S, SessionStore, UnconfirmedError

LAST_S = 2 * STORE_TIMEOUT_S
"""What the last try may take while the gateway closes."""
_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 2.0
_JITTER_STEPS = 1000
_LOG = logging.getLogger(__name__)


class Assertions:
    """The background task. `tell` hears the key of each session that the store ended for it."""

    def __init__(
        self, store: SessionStore, standing: Standing, tell: Callable[[str], None]
    ) -> None:
        self._store = store
        self._standing = standing
        self._tell = tell
        self._wake = asyncio.Event()
        self._failures = 0
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="endings said again")

    async def stop(self) -> None:
        """Try once more what still waits, within `LAST_S`, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=LAST_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if len(self._standing):
            _LOG.error("%d endings of sessions are given up unconfirmed", len(self._standing))

    def hurry(self) -> None:
        """Say what was added now; where the store has just failed, after the pause."""
        if not self._failures:
            self._wake.set()

    def new_stretch(self) -> None:
        """Say what ended lately once more: endings may have been undone unheard."""
        self._standing.doubt_recent()
        self._wake.set()

    async def _run(self) -> None:
        is_last = False
        while not is_last:
            await self._pause()
            is_last = self._stopping  # a stop within a round is followed by one more
            try:
                await self._say_all()
            except Exception:  # noqa: BLE001 - a fault of whoever is told must not stop the next one
                _LOG.exception("a fault while endings of sessions were said again")
                self._note_failure()

    async def _pause(self) -> None:
        """Wait to be woken, after a failure only for a while."""
        try:
            async with asyncio.timeout(self._pause_s() if self._failures else None):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _say_all(self) -> None:
        while (waiting := self._standing.first()) is not None:
            if not await self._is_confirmed(*waiting):
                self._note_failure()
                return
        if self._failures:
            _LOG.info("all endings of sessions are confirmed")
        self._failures = 0

    async def _is_confirmed(self, ending: Ending, reason: str) -> bool:
        self._standing.postpone(ending)  # first: whatever fails, the others have their turn
        try:
            keys = await self._say(ending, reason)
        except UnconfirmedError as error:
            if error.keys and not isinstance(ending, str):
                self._standing.replace(ending, error.keys)
            return False
        except GatewayError:
            return False
        for key in keys:
            self._tell(key)  # before it counts as confirmed, which has it said no more
        self._standing.note(keys, reason)
        self._standing.confirm(ending)
        return True

    async def _say(self, ending: Ending, reason: str) -> tuple[str, ...]:
        if isinstance(ending, str):
            return await self._store.end(ending, reason)
        return await self._store.end_subject(ending, reason)

    def _note_failure(self) -> None:
        if not self._failures:
            _LOG.warning("%d endings of sessions wait for the store", len(self._standing))
        self._failures += 1

    def _pause_s(self) -> float:
        """Doubling, bounded, and different in each process."""
        longest_s: float = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        return longest_s * (1 + secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS) / 2
