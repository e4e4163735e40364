"""Who keeps a target's places: bodies that do not come, answers not taken, and what never ends.

It is asked only when no place is free. Then one who waits may have the place of one who holds us
up, if that one's network holds more such places than any other: else a single client could keep
all others out with a slow upload or a WebSocket in each place (attacks.md D2, D6). Time-outs alone
do not help: they must be long enough for honest clients, who are left alone while there is room.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable

from gateway.networks import network_of

PATIENCE_S = 1.0
"""Who has kept us waiting for less is never given up: networks pause, too."""
LASTING_S = 10.0
"""Who sends a body more slowly than its service takes it is a hold-up after this, if ever so
steady: else whoever keeps just above all bounds would keep his place for hours. Of an answer that
is taken slowly this needs no word: so much waits in the system's buffers that each wait is long."""
FEWEST = 2
"""How many such places more than all of the asker's a network must hold to lose one.

So one is left to everybody, nobody loses one to whoever has more, and two networks do not take each
other's places in turns.
"""


class Holdups:
    """The exchanges of one target that wait for their clients now, or last as long as they like."""

    __slots__ = ("_now", "_ticks")

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._now: dict[Wait, None] = {}

    def __len__(self) -> int:
        return len(self._now)

    def begin(self, wait: "Wait", debt_s: float) -> None:
        """Note that an exchange waits for its client, and has waited before."""
        wait.since_s = self._ticks() - debt_s
        self._now[wait] = None

    def end(self, wait: "Wait") -> None:
        """Note that it goes on."""
        self._now.pop(wait, None)

    def look(self, places: Counter[str]) -> "Look":
        """Count, once, who holds places up; the cost is that of all waits.

        `places` says how many each network has, held up or not.
        """
        long_s = self._ticks() - PATIENCE_S
        late: dict[Holdup, None] = {}
        for wait in self._now:
            holdup = wait.holdup
            if wait.since_s > long_s or holdup.is_given_up or not holdup.address:
                continue
            if holdup not in late or wait.since_s < holdup.since_s:
                holdup.since_s = wait.since_s
            late[holdup] = None
        return Look(late, places)


class Look:
    """Who holds places up at one moment, by network."""

    __slots__ = ("_held", "_places", "_worst")

    def __init__(self, late: "Iterable[Holdup]", places: Counter[str]) -> None:
        self._places = places
        self._held: dict[str, list[Holdup]] = {}
        for holdup in late:
            self._held.setdefault(holdup.network, []).append(holdup)
        self._worst = self._find_worst()

    def take(self, asker: str) -> "Holdup | None":
        """Choose who is to be given up for a request from this network; each only once.

        It is the longest of the network with the most.
        """
        if len(self._worst) < self._places[asker] + FEWEST:
            return None
        self._places[asker] += 1
        holdup = min(self._worst, key=lambda each: each.since_s)
        holdup.is_given_up = True
        self._places[holdup.network] -= 1
        self._worst.remove(holdup)
        self._worst = self._find_worst()
        return holdup

    def _find_worst(self) -> "list[Holdup]":
        return max(self._held.values(), key=len, default=[])


class Holdup:
    """One exchange, which keeps one place however many of its `wait`s there are.

    `give_up` lets its client go. `since_s` is the longest wait's, as last looked at.
    """

    __slots__ = ("_network", "address", "give_up", "holdups", "is_given_up", "since_s")

    def __init__(self, holdups: Holdups, address: str, give_up: Callable[[], None]) -> None:
        self.holdups = holdups
        self.address = address
        self.give_up = give_up
        self.is_given_up = False
        self.since_s = 0.0
        self._network: str | None = None

    @property
    def network(self) -> str:
        """Whose it is; found out only where it is asked for: most never are."""
        if self._network is None:
            self._network = network_of(self.address)
        return self._network


class Wait:
    """One thing that an exchange waits for, again and again: noted from `begin` to `end`."""

    __slots__ = ("holdup", "since_s")

    def __init__(self, holdup: Holdup) -> None:
        self.holdup = holdup
        self.since_s = 0.0

    def begin(self, debt_s: float = 0.0) -> None:
        """Note that it waits.

        `debt_s`: how long the client has kept us waiting before, less what it has made up for.
        """
        self.holdup.holdups.begin(self, debt_s)

    def end(self) -> None:
        """Note that it goes on; it may have gone on before."""
        self.holdup.holdups.end(self)


class Slowness:
    """A client that is slower than the service, if ever so steady: a wait after `LASTING_S`."""

    __slots__ = ("_wait", "has_begun")

    def __init__(self, holdup: Holdup) -> None:
        self._wait = Wait(holdup)
        self.has_begun = False

    def begin(self) -> None:
        """Note that the client is waited for, and perhaps has been since long."""
        if not self.has_begun:
            self.has_begun = True
            self._wait.begin(PATIENCE_S - LASTING_S)

    def end(self) -> None:
        """Note that it has caught up, or that all is over."""
        if self.has_begun:
            self.has_begun = False
            self._wait.end()
