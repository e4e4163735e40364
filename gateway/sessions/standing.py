"""Endings that the store may not know or may forget: which sessions are refused for them here.

Decides what is refused, and what is to be said again. It must not know how or when a store is
asked (`assertions`). Design section 5, "Failover".

Waiting: the store could not be reached, or no replica confirmed. These are refused here, whatever
the store says, until it has confirmed them. Recent: confirmed within `RECENT_S`. A failover to a
replica that was behind may undo them, so they are said again when endings may have been missed.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject
from gateway.sessions.token import MAX_AHEAD_S

MAX_WAITING = 10_000
"""Endings that wait, and as many recent ones, per process: some 3 MB each. The oldest go first."""
_LOG_EVERY = 1000
RECENT_S = 60.0
"""How far a replica may be behind that is made primary: Sentinel and Cluster take seconds."""

_LOG = logging.getLogger(__name__)

Ending = str | Subject
"""A session's key, which means its family; or all sessions of a subject."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something ended, and the moment, by the wall clock: younger sessions are not meant.

    Who made a session may have a clock that is `MAX_AHEAD_S` ahead of ours.
    """

    text: str
    at: float


class Standing:
    """The endings of one process. `clock` tells sessions' ages, `monotonic` what is recent."""

    def __init__(self, clock: Clock, monotonic: Clock) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: OrderedDict[Ending, Reason] = OrderedDict()
        self._recent: OrderedDict[str, tuple[float, Reason]] = OrderedDict()
        self._given_up = 0

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
        return reason is not None and session.created_at <= reason.at + MAX_AHEAD_S

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
            self._recent.pop(ending, None)  # what counts is the last time that the store knew it
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
        """Let recent endings wait again: they may have been undone.

        The youngest of them, as far as there is room: none that is unconfirmed goes for it.
        """
        self._forget_old()
        doubtful = [key for key in self._recent if key not in self._waiting]
        room = max(MAX_WAITING - len(self._waiting), 0)
        for key in doubtful[max(len(doubtful) - room, 0) :]:
            self._add(key, self._recent[key][1])

    def _add(self, ending: Ending, reason: Reason) -> None:
        self._waiting.setdefault(ending, reason)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
            self._note_given_up()

    def _note_given_up(self) -> None:
        self._given_up += 1
        if self._given_up % _LOG_EVERY == 1:
            text = "%d endings of sessions are given up unconfirmed: more than %d wait"
            _LOG.error(text, self._given_up, MAX_WAITING)

    def _note(self, key: str, reason: Reason) -> None:
        """Keep the moment of the first word: repeating it makes an ending no younger."""
        self._forget_old()
        self._recent.setdefault(key, (self._monotonic(), reason))
        if len(self._recent) > MAX_WAITING:
            self._recent.popitem(last=False)

    def _forget_old(self) -> None:
        """Forget what is recent no more; they stand in the order of their moments."""
        oldest_at = self._monotonic() - RECENT_S
        while self._recent and next(iter(self._recent.values()))[0] < oldest_at:
            self._recent.popitem(last=False)
