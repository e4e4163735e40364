"""App access tokens: lives, overlaps and forced renewals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.simulator.tokens import Tokens

if TYPE_CHECKING:
    from tests.simulator.conftest import HandClock


@pytest.mark.parametrize(
    ("overlap_s", "good_until_s"),
    [
        pytest.param(None, 7200, id="the old one lives out its life"),
        pytest.param(300, 300, id="the old one lives 5 minutes on"),
        pytest.param(0, 0, id="the old one dies at once"),
        pytest.param(9999, 7200, id="an overlap prolongs nothing"),
    ],
)
def test_overlap(clock: HandClock, overlap_s: int | None, good_until_s: int) -> None:
    """What a new token does to the one before."""
    tokens = Tokens(clock, 10)
    old = tokens.grant("wechat", "wx1", "a", life_s=7200, overlap_s=overlap_s)
    tokens.grant("wechat", "wx1", "a", life_s=7200, overlap_s=overlap_s)
    granted = tokens.find(old, "wechat")
    assert granted is not None
    assert granted.expires_at - clock() == good_until_s


def test_flavours_do_not_touch_each_other(clock: HandClock) -> None:
    """WeChat's stable and classic tokens are apart."""
    tokens = Tokens(clock, 10)
    stable, _ = tokens.stable("wechat", "wx1", life_s=7200)
    tokens.grant("wechat", "wx1", "classic", life_s=7200, overlap_s=0)
    assert tokens.stable("wechat", "wx1", life_s=7200)[0] == stable


def test_a_token_is_of_one_platform(clock: HandClock) -> None:
    """Another platform does not know it."""
    tokens = Tokens(clock, 10)
    token = tokens.grant("wechat", "wx1", "a", life_s=7200, overlap_s=None)
    assert tokens.find(token, "baidu") is None


def test_forced_renewals_count_by_the_day(clock: HandClock) -> None:
    """20 a day, 30 s apart; the next day there are more."""
    tokens = Tokens(clock, 10)
    forced = []
    for _ in range(21):
        forced.append(tokens.may_force("wechat", "wx1"))
        clock.forward(30)
    assert forced == [True] * 20 + [None]
    clock.forward(86_400)
    assert tokens.may_force("wechat", "wx1") is True
    assert tokens.may_force("wechat", "wx1") is False
