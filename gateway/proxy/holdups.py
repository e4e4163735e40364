"""Who keeps a target's places by keeping us waiting: bodies that do not come, answers not taken.

It is asked only when no place is free. Then one who waits may have the place of one who holds us
up, if that one's address holds more such places than any other: else a single client could keep
all others out with a slow upload in each place (attacks.md D2, D6). Time-outs alone do not help:
they must be long enough for honest slow clients, who are left alone as long as there is room.
"""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

PATIENCE_S = 1.0
"""Who has kept us waiting for less is never given up: networks pause, too."""
FEWEST = 2
"""One such place of an address is left to it: somebody has to be the slowest."""


class Holdups:
    """The exchanges of one target that wait for their clients now."""

    __slots__ = ("_now", "_ticks")

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._now: dict[Holdup, None] = {}

    def __len__(self) -> int:
        return len(self._now)

    def begin(self, holdup: "Holdup") -> None:
        """Note that an exchange waits for its client."""
        holdup.since_s = self._ticks() - holdup.debt_s
        self._now[holdup] = None

    def end(self, holdup: "Holdup") -> None:
        """Note that it goes on."""
        self._now.pop(holdup, None)

    def take_worst(self, asker: str) -> "Holdup | None":
        """Choose who is to be given up for a request from `asker`, and forget him.

        It is the longest of the address with the most. Addresses as clients have them; "" is none.
        """
        long_s = self._ticks() - PATIENCE_S
        late = [each for each in self._now if each.address and each.since_s <= long_s]
        if len(late) < FEWEST:
            return None
        held = Counter(each.address for each in late)
        address, most = held.most_common(1)[0]
        if most < max(FEWEST, held[asker] + 1):
            return None
        theirs = (each for each in late if each.address == address)
        holdup = min(theirs, key=lambda each: each.since_s)
        self.end(holdup)
        return holdup


class Holdup:
    """One exchange's waits for its client: `with` it while it waits.

    `debt_s`: how long the client has kept us waiting before, less what it has made up for.
    """

    __slots__ = ("_holdups", "address", "debt_s", "give_up", "since_s")

    def __init__(self, holdups: Holdups, address: str, give_up: Callable[[], None]) -> None:
        self._holdups = holdups
        self.address = address
        self.give_up = give_up
        self.debt_s = 0.0
        self.since_s = 0.0

    def __enter__(self) -> None:
        self._holdups.begin(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._holdups.end(self)
