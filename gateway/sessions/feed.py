"""Following the endings that a store tells of, again and again, for as long as the process lives.

Decides: when to try again, and what to look at anew after endings may have been missed. It must
not know how a store tells (`SessionStore.follow`) or what is done about an ending.

After a lost subscription nothing is dropped: what was cached belongs to a stretch that is over,
and is asked of the store at its next use (`contact`, `lookups`). Sessions that are open without
being used, behind a WebSocket or an event stream, have no next use: those are asked for here, a
few at a time.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable

from gateway.errors import GatewayError
from gateway.sessions.contact import Contact
from gateway.sessions.store import BEAT_S, SessionStore

_FIRST_PAUSE_S = 0.05
_LAST_PAUSE_S = 0.5  # a store that returns is to be heard within a second
_JITTER_STEPS = 1000
_LANES = 8  # open sessions asked for at once: a part of what `lookups` may ask
_LOG = logging.getLogger(__name__)

Ended = Callable[[str], None]
OpenKeys = Callable[[], Iterable[str]]


class Feed:
    """The background task. `check` asks the store for a session, and itself tells of a dead one."""

    def __init__(
        self,
        store: SessionStore,
        contact: Contact,
        on_ended: Ended,
        open_keys: OpenKeys,
        check: Callable[[str], Awaitable[object]],
    ) -> None:
        self._store = store
        self._contact = contact
        self._on_ended = on_ended
        self._open_keys = open_keys
        self._check = check
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="session endings")

    async def stop(self) -> None:
        """End; from now on nothing cached is believed."""
        tasks = [task for task in (self._task, self._checking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._contact.close()

    # What the store tells: `Listener`.

    def ended(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._on_ended(key)

    def heard(self, age_s: float) -> None:
        if self._contact.heard(age_s):
            if self._failures:
                _LOG.info("endings of sessions are told again")
            self._failures = 0
            self._check_open()

    async def _run(self) -> None:
        while True:
            try:
                await self._store.follow(self)
            except GatewayError as error:
                if not self._failures:
                    _LOG.warning("endings of sessions are not told now: %s", error)
            except Exception:  # noqa: BLE001 - a fault of whoever is told must not stop revocation
                _LOG.exception("a fault while endings of sessions were told")
            self._contact.lost()
            self._failures += 1
            await self._probe()
            await asyncio.sleep(self._pause_s())

    async def _probe(self) -> None:
        """Learn whether the store is away, or only its telling: no request shall wait for that."""
        try:
            await self._store.ping()
        except GatewayError:
            self._contact.failed()
        else:
            self._contact.reached()

    def _pause_s(self) -> float:
        """Doubling, bounded, and different in each process."""
        longest_s: float = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        return longest_s * (1 + secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS) / 2

    def _check_open(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
        keys = list(self._open_keys())
        self._checking = asyncio.create_task(self._check_all(keys), name="open sessions")

    async def _check_all(self, keys: list[str]) -> None:
        await asyncio.gather(*(self._check_each(keys[lane::_LANES]) for lane in range(_LANES)))

    async def _check_each(self, keys: list[str]) -> None:
        for key in keys:
            while not await self._is_checked(key):  # noqa: ASYNC110 - a store, and no event, returns
                await asyncio.sleep(BEAT_S)

    async def _is_checked(self, key: str) -> bool:
        try:
            await self._check(key)
        except GatewayError:
            return False
        return True
