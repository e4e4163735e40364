"""Who waits for a place at a target, and whose place is taken for them.

The networks of those who wait get the next places in turn: else one client with many requests
would let nobody else in. Who may have the place of somebody who holds it up goes before all
others: it is given up for them. It looks for such places once for all who wait, not once for each:
those who keep others out may themselves be thousands who wait.
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable

from gateway.networks import network_of
from gateway.proxy.holdups import Holdup, Holdups

PRESS_S = 0.1
"""How often it is looked whether somebody may be given up for those who wait."""
AT_ONCE = 16
"""How many are given up by one look at most."""

Waiter = asyncio.Future[None]


class Queue:
    """Those who wait for a place. While some do, and only then, one timer runs.

    `clients` tells the address of whoever has a place, for each place. `leave_place` is told of a
    place whose new owner has gone away in that very moment.
    """

    def __init__(
        self,
        holdups: Holdups,
        clients: Callable[[], Iterable[str]],
        leave_place: Callable[[], None],
    ) -> None:
        self._holdups = holdups
        self._clients = clients
        self._leave_place = leave_place
        # In order, and a waiter that goes away is found at once: there may be thousands.
        self.waiters: OrderedDict[Waiter, str] = OrderedDict()
        self._promised: OrderedDict[Waiter, None] = OrderedDict()
        self._askers: OrderedDict[str, OrderedDict[Waiter, None]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._looked_s = -math.inf
        self._is_closed = False

    async def wait(self, asker: str) -> None:
        """Wait for a place; `asker` is the client's address."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        network = network_of(asker)
        self.waiters[waiter] = network
        self._askers.setdefault(network, OrderedDict())[waiter] = None
        self._press()
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._leave_place()
            else:
                self._remove(waiter)
            raise

    def pass_on(self) -> bool:
        """Give a place to whoever's turn it is; False: nobody waits."""
        while self.waiters:
            waiter = self._next()
            self._remove(waiter)
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False

    def _next(self) -> Waiter:
        """Choose who has a promise, else the first of the network whose turn it is."""
        if self._promised:
            return next(iter(self._promised))
        network, theirs = next(iter(self._askers.items()))
        self._askers.move_to_end(network)
        return next(iter(theirs))

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        self._stop()

    def _remove(self, waiter: Waiter) -> None:
        network = self.waiters.pop(waiter, None)
        self._promised.pop(waiter, None)
        if network is not None:
            self._ask_no_more(waiter, network)

    def _ask_no_more(self, waiter: Waiter, network: str) -> None:
        theirs = self._askers.get(network, OrderedDict())
        theirs.pop(waiter, None)
        if not theirs:
            self._askers.pop(network, None)
        if not self._askers:
            self._stop()

    # -- looking --------------------------------------------------------------------------------

    def _press(self) -> None:
        """Look now, or as soon as the last look is long enough ago."""
        if self._timer is not None or self._is_closed:
            return
        loop = asyncio.get_running_loop()
        left_s = self._looked_s + PRESS_S - loop.time()
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look)
        else:
            self._look()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._looked_s = asyncio.get_running_loop().time()
        for holdup in self._choose():
            holdup.give_up()
        if self._askers:
            self._press()

    def _choose(self) -> list[Holdup]:
        """Choose who is given up, and promise their places: one for each network in turn."""
        look, found = self._holdups.look(self._places()), list[Holdup]()
        networks = deque(self._askers)
        while networks and len(found) < AT_ONCE:
            network = networks.popleft()
            holdup = look.take(network)
            if holdup is None:
                continue
            found.append(holdup)
            self._promise(network)
            if network in self._askers:
                networks.append(network)
        return found

    def _places(self) -> Counter[str]:
        """Count who has places, by network; each address is read once."""
        places = Counter[str]()
        for address, count in Counter(self._clients()).items():
            places[network_of(address)] += count
        return places

    def _promise(self, network: str) -> None:
        """Let the first of a network go before all who have no promise; one is enough for each."""
        waiter = next(iter(self._askers[network]))
        self._promised[waiter] = None
        self._ask_no_more(waiter, network)
