"""Who is given up where no place is free: one of the address that holds most of them up."""

import pytest

from gateway.proxy.holdups import PATIENCE_S, Holdup, Holdups


class Ticks:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Scene:
    """A target's hold-ups, and in which order they were given up."""

    def __init__(self) -> None:
        self.ticks = Ticks()
        self.holdups = Holdups(self.ticks)
        self.given_up: list[str] = []
        self.held: dict[str, Holdup] = {}

    def hold(self, name: str, after_s: float = 0.0, debt_s: float = 0.0) -> Holdup:
        """Begin a hold-up; the name's first letter is the address."""
        self.ticks.now_s += after_s
        held = Holdup(self.holdups, name[:1], lambda: self.given_up.append(name))
        held.debt_s = debt_s
        held.__enter__()
        self.held[name] = held
        return held

    def give_one_up(self, asker: str) -> bool:
        """As a pool does it."""
        if (found := self.holdups.take_worst(asker)) is not None:
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
    assert len(scene.holdups) == 2


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


def test_an_address_may_have_as_many_as_another_and_no_more(scene: Scene) -> None:
    """Two networks of many slow clients do not take each other's places in turns."""
    for name in ("a1", "a2", "a3", "b1", "b2"):
        scene.hold(name)
    scene.late()
    assert scene.give_one_up("b")
    assert not scene.give_one_up("b")


def test_who_goes_on_is_forgotten(scene: Scene) -> None:
    """A hold-up is over with its wait."""
    for name in ("a1", "a2"):
        scene.hold(name)
    scene.late()
    scene.held["a1"].__exit__(None, None, None)
    scene.held["a1"].__exit__(None, None, None)
    assert not scene.give_one_up("v")
    assert len(scene.holdups) == 1


def test_without_an_address_nobody_is_given_up(scene: Scene) -> None:
    """Behind a unix socket all may be one, or many."""
    for _ in range(3):
        Holdup(scene.holdups, "", lambda: scene.given_up.append("x")).__enter__()
    scene.late()
    assert not scene.give_one_up("v")
    assert not scene.give_one_up("")
