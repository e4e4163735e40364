"""Whether what is cached may still be believed: how long ago the store was heard (design 5).

It knows moments only: neither sessions nor stores. Two clocks, each where it is right: the wall
clock that the hot path reads anyway, and a monotonic one, which no operator sets, behind it.

| the store | a cached session |
| --- | --- |
| tells of endings, last heard within `TRUST_S` | is believed |
| was not heard for longer, or the subscription was made anew since | is asked of the store |
| a call for its part failed | goes on until `grace` after it was last known to be good |
| the same, and nothing heard or answered within `grace` | nothing may go on, open or not |

A store may be away in part: the sessions whose keys begin alike lie together (`parts.part_of`), and
what the other parts hold is asked of them. A probe finds out which; a call speaks for its own part.
"""

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.sessions.parts import part_of

TRUST_S = 0.9
"""Silence after which nothing cached is believed: under the second that an ending may take."""


@dataclass(slots=True, eq=False)
class Stretch:
    """A time in which no ending was missed; what was looked up in it is good while it lasts.

    `heard_at` is monotonic: what belongs to this stretch was good then. `trusted_until` is a wall
    clock's moment, for the hot path.
    """

    heard_at: float
    trusted_until: float = -math.inf

    def distrust(self) -> None:
        self.trusted_until = -math.inf


class Contact:
    """The contact of one process with its store. `monotonic` counts seconds from anywhere."""

    def __init__(self, clock: Clock, grace_s: float, monotonic: Clock = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._grace_s = grace_s
        self._stretch: Stretch | None = None
        self._deadlines: dict[Stretch, asyncio.TimerHandle] = {}
        self._is_away = False
        self._away_parts: set[str] = set()
        self._contact_at = monotonic()

    @property
    def is_following(self) -> bool:
        """Whether endings are being told; they may have been silent for a while."""
        return self._stretch is not None

    @property
    def is_out_of_grace(self) -> bool:
        """Whether the store, or a part, is away, and nothing was told or answered within `grace`.

        Then no session at all may go on; not before what was heard last has lost its trust.
        """
        silent_s = self._monotonic() - self._contact_at
        return (self._is_away or bool(self._away_parts)) and silent_s > max(self._grace_s, TRUST_S)

    def heard(self, age_s: float) -> bool:
        """Every ending up to `age_s` ago is known. True: a stretch begins, some may be missed."""
        self._answers()
        is_new = self._stretch is None
        heard_at = self._monotonic() - age_s
        stretch = self._stretch = self._stretch or Stretch(heard_at)
        stretch.heard_at = heard_at
        self._contact_at = max(self._contact_at, heard_at)
        left_s = TRUST_S - age_s
        stretch.trusted_until = self._clock() + left_s
        self._set_deadline(stretch, left_s)
        return is_new

    def lost(self) -> None:
        """Endings are not told any more; what was heard is believed until its time is over."""
        self._stretch = None

    def close(self) -> None:
        """Believe nothing any more."""
        for stretch, deadline in self._deadlines.items():
            deadline.cancel()
            stretch.distrust()
        self._deadlines.clear()
        self.lost()

    def reached(self, key: str | None = None) -> None:
        """The store has just answered: a call for a key, or, without one, every part of it."""
        self._contact_at = self._monotonic()
        if key is None or self._is_away:
            self._answers()
        else:
            self._away_parts.discard(part_of(key))

    def failed(self, key: str | None = None) -> None:
        """A call for a key has just failed; without one, the whole store is away."""
        if key is None:
            self._is_away = True
        else:
            self._away_parts.add(part_of(key))

    def failed_in(self, parts: Iterable[str]) -> None:
        """These parts of the store are away now, and no others."""
        self._answers()
        self._away_parts.update(parts)

    def stretch_of_a_lookup(self) -> Stretch:
        """Return where a look-up that is asked now will belong; take it before asking."""
        return self._stretch or Stretch(self._monotonic())

    def goes_on(self, stretch: Stretch, key: str) -> bool:
        """Whether a key's part is away, and what belongs to the stretch may go on without it."""
        is_away = self._is_away or part_of(key) in self._away_parts
        return is_away and self.is_in_grace(stretch)

    def is_in_grace(self, stretch: Stretch) -> bool:
        """Whether what belongs there was known to be good within `grace`."""
        return self._monotonic() <= stretch.heard_at + self._grace_s

    def _answers(self) -> None:
        self._is_away = False
        self._away_parts.clear()

    def _set_deadline(self, stretch: Stretch, left_s: float) -> None:
        """Take the trust away in time, though the wall clock be set back while nothing is heard.

        Each stretch has its own: one that is over keeps its deadline when the next begins.
        """
        earlier = self._deadlines.get(stretch)
        if earlier is not None:
            earlier.cancel()
        later = asyncio.get_running_loop().call_later
        self._deadlines[stretch] = later(max(left_s, 0), self._distrust, stretch)

    def _distrust(self, stretch: Stretch) -> None:
        del self._deadlines[stretch]
        stretch.distrust()
