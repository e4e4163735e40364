"""Following the endings and renewals a store tells of, for as long as the process lives.

Decides: when to try again, and when some may have been missed. It must not know how a store tells
(`SessionStore.follow`) or what is done about an ending or a renewal.

After a lost subscription nothing is dropped: what was cached belongs to a stretch that is over,
and is asked of the store at its next use (`contact`, `lookups`). Sessions that are open without
being used, behind a WebSocket or an event stream, have no next use: `on_new_stretch` has those
asked for (`confirm`). While the store stays away for longer than `grace`, `on_out_of_grace` is told
again and again.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable

from gateway.errors import GatewayError
from gateway.sessions.contact import Contact
from gateway.sessions.faults import tell
from gateway.sessions.parts import PartlyAwayError
from gateway.sessions.store import SessionStore

_FIRST_PAUSE_S = 0.05
_LAST_PAUSE_S = 0.5  # a store that returns is to be heard within a second
_JITTER_STEPS = 1000
_LOG = logging.getLogger(__name__)

Ended = Callable[[str], None]
Renewed = Callable[[str, str], None]
"""Told a session's key and its successor's."""


class Feed:
    """The background task. `on_new_stretch` is called when endings may have been missed."""

    def __init__(
        self,
        store: SessionStore,
        contact: Contact,
        on_ended: Ended,
        on_renewed: Renewed,
        on_new_stretch: Callable[[], None],
        on_out_of_grace: Callable[[], None],
    ) -> None:
        self._store = store
        self._contact = contact
        self._on_ended = on_ended
        self._on_renewed = on_renewed
        self._on_new_stretch = on_new_stretch
        self._on_out_of_grace = on_out_of_grace
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="session endings")

    async def stop(self) -> None:
        """End; from now on nothing cached is believed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._contact.close()

    # What the store tells: `Listener`.

    def ended(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._on_ended(key)

    def renewed(self, key: str, successor: str) -> None:
        self._on_renewed(key, successor)

    def heard(self, age_s: float) -> None:
        if self._contact.heard(age_s):
            if self._failures:
                _LOG.info("endings of sessions are told again")
            self._failures = 0
            self._on_new_stretch()

    async def _run(self) -> None:
        while True:
            try:
                await self._store.follow(self)
            except GatewayError as error:
                if not self._failures:
                    _LOG.warning("endings of sessions are not told now: %s", tell(error))
            except Exception:  # noqa: BLE001 - a fault of whoever is told must not stop revocation
                _LOG.exception("a fault while endings of sessions were told")
            self._contact.lost()
            self._failures += 1
            await self._probe()
            await asyncio.sleep(self._pause_s())

    async def _probe(self) -> None:
        """Learn which parts are away, or only the telling: no request shall wait for that."""
        try:
            await self._store.ping()
        except PartlyAwayError as error:
            self._contact.failed_in(error.parts)
        except GatewayError:
            self._contact.failed()
        else:
            self._contact.reached()
        if self._contact.is_out_of_grace:
            self._on_out_of_grace()

    def _pause_s(self) -> float:
        """Doubling, bounded, and different in each process."""
        longest_s: float = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        return longest_s * (1 + secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS) / 2
