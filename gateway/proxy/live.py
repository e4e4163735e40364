"""What lives on after its request was let in: WebSockets and event streams, told here to end.

It knows keys of sessions and whom to call; not what ends, nor why a session did. What lives of a
session that is renewed goes over to its successor, and lasts as long as that one does.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable

from gateway.clock import Clock
from gateway.sessions.families import Families
from gateway.sessions.model import Session

End = Callable[[str], None]
"""Told one of the reasons below, perhaps several in turn; it never waits, never raises."""

SESSION_ENDED = "session_ended"
DRAINING = "draining"
STORE_UNAVAILABLE = "store_unavailable"
"""Nobody could say for longer than `grace` whether the session has ended."""
OVERLOADED = "overloaded"
"""All places at the service are taken, most of them by this client, and another asks for one."""

REMEMBERED = 10_000
"""Ended sessions whose keys are kept, the newest, for what joins just after its session ended."""
LOOK_AGAIN_S = 60.0
"""How often an expiry is compared with the clock at the latest: a wall clock may be set, a machine
may sleep, and event loops take no timer of centuries."""


class LiveSessions:
    """The registry of one process. Joining and leaving cost the same however many there are.

    `on_join` is told the session's key of each that has just joined, or gone over to a successor,
    and returns at once. Whoever looks the session up then tells `found`, `renewed` or `end`.
    """

    def __init__(self, clock: Clock, on_join: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_join = on_join
        self._members: dict[str | None, set[_Member]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._families = Families()
        self._is_draining = False

    def join(self, session_key: str | None, end: End) -> Callable[[], None]:
        """Have `end` called when this session ends or the gateway drains; return how to leave.

        A None key is nobody's: only draining ends it. What has happened already is told at once:
        a session may end while its request still waits for the service. It may also have ended
        unheard, while the store was not followed: so `on_join` is told, once `keys` holds the key.
        """
        return self._join(_Member(session_key, end, _Expiry(self._clock, end)))

    def follow(self, session: Session | None, end: End) -> Callable[[], None]:
        """Join, and have `end` called at the session's own expiry too; return how to leave.

        Of a session that was renewed, it is the successor's expiry, once that is `found`.
        """
        if session is None:
            return self.join(None, end)
        if session.successor is not None:
            self._families.note(session.key, session.successor)
        member = _Member(session.key, end, _Expiry(self._clock, end))
        if self._families.latest(session.key) == session.key:
            member.expiry.set(session.expires_at)
        return self._join(member)

    def end(self, session_key: str) -> None:
        """End all that lives of a session, and what joins it from now on: none lives again."""
        self._ended[session_key] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        _end_all(self._members.pop(session_key, ()), SESSION_ENDED)

    def let_go(self, session_key: str) -> None:
        """End all that lives of a session that may have ended unheard; it may be joined again."""
        _end_all(self._members.pop(session_key, ()), STORE_UNAVAILABLE)

    def renewed(self, session_key: str, successor: str) -> None:
        """Move all that lives of a session to its successor, and what joins it from now on."""
        self._families.note(session_key, successor)
        moving = self._members.pop(session_key, None)
        if not moving:
            return
        latest = self._families.latest(session_key)
        for member in moving:
            member.key = latest
            member.expiry.stop()  # the successor's is not known yet
        if latest in self._ended:
            _end_all(moving, SESSION_ENDED)
            return
        self._members.setdefault(latest, set()).update(moving)
        self._on_join(latest)

    def found(self, session: Session) -> None:
        """Take the expiry of a session that lives, as the store has it."""
        for member in self._members.get(session.key, ()):
            member.expiry.set(session.expires_at)

    def keys(self) -> list[str]:
        """The sessions that something lives of."""
        return [key for key in self._members if key is not None]

    def drain(self) -> None:
        """Tell all there is that the gateway stops, and what joins from now on."""
        self._is_draining = True
        for member in [member for group in self._members.values() for member in group]:
            member.end(DRAINING)

    def _join(self, member: "_Member") -> Callable[[], None]:
        if member.key is not None:
            member.key = self._families.latest(member.key)
        self._members.setdefault(member.key, set()).add(member)
        if member.key in self._ended:
            member.end(SESSION_ENDED)
        else:
            self._greet(member)
        return lambda: self._leave(member)

    def _greet(self, member: "_Member") -> None:
        if self._is_draining:
            member.end(DRAINING)
        if member.key is not None:
            self._on_join(member.key)

    def _leave(self, member: "_Member") -> None:
        member.expiry.stop()
        group = self._members.get(member.key)
        if group is not None:
            group.discard(member)
            if not group:
                del self._members[member.key]


def _end_all(members: "Iterable[_Member]", reason: str) -> None:
    for member in list(members):
        member.end(reason)


class _Member:
    """One that has joined; two are never the same."""

    __slots__ = ("end", "expiry", "key")

    def __init__(self, key: str | None, end: End, expiry: "_Expiry") -> None:
        self.key = key
        self.end = end
        self.expiry = expiry


class _Expiry:
    """Calls `end` once a moment has come, by the gateway's clock; not before one is set."""

    __slots__ = ("_clock", "_end", "_expires_at", "_timer")

    def __init__(self, clock: Clock, end: End) -> None:
        self._clock = clock
        self._end = end
        self._expires_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, expires_at: float) -> None:
        """Take another moment for the one there was."""
        if expires_at != self._expires_at:
            self.stop()
            self._expires_at = expires_at
            self._look()

    def stop(self) -> None:
        """Forget the moment."""
        self._expires_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        left_s = self._expires_at - self._clock()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, min(left_s, LOOK_AGAIN_S)), self._ring)

    def _ring(self) -> None:
        if self._clock() < self._expires_at:
            self._look()
        else:
            self._timer = None
            self._end(SESSION_ENDED)
