"""Apps and logins, the same for all platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.simulator.codes import MOCK_CODE, Refusal
from gateway.simulator.world import Apps, SimulatedApp, World

if TYPE_CHECKING:
    from tests.simulator.conftest import HandClock

GAME = SimulatedApp("kuaishou", "ksgame", "s", "mini-game")


def test_apps() -> None:
    """An app is known by platform, id and kind, and has one secret."""
    apps = Apps((GAME,))
    assert apps.has("kuaishou", "ksgame")
    assert apps.has("kuaishou", "ksgame", "mini-game")
    assert not apps.has("kuaishou", "ksgame", "mini-program")
    assert not apps.has("wechat", "ksgame")
    assert apps.is_secret("kuaishou", "ksgame", "s")
    assert not apps.is_secret("kuaishou", "ksgame", "t")
    assert not apps.is_secret("kuaishou", "other", "s")


def test_any_app() -> None:
    """Without a list, all apps exist; with an empty one, none."""
    anything = Apps(None)
    assert anything.has("wechat", "x", "mini-game")
    assert anything.is_secret("wechat", "x", "y")
    assert anything.find("wechat", "x") is None
    assert not Apps(()).has("wechat", "x")


def test_a_login_shows_no_key_in_its_repr(clock: HandClock) -> None:
    """A login holds a session_key and does not print it."""
    login = World(None, clock, 10).login("wechat", "x", MOCK_CODE)
    assert not isinstance(login, Refusal)
    assert login.session_key not in repr(login)
