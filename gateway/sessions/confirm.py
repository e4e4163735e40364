"""Asking the store, beside all requests, whether sessions that something is open for still live.

Decides: how many are asked for at once, and when to ask again. It must not know what is open, how
the store is asked (`lookups`), or what is done about an answer: that is told by the question.

Asked for: whatever has just been opened, since its session may have ended unheard between the
request and now; and all that is open, when endings may have been missed (`feed`). A question that
fails is put again while endings are told. While they are not it is let go: when they are told
again, all that is open is asked for.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from gateway.errors import GatewayError
from gateway.sessions.contact import Contact
from gateway.sessions.store import BEAT_S

LANES = 8
"""Sessions asked for at once: a part of what `lookups` may ask."""
_LOG = logging.getLogger(__name__)


class Confirmations:
    """The questions still to be put. `ask` asks the store now, and itself tells of the answer."""

    def __init__(self, contact: Contact, ask: Callable[[str], Awaitable[object]]) -> None:
        self._contact = contact
        self._ask = ask
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._lanes: set[asyncio.Task[None]] = set()
        self._has_stopped = False

    def add(self, key: str) -> None:
        """Have a session asked for soon, once however often it is added before its turn."""
        if self._has_stopped:
            return
        self._waiting[key] = None
        if len(self._lanes) < LANES:
            lane = asyncio.create_task(self._work(), name="open sessions")
            self._lanes.add(lane)

    def restart(self, keys: Iterable[str]) -> None:
        """Have these asked for, and nothing else that still waits."""
        self._waiting.clear()
        for key in keys:
            self.add(key)

    async def stop(self) -> None:
        """End; what is added from now on is not asked for."""
        self._has_stopped = True
        self._waiting.clear()
        lanes = list(self._lanes)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()  # one cancelled before its first step never came to leave

    async def _work(self) -> None:
        try:
            while self._waiting:
                key, _ = self._waiting.popitem(last=False)
                if not await self._is_settled(key):
                    await asyncio.sleep(BEAT_S)
                    self._waiting[key] = None  # behind the others: one bad record holds up nobody
        finally:  # at once: what is added a moment later needs a lane of its own
            self._lanes.difference_update({asyncio.current_task()})

    async def _is_settled(self, key: str) -> bool:
        try:
            await self._ask(key)
        except GatewayError:
            return not self._contact.is_following
        except Exception:  # noqa: BLE001 - a fault of whoever is told must not stop the next question
            _LOG.exception("a fault while an open session was looked up")
        return True
