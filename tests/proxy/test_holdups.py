"""Who is given up where no place is free: one of the network that holds most of them up."""

from collections import Counter

import pytest

from gateway.networks import network_of
from gateway.proxy.holdups import LASTING_S, PATIENCE_S, Holdup, Holdups, Slowness, Wait


class Ticks:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


ADDRESSES = {name: f"192.0.2.{number}" for number, name in enumerate("abv", 1)}


class Scene:
    """A target's hold-ups, in which order they were given up, and who has how many places."""

    def __init__(self) -> None:
        self.ticks = Ticks()
        self.holdups = Holdups(self.ticks)
        self.given_up: list[str] = []
        self.held: dict[str, Wait] = {}
        self.places = Counter[str]()

    def hold(self, name: str, after_s: float = 0.0, debt_s: float = 0.0) -> Wait:
        """Begin a hold-up; the name's first letter is the address."""
        self.ticks.now_s += after_s
        held = Wait(self.exchange(name, ADDRESSES[name[0]]))
        held.begin(debt_s)
        self.held[name] = held
        return held

    def exchange(self, name: str, address: str) -> Holdup:
        network = network_of(address)
        self.places[network] += 1

        def give_up() -> None:
            self.given_up.append(name)
            self.places[network] -= 1

        return Holdup(self.holdups, address, give_up)

    def give_one_up(self, asker: str) -> bool:
        """As a queue does it."""
        look = self.holdups.look(Counter(self.places))
        if (found := look.take(ADDRESSES.get(asker, asker))) is not None:
            found.give_up()
        return found is not None

    def late(self) -> None:
        self.ticks.now_s += PATIENCE_S


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_longest_of_the_address_with_most_goes_first(scene: Scene) -> None:
    """Each only once; the last one of an address is left to it."""
    for name in ("b1", "a1", "b2", "a2", "a3"):
        scene.hold(name, after_s=0.1)
    scene.late()
    assert [scene.give_one_up("v") for _ in range(4)] == [True, True, True, False]
    assert scene.given_up in (["a1", "b1", "a2"], ["a1", "a2", "b1"])


def test_one_look_is_good_for_many(scene: Scene) -> None:
    """What it has chosen is counted no more, by it and by the next; whom it was for has a place."""
    for name in ("a1", "a2", "a3", "a4"):
        scene.hold(name)
    scene.late()
    look = scene.holdups.look(scene.places)
    assert [look.take("192.0.2.3") is not None for _ in range(3)] == [True, True, False]
    assert scene.places == {"192.0.2.1": 2, "192.0.2.3": 2}
    assert not scene.give_one_up("v")


def test_who_waits_only_now_is_left_alone(scene: Scene) -> None:
    """Networks pause."""
    scene.hold("a1")
    scene.hold("a2", after_s=PATIENCE_S / 2)
    scene.ticks.now_s += PATIENCE_S / 2
    assert not scene.give_one_up("v")
    scene.ticks.now_s += PATIENCE_S / 2
    assert scene.give_one_up("v")
    assert scene.given_up == ["a1"]


def test_who_dribbles_has_waited_all_along(scene: Scene) -> None:
    """What was waited before counts, less what was made up for."""
    scene.hold("a1", debt_s=PATIENCE_S)
    scene.hold("a2", debt_s=2 * PATIENCE_S)
    assert scene.give_one_up("v")
    assert scene.given_up == ["a2"]


def test_an_address_gains_nothing_by_what_it_holds_up_itself(scene: Scene) -> None:
    """Else those who keep others out would take each other's places, and be quicker than all."""
    for name in ("a1", "a2", "a3"):
        scene.hold(name)
    scene.late()
    assert not scene.give_one_up("a")
    assert scene.give_one_up("b")


def test_two_networks_do_not_take_each_others_places_in_turns(scene: Scene) -> None:
    """Who would have more afterwards than who loses one gets none."""
    for name in ("a1", "a2", "a3", "b1"):
        scene.hold(name)
    scene.late()
    assert scene.give_one_up("b")
    scene.hold("b2", debt_s=PATIENCE_S)
    assert not scene.give_one_up("b")
    assert not scene.give_one_up("a")
    scene.hold("a4", debt_s=PATIENCE_S)
    assert not scene.give_one_up("b"), "else a had one less than b"


def test_who_has_more_places_takes_none(scene: Scene) -> None:
    """Also where nobody can say that he holds them up: his requests are the service's to answer."""
    for name in ("a1", "a2", "a3"):
        scene.hold(name)
    scene.late()
    scene.places[ADDRESSES["b"]] = 2
    assert not scene.give_one_up("b")
    scene.places[ADDRESSES["b"]] = 1
    assert scene.give_one_up("b")


def test_who_is_slow_for_long_is_a_hold_up(scene: Scene) -> None:
    """However steady: else whoever keeps just above all bounds would keep his place for hours."""
    slow = [Slowness(scene.exchange(name, ADDRESSES["a"])) for name in ("a1", "a2", "a3")]
    for each in slow:
        each.begin()
    scene.ticks.now_s += LASTING_S - 1
    slow[0].begin()
    slow[2].end()
    slow[2].end()
    slow[2].begin()
    assert not scene.give_one_up("v")
    scene.ticks.now_s += 1
    assert scene.give_one_up("v")
    assert scene.given_up == ["a1"], "it began no second time"
    for each in slow:
        each.end()
    assert not len(scene.holdups)


def test_who_goes_on_is_forgotten(scene: Scene) -> None:
    """A hold-up is over with its wait."""
    for name in ("a1", "a2"):
        scene.hold(name)
    scene.late()
    scene.held["a1"].end()
    scene.held["a1"].end()
    assert not scene.give_one_up("v")
    assert len(scene.holdups) == 1


def test_one_exchange_is_one_place(scene: Scene) -> None:
    """However much of it waits: a body that does not come, and an answer not taken."""
    exchange = scene.exchange("b", ADDRESSES["b"])
    for _ in range(2):
        Wait(exchange).begin(PATIENCE_S)
    assert not scene.give_one_up("v")


def test_the_longer_of_two_waits_counts(scene: Scene) -> None:
    """Whichever began first."""
    for name, debts in (("a1", (1, 2)), ("a2", (4, 3)), ("a3", (2, 1))):
        exchange = scene.exchange(name, ADDRESSES["a"])
        for debt_s in debts:
            Wait(exchange).begin(PATIENCE_S * debt_s)
    assert scene.give_one_up("v")
    assert scene.given_up == ["a2"]


def test_a_customer_of_ipv6_is_one(scene: Scene) -> None:
    """He has 2^64 addresses."""
    for address in ("2001:db8::1", "2001:db8::2"):
        Wait(scene.exchange(address, address)).begin(PATIENCE_S)
    assert not scene.give_one_up("2001:db8::")
    assert scene.give_one_up("v")


def test_without_an_address_nobody_is_given_up(scene: Scene) -> None:
    """Behind a unix socket all may be one, or many."""
    for _ in range(3):
        Wait(scene.exchange("x", "")).begin(PATIENCE_S)
    assert not scene.give_one_up("v")
    assert not scene.give_one_up("")
