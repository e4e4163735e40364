"""Endings that the store may not know or may forget: which sessions are refused for them here.

Decides what is refused, and what is to be said again. It must not know how or when a store is
asked (`assertions`). Design section 5, "Failover".

Waiting: the store could not be reached, or no replica confirmed. These are refused here, whatever
the store says, until it has confirmed them. Recent: confirmed within `RECENT_S`. A failover to a
replica that was behind may undo them, so they are said again when endings may have been missed.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject

MAX_WAITING = 10_000
"""Endings that wait, and as many recent ones, per process: some 3 MB each. The oldest go first."""
RECENT_S = 60.0
"""How far a replica may be behind that is made primary: Sentinel and Cluster take seconds."""

Ending = str | Subject
"""A session's key, which means its family; or all sessions of a subject."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something ended, and the moment, by the wall clock: younger sessions are not meant."""

    text: str
    at: float


class Standing:
    """The endings of one process. `clock` tells sessions' ages, `monotonic` what is recent."""

    def __init__(self, clock: Clock, monotonic: Clock) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: OrderedDict[Ending, Reason] = OrderedDict()
        self._recent: OrderedDict[str, tuple[float, Reason]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def refuses_key(self, key: str) -> bool:
        """Whether this very session has ended here."""
        return key in self._waiting

    def refuses(self, session: Session) -> bool:
        """Whether a session that the store takes for living has ended here."""
        if not self._waiting:
            return False
        if session.key in self._waiting or session.origin in self._waiting:
            return True
        reason = self._waiting.get(session.subject)
        return reason is not None and session.created_at <= reason.at

    def add(self, ending: Ending, text: str) -> None:
        """Let an ending stand until it is confirmed; said twice, the first word counts."""
        self._add(ending, Reason(text, self._clock()))

    def first(self) -> tuple[Ending, str] | None:
        """Return the ending that is to be said next, and its reason."""
        for ending, reason in self._waiting.items():
            return ending, reason.text
        return None

    def postpone(self, ending: Ending) -> None:
        """Put one behind the others: one bad record holds up nobody."""
        if ending in self._waiting:
            self._waiting.move_to_end(ending)

    def confirm(self, ending: Ending) -> None:
        """Note that the store has confirmed an ending: from now on it answers for it."""
        reason = self._waiting.pop(ending, None)
        if reason is not None and isinstance(ending, str):
            self._note(ending, reason)

    def replace(self, subject: Subject, keys: Iterable[str]) -> None:
        """Wait for a subject's sessions, which are known now: a later login shall not be hit."""
        reason = self._waiting.pop(subject, None)
        if reason is not None:
            for key in keys:
                self._add(key, reason)

    def note(self, keys: Iterable[str], text: str) -> None:
        """Remember endings that were confirmed at once."""
        reason = Reason(text, self._clock())
        for key in keys:
            self._note(key, reason)

    def doubt_recent(self) -> None:
        """Let recent endings wait again: they may have been undone."""
        oldest_at = self._monotonic() - RECENT_S
        for key, (noted_at, reason) in self._recent.items():
            if noted_at >= oldest_at:
                self._add(key, reason)

    def _add(self, ending: Ending, reason: Reason) -> None:
        self._waiting.setdefault(ending, reason)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)

    def _note(self, key: str, reason: Reason) -> None:
        """Keep the moment of the first word: repeating it makes an ending no younger."""
        now = self._monotonic()
        self._recent.setdefault(key, (now, reason))
        while len(self._recent) > MAX_WAITING or self._oldest_at() < now - RECENT_S:
            self._recent.popitem(last=False)

    def _oldest_at(self) -> float:
        return next(iter(self._recent.values()))[0]
