"""What one process knows of sessions: the cache, the questions to the store, the endings it hears.

Decides: when an answer from memory is as good as the store's, and what a store that cannot be
asked would have said. It must not know tokens' signatures, requests, or how sessions begin.

A session is looked for in this order: by its token (`recall`), by its key, in the store. Each
ending, whoever made it, drops it here and is told to who asked (`on_ended`). So is each renewal
(`on_renewed`): what was known of the old session, such as its expiry, is no longer true.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.cache import Ages, Entry, Recall, SessionCache
from gateway.sessions.confirm import Confirmations
from gateway.sessions.contact import Contact
from gateway.sessions.families import Families
from gateway.sessions.feed import Feed, Renewed
from gateway.sessions.lookups import Lookups
from gateway.sessions.model import Session
from gateway.sessions.standing import Standing
from gateway.sessions.store import SessionStore
from gateway.sessions.upkeep import LastUses


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How many sessions a process remembers (0: none), and how long without the store."""

    size: int = 100_000
    grace_s: float = 300.0


class SessionMemory:
    """The memory of one process. `note_use` is told of uses worth writing, `uses` knows them."""

    recall: Recall

    def __init__(
        self,
        store: SessionStore,
        clock: Clock,
        policy: CachePolicy,
        ages: Ages,
        uses: LastUses,
        note_use: Callable[[str, float], None],
        standing: Standing,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._clock = clock
        self._contact = Contact(clock, policy.grace_s, monotonic)
        self._cache = SessionCache(policy.size, ages, self._contact, clock, note_use)
        self.recall = self._cache.recall  # itself: a call less on every request's path
        self._lookups = Lookups(
            store, self._cache, self._contact, uses, standing, self.ended, monotonic
        )
        self._confirmations = Confirmations(self._contact, self._ask_open)
        self._feed = Feed(
            *(store, self._contact, self.ended, self.renewed),
            *(self._begin_stretch, self._tell_out_of_grace),
        )
        self._families = Families()
        self._on_ended: list[Callable[[str], None]] = []
        self._on_renewed: list[Renewed] = []
        self._on_found: list[Callable[[Session], None]] = []
        self._on_new_stretch: list[Callable[[], None]] = []
        self._on_out_of_grace: list[Callable[[], None]] = []
        self._watched: list[Callable[[], Iterable[str]]] = []

    @property
    def is_following(self) -> bool:
        """Whether the store is telling of endings."""
        return self._contact.is_following

    @property
    def is_out_of_grace(self) -> bool:
        """Whether the store is away for so long that no session may go on."""
        return self._contact.is_out_of_grace

    def start(self) -> None:
        """Follow the store's endings; without that every use is asked of the store."""
        self._feed.start()

    async def stop(self) -> None:
        """End what runs beside the requests; nothing remembered is believed any more."""
        await self._feed.stop()
        await self._confirmations.stop()
        await self._lookups.close()

    async def find(self, key: str, now: float) -> Entry:
        """Return a living session, from memory or from the store.

        Raises: GatewayError session_expired, session_revoked, store_unavailable.
        """
        entry = self._cache.get(key)
        if entry is None:
            entry = await self._ask(key)
            self._check_age(entry, now)
        return entry

    def use(self, entry: Entry, token: str, signed_at: float, now: float) -> None:
        """Note the use of a session found, by a token just verified."""
        self._cache.use(entry, token, signed_at, now)

    def ended(self, key: str) -> None:
        """Forget a session that has ended, and tell so."""
        self._cache.drop(key)
        self._lookups.spoil(key)
        for callback in self._on_ended:
            callback(key)

    def renewed(self, key: str, successor: str) -> None:
        """Forget what was known of a session that has a successor now, and tell so."""
        self._families.note(key, successor)
        known = self._cache.peek(key)
        if known is not None and known.session.successor != successor:
            self._cache.forget(key)  # told again, it is known already
        for each in (key, successor):
            self._lookups.outdate(each)
        for callback in self._on_renewed:
            callback(key, successor)

    def outdate(self, key: str) -> None:
        """Forget what is known of a session: its next use is asked of the store."""
        self._cache.forget(key)
        self._lookups.outdate(key)

    def family_of(self, key: str) -> set[str]:
        """Return the keys of a session's family that are known here, its own too."""
        known = self._families.of(key)
        entry = self._cache.peek(key)
        if entry is not None:
            known.add(entry.session.origin)
        return known

    def sessions(self) -> list[Session]:
        """The sessions remembered at this moment."""
        return self._cache.sessions()

    def doubt(self, key: str) -> None:
        """Forget a session that may have ended: its next use is asked of the store."""
        self._cache.drop(key)

    def on_ended(self, callback: Callable[[str], None]) -> None:
        self._on_ended.append(callback)

    def on_renewed(self, callback: Renewed) -> None:
        self._on_renewed.append(callback)

    def on_found(self, callback: Callable[[Session], None]) -> None:
        self._on_found.append(callback)

    def on_new_stretch(self, callback: Callable[[], None]) -> None:
        self._on_new_stretch.append(callback)

    def on_out_of_grace(self, callback: Callable[[], None]) -> None:
        self._on_out_of_grace.append(callback)

    def watch(self, open_keys: Callable[[], Iterable[str]]) -> None:
        self._watched.append(open_keys)

    def confirm(self, key: str) -> None:
        """Have the store asked for a session soon.

        `on_ended` is told where it is dead, `on_renewed` where another stands in its place, else
        `on_found` how it is.
        """
        self._confirmations.add(key)

    async def _ask(self, key: str) -> Entry:
        known = self._cache.peek(key)
        try:
            found = await self._lookups.get(key)
        except GatewayError:
            if known is None or not self._may_go_on(known):
                raise
            return known
        if found is None:
            raise GatewayError("session_expired", "the session has expired; log in again")
        if not isinstance(found, Entry) or found.has_ended:
            raise GatewayError("session_revoked", "the session has been ended; log in again")
        return found

    def _may_go_on(self, known: Entry) -> bool:
        """Whether the store, which cannot be asked, would have said yes a short while ago."""
        if known.has_ended or not self._cache.is_good(known, self._clock()):
            return False  # it may have been used elsewhere, so this is no log-out either
        return self._contact.is_in_grace(known.stretch)

    def _check_age(self, entry: Entry, now: float) -> None:
        if self._cache.is_good(entry, now):
            return
        self._lookups.remember_dead(entry.session.key, entry)
        reason = "was unused too long" if self._cache.is_idle(entry, now) else "has expired"
        raise GatewayError("session_expired", f"the session {reason}; log in again")

    async def _ask_open(self, key: str) -> None:
        found = await self._lookups.get_anew(key)
        if not isinstance(found, Entry):
            return  # told already, as dead
        session = found.session
        if session.successor is not None:
            self.renewed(session.key, session.successor)
            return
        for callback in self._on_found:
            callback(session)

    def _tell_out_of_grace(self) -> None:
        for callback in self._on_out_of_grace:
            callback()

    def _begin_stretch(self) -> None:
        for callback in self._on_new_stretch:
            callback()
        self._confirmations.restart(key for keys in self._watched for key in keys())
