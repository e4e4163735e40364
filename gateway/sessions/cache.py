"""The sessions one process remembers: found by token without I/O, bounded, dropped when they end.

Decides: which of them may be used at this moment, and which goes when room is needed. It must not
know stores, signatures or requests: a token gets in here only after it was verified.

Room is made by CLOCK: entries stand in a ring in the order they came, a use sets one flag, and
the hand gives a used one another round. A use so costs one store of a bool, where an exact LRU
would move a link in a list for every request; and a wave of logins does not wash out those in
use, as it would with FIFO. The hand takes at most `_CHANCES` steps: nobody pays for a whole round.

Times are taken as `authenticate` takes them: an entry never lives past its token, its session or
its idle time-out, and is believed as `contact` says.

Of many thousand sessions each is cold in the processor's caches when its turn comes: `recall` looks
at one moment of an entry, and at no object that it does not need.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.clock import Clock
from gateway.sessions.contact import Contact, Stretch
from gateway.sessions.model import Session
from gateway.sessions.token import MAX_AHEAD_S

_CHANCES = 16


class Recall(Protocol):
    """`SessionCache.recall`, or its like."""

    def __call__(self, token: str) -> Session | None: ...


@dataclass(frozen=True, slots=True)
class Ages:
    """A token's lifetime, the longest time unused (None: any), and when a use is noted again."""

    lifetime_s: float
    idle_timeout_s: float | None
    touch_after_s: float


@dataclass(slots=True, eq=False)
class Entry:
    """A session as this process knows it, and the last of its tokens that was verified.

    `good_from` and `ends_at` bound the use of that token, on the wall clock. Before `calm_until` it
    may be used, and no use need be noted.
    """

    session: Session
    stretch: Stretch
    last_used_at: float
    token: str | None = None
    good_from: float = math.inf
    ends_at: float = -math.inf
    calm_until: float = -math.inf
    was_used: bool = False
    has_ended: bool = False


class SessionCache:
    """At most `size` sessions; 0 keeps none. `note_use` is told of a use worth writing down."""

    def __init__(
        self,
        size: int,
        ages: Ages,
        contact: Contact,
        clock: Clock,
        note_use: Callable[[str, float], None],
    ) -> None:
        self._size = size
        self._lifetime_s = ages.lifetime_s
        self._idle_s = math.inf if ages.idle_timeout_s is None else ages.idle_timeout_s
        self._touch_after_s = ages.touch_after_s
        self._contact = contact
        self._clock = clock
        self._note_use = note_use
        self._by_token: dict[str, Entry] = {}
        self._by_key: dict[str, Entry] = {}
        self._ring: deque[Entry] = deque()
        self._calm_from = -math.inf  # the latest `good_from`: before it, each is looked at

    def __len__(self) -> int:
        return len(self._by_key)

    def recall(self, token: str) -> Session | None:
        """Return the living session of a token that was verified here before, and note its use.

        None: ask `authenticate`. This is on every request's path: no I/O, no digest, no await.
        """
        entry = self._by_token.get(token)
        if entry is None:
            return None
        now = self._clock()
        is_calm = self._calm_from <= now < entry.calm_until
        if not (is_calm or entry.good_from <= now <= self._good_until(entry)):
            return None
        stretch = entry.stretch
        if now > stretch.trusted_until and not self._contact.goes_on(stretch, entry.session.key):
            return None
        if not is_calm:
            self._note(entry, now)
        entry.was_used = True
        return entry.session

    def get(self, key: str) -> Entry | None:
        """Return what may be used without asking the store."""
        entry = self._by_key.get(key)
        now = self._clock()
        if entry is None or not self.is_good(entry, now):
            return None
        if now > entry.stretch.trusted_until and not self._contact.goes_on(entry.stretch, key):
            return None
        return entry

    def peek(self, key: str) -> Entry | None:
        """Return what is here, whether it may be used or not."""
        return self._by_key.get(key)

    def is_good(self, entry: Entry, now: float) -> bool:
        """Whether the session has neither expired nor been unused too long, as far as known."""
        return now <= entry.session.expires_at and not self.is_idle(entry, now)

    def is_idle(self, entry: Entry, now: float) -> bool:
        return now > entry.last_used_at + self._idle_s

    def put(self, session: Session, stretch: Stretch, last_used_at: float) -> Entry:
        """Keep what the store has just said, and return it; it belongs to this stretch."""
        entry = self._by_key.get(session.key)
        if entry is None:
            entry = Entry(session, stretch, max(session.last_used_at, last_used_at))
            self._keep(entry)
            return entry
        entry.session, entry.stretch = session, stretch
        entry.last_used_at = max(entry.last_used_at, session.last_used_at, last_used_at)
        self._set_calm(entry)
        return entry

    def use(self, entry: Entry, token: str, signed_at: float, now: float) -> None:
        """Note a use by a token just verified, which `recall` finds from now on."""
        self._note(entry, now)
        if self._by_key.get(entry.session.key) is not entry:
            return  # it has been dropped meanwhile, or nothing is kept
        if entry.token != token:
            self._forget_token(entry)
            entry.token, self._by_token[token] = token, entry
        entry.was_used = True
        entry.good_from = signed_at - MAX_AHEAD_S
        self._calm_from = max(self._calm_from, entry.good_from)
        entry.ends_at = signed_at + self._lifetime_s
        self._set_calm(entry)

    def sessions(self) -> list[Session]:
        """What is here, at this moment; a pass over all."""
        return [entry.session for entry in self._by_key.values()]

    def forget(self, key: str) -> None:
        """Forget a session that lives on, but not as it is known here."""
        entry = self._by_key.get(key)
        if entry is not None:
            self._remove(entry)

    def drop(self, key: str) -> None:
        """Forget a session that has ended; who still holds its entry can see it there."""
        entry = self._by_key.get(key)
        if entry is not None:
            entry.has_ended = True
            self._remove(entry)

    def _note(self, entry: Entry, now: float) -> None:
        if now - entry.last_used_at >= self._touch_after_s:
            entry.last_used_at = now
            self._note_use(entry.session.key, now)
        self._set_calm(entry)

    def _good_until(self, entry: Entry) -> float:
        idle_at = entry.last_used_at + self._idle_s
        return min(entry.ends_at, entry.session.expires_at, idle_at)

    def _set_calm(self, entry: Entry) -> None:
        due_at = entry.last_used_at + self._touch_after_s
        entry.calm_until = min(self._good_until(entry), due_at)

    def _keep(self, entry: Entry) -> None:
        if self._size > 0:
            self._make_room()
            self._by_key[entry.session.key] = entry
            self._ring.append(entry)

    def _make_room(self) -> None:
        chances = _CHANCES
        while len(self._ring) >= self._size:
            entry = self._ring.popleft()
            if self._by_key.get(entry.session.key) is not entry:
                continue  # dropped before its turn
            if entry.was_used and chances:
                chances -= 1
                entry.was_used = False
                self._ring.append(entry)
            else:
                self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._by_key[entry.session.key]
        self._forget_token(entry)

    def _forget_token(self, entry: Entry) -> None:
        if entry.token is not None:
            del self._by_token[entry.token]
            entry.token = None
