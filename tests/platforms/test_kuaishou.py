"""Kuaishou's own ways, beyond the contract suite (platforms.md 4.1)."""

import pytest

from gateway.errors import GatewayError
from gateway.platforms.api import Reply
from gateway.platforms.base import LoginCodes, PlatformApp
from gateway.platforms.kuaishou import call_game, call_program, read

APP = PlatformApp("a", "kuaishou", "ks1", "s")


def test_the_calls_of_the_page() -> None:
    """A form for mini-programs, a query for mini-games."""
    program, game = call_program(APP, LoginCodes("c"), "s"), call_game(APP, LoginCodes("c"), "s")
    sent = {"app_id": "ks1", "app_secret": "s", "js_code": "c"}
    assert (program.method, program.origin + program.path, program.form) == (
        "POST",
        "https://open.kuaishou.com/oauth2/mp/code2session",
        sent,
    )
    assert (game.method, game.origin + game.path, game.query) == (
        "GET",
        "https://open.kuaishou.com/game/minigame/jscode2session",
        {**sent, "grant_type": "authorization_code"},
    )


@pytest.mark.parametrize("result", [1, "1", 1.0])
def test_success_is_one(result: object) -> None:
    """Also as a text."""
    assert read(Reply(200, {"result": result, "open_id": "o-1"})).openid == "o-1"


@pytest.mark.parametrize("result", [0, "0", None, True, 11])
def test_nothing_else_is_success(result: object) -> None:
    """Least of all 0, which is success elsewhere."""
    with pytest.raises(GatewayError) as caught:
        read(Reply(200, {"result": result, "open_id": "o-1"}))
    assert caught.value.code == "platform_error"
