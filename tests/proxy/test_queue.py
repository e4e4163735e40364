"""Who waits for a place: in order, behind whom one was taken for; one look for all of them."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from gateway.proxy.holdups import PATIENCE_S, Holdup, Holdups, Look, Wait
from gateway.proxy.queue import AT_ONCE, PRESS_S, Queue

ATTACKER, VISITOR, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Counted(Holdups):
    """Hold-ups that count how often they are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def look(self, places: Counter[str]) -> Look:
        self.looks += 1
        return super().look(places)


class Scene:
    """A queue, whom it gave up, and who got a place."""

    def __init__(self) -> None:
        self.holdups = Counted()
        self.clients: list[str] = []
        self.queue = Queue(self.holdups, lambda: self.clients, self._left)
        self.given_up = 0
        self.left = 0
        self.served: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def _left(self) -> None:
        self.left += 1

    def hold(self, count: int, give_up: Callable[[], object] = lambda: None) -> None:
        """Let the attacker hold so many places more, and have for long."""

        def let_go() -> None:
            self.given_up += 1
            self.clients.remove(ATTACKER)
            give_up()

        for _ in range(count):
            self.clients.append(ATTACKER)
            Wait(Holdup(self.holdups, ATTACKER, let_go)).begin(PATIENCE_S)

    async def join(self, *askers: str) -> list[asyncio.Task[None]]:
        """Have these wait from now on."""
        joined = [asyncio.create_task(self._wait(asker)) for asker in askers]
        self._tasks += joined
        await asyncio.sleep(0)
        return joined

    async def _wait(self, asker: str) -> None:
        await self.queue.wait(asker)
        self.served.append(asker)

    async def look_again(self) -> None:
        """Wait for the next look."""
        before = self.holdups.looks
        async with asyncio.timeout(5):
            while self.holdups.looks == before:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)

    async def pass_on(self, count: int) -> list[str]:
        """Give so many places; tell who got them."""
        self.served.clear()
        for _ in range(count):
            assert self.queue.pass_on()
        await asyncio.sleep(0)
        return self.served

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def timers() -> int:
    """How many calls of queues wait in this loop; only asyncio's own tells."""
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return sum("Queue._look" in repr(each) for each in scheduled if not each.cancelled())


async def test_the_first_look_is_at_once_and_for_all_together() -> None:
    """However many join, the next is a tick later."""
    scene = Scene()
    scene.hold(3)
    await scene.join(VISITOR, *[ATTACKER] * 200, VISITOR)
    assert (scene.holdups.looks, scene.given_up) == (1, 1)
    await scene.look_again()
    assert (scene.holdups.looks, scene.given_up) == (2, 2)
    assert await scene.pass_on(3) == [VISITOR, VISITOR, ATTACKER]
    await scene.end()


async def test_networks_take_turns() -> None:
    """Who sends many requests keeps nobody out; each one's own go in order."""
    scene = Scene()
    await scene.join(*[ATTACKER] * 4, VISITOR, ATTACKER, OTHER, VISITOR)
    assert await scene.pass_on(8) == [
        *(ATTACKER, VISITOR, OTHER),
        *(ATTACKER, VISITOR),
        *[ATTACKER] * 3,
    ]
    await scene.end()


async def test_nobody_takes_from_who_has_less() -> None:
    """All his places count, not only those that he holds up."""
    scene = Scene()
    scene.hold(3)
    scene.clients += [VISITOR, "::ffff:" + VISITOR]
    await scene.join(VISITOR)
    assert scene.given_up == 0
    await scene.join(OTHER)
    await scene.look_again()
    assert scene.given_up == 1
    assert await scene.pass_on(1) == [OTHER]
    await scene.end()


async def test_each_gets_one_promise() -> None:
    """What was given up for one takes a while to go; no second one is given up for him."""
    scene = Scene()
    scene.hold(10)
    await scene.join(VISITOR, ATTACKER)
    await scene.look_again()
    await scene.look_again()
    assert scene.given_up == 1
    await scene.end()


async def test_a_look_gives_up_a_bounded_number_in_turns() -> None:
    """One for each network in turn: who sends many waiters is not before who sends one."""
    scene = Scene()
    await scene.join(ATTACKER)
    scene.hold(3 * AT_ONCE)
    await scene.join(*[VISITOR] * 2 * AT_ONCE, OTHER)
    await scene.look_again()
    assert scene.given_up == AT_ONCE
    served = await scene.pass_on(AT_ONCE)
    assert OTHER in served[:2]
    assert ATTACKER not in served
    await scene.end()


async def test_who_joins_again_and_again_has_no_more_looks() -> None:
    """Else a single client could have all counted as often as he asks."""
    scene = Scene()
    for _ in range(50):
        for task in await scene.join(ATTACKER):
            task.cancel()
        await asyncio.sleep(0)
        assert not scene.queue.waiters
    assert scene.holdups.looks <= 2
    await scene.end()


@pytest.mark.parametrize("how", ["served", "cancelled", "closed", "promised"])
async def test_nothing_is_left_running(how: str) -> None:
    """When the last one is gone, or there is nobody left to look for."""
    scene = Scene()
    waiting = await scene.join(VISITOR, VISITOR)
    if how == "served":
        await scene.pass_on(2)
    elif how == "cancelled":
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    elif how == "closed":
        scene.queue.close()
    else:
        scene.hold(4)
        await scene.look_again()
    looks = scene.holdups.looks
    assert timers() == 0
    await asyncio.sleep(PRESS_S * 1.5)
    assert scene.holdups.looks == looks
    await scene.end()
    assert not scene.queue.waiters
    assert not scene.queue.pass_on()


async def test_a_place_that_is_free_at_once_is_taken() -> None:
    """Giving up may give the place back before anybody has begun to wait for it."""
    scene = Scene()
    scene.hold(2, scene.queue.pass_on)
    await scene.join(VISITOR)
    await asyncio.sleep(0)
    assert scene.served == [VISITOR]
    await scene.end()


async def test_who_goes_away_with_a_place_leaves_it() -> None:
    """In that very moment; who goes without one leaves nothing."""
    scene = Scene()
    first, second = await scene.join(VISITOR, VISITOR)
    assert scene.queue.pass_on()
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert (scene.left, len(scene.queue.waiters)) == (1, 0)
    await scene.end()
