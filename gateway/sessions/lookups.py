"""Asking the store for sessions: each once at a time, dead ones not again and again.

Decides: who waits for whose question, how many are asked at once, how long a dead session is
remembered. It must not know tokens or requests.

Coalesced. Who asks for a key that is being asked for waits for that answer. The question is a task
of its own, so that a waiter who goes away harms no other.

Dead ones. An unknown, ended or unused session is remembered for `DEAD_S`, so that a dead token in
a loop does not reach the store. No living session can be refused by it: a session id is random and
nobody has its token before its record is written. Only a store that was behind, after a failover,
might answer "unknown" for a living one: hence brief.

An ending that is told while the question is under way wins over the answer, which may be older; a
renewal has it asked again. What has ended here is dead, though the store may not know (`standing`).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.cache import Entry, SessionCache
from gateway.sessions.contact import Contact
from gateway.sessions.model import Session
from gateway.sessions.standing import Standing
from gateway.sessions.store import REVOKED, STORE_TIMEOUT_S, SessionStore, Tombstone
from gateway.sessions.upkeep import LastUses

AT_ONCE = 32
"""Questions at once, per process. Less than a store's connections, so that a wave of them, after a
lost subscription, holds up no login; who cannot ask in time is answered as if it was away."""
DEAD_S = 2.0
MAX_DEAD = 10_000
"""Dead sessions remembered, per process: some 2 MB."""

Found = Entry | Tombstone | None
_OUTDATED = Tombstone("outdated")


class Lookups:
    """The questions of one process. `on_dead` is told the key of each that proved dead."""

    def __init__(
        self,
        store: SessionStore,
        cache: SessionCache,
        contact: Contact,
        uses: LastUses,
        standing: Standing,
        on_dead: Callable[[str], None],
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._cache = cache
        self._contact = contact
        self._uses = uses
        self._standing = standing
        self._on_dead = on_dead
        self._monotonic = monotonic
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Found | GatewayError]] = {}
        self._ended_meanwhile: set[str] = set()
        self._changed_meanwhile: set[str] = set()
        self._dead: OrderedDict[str, tuple[float, Found]] = OrderedDict()

    async def get(self, key: str) -> Found:
        """Return what the store says of a key, now or, of a dead one, `DEAD_S` ago.

        Raises: GatewayError store_unavailable.
        """
        until, record = self._dead.get(key, (0.0, None))
        if self._monotonic() < until:
            return record
        return await self._answer(key)

    async def get_anew(self, key: str) -> Found:
        """Return what the store says of a key to a question sent from now on.

        One under way may have been read before an ending that nobody told here: it is awaited, not
        believed. Raises: GatewayError store_unavailable.
        """
        earlier = self._under_way.get(key)
        if earlier is not None:
            await asyncio.wait([earlier])
        return await self._answer(key)

    def remember_dead(self, key: str, record: Found) -> None:
        """Answer for a dead session without the store for a while."""
        self._dead[key] = (self._monotonic() + DEAD_S, record)
        self._dead.move_to_end(key)
        if len(self._dead) > MAX_DEAD:
            self._dead.popitem(last=False)

    def spoil(self, key: str) -> None:
        """Take note of an ending: an answer that is still under way must not undo it."""
        self._dead.pop(key, None)
        if key in self._under_way:
            self._ended_meanwhile.add(key)

    def outdate(self, key: str) -> None:
        """Take note of a change: an answer that is still under way must not undo it."""
        self._dead.pop(key, None)
        if key in self._under_way:
            self._changed_meanwhile.add(key)

    async def close(self) -> None:
        """Let what is under way end: a store answers or gives up in time."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _answer(self, key: str) -> Found:
        if self._standing.refuses_key(key):
            return Tombstone(REVOKED)
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._ask(key), name="look-up")
        found = await asyncio.shield(task)
        if isinstance(found, GatewayError):
            # One error for each waiter: a shared one would grow by each waiter's trace.
            raise GatewayError(found.code, found.detail) from found
        return found

    async def _ask(self, key: str) -> Found | GatewayError:
        try:
            found = await self._ask_in_turn(key)
        except GatewayError as error:
            return error
        finally:
            del self._under_way[key]
            self._ended_meanwhile.discard(key)
            self._changed_meanwhile.discard(key)
        if not isinstance(found, Entry):
            self._on_dead(key)
            self.remember_dead(key, found)
        return found

    async def _ask_in_turn(self, key: str) -> Found:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._room.acquire()
        except TimeoutError:
            raise GatewayError("store_unavailable", "too many sessions are looked up") from None
        try:
            while (found := await self._ask_store(key)) is _OUTDATED:
                pass  # a session is renewed once: told twice or thrice, it is asked as often
            return found
        finally:
            self._room.release()

    async def _ask_store(self, key: str) -> Found:
        self._changed_meanwhile.discard(key)
        stretch = self._contact.stretch_of_a_lookup()
        noted_at = self._uses.latest(key)  # before asking: it may be written meanwhile
        try:
            record = await self._store.get(key)
        except GatewayError:
            self._contact.failed(key)
            raise
        self._contact.reached(key)
        if key in self._ended_meanwhile:
            return Tombstone(REVOKED)
        if key in self._changed_meanwhile:
            return _OUTDATED
        if isinstance(record, Session):
            if self._standing.refuses(record):
                return Tombstone(REVOKED)
            return self._cache.put(record, stretch, max(noted_at, self._uses.latest(key)))
        return record
