"""Codes: once, in time, for one app, of one kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.simulator.codes import MOCK_CODE, Codes, Minted, Refusal

if TYPE_CHECKING:
    from gateway.simulator.codes import CodeKind
    from tests.simulator.conftest import HandClock

MINTED = Minted("wechat", "wx1", "ann", "login", expires_at=1_700_000_300.0)


@pytest.mark.parametrize(
    ("minted", "platform", "app_id", "kind", "refusal"),
    [
        pytest.param(MINTED, "baidu", "wx1", "login", Refusal.UNKNOWN, id="another platform"),
        pytest.param(MINTED, "wechat", "wx2", "login", Refusal.OTHER_APP, id="another app"),
        pytest.param(MINTED, "wechat", "wx1", "phone", Refusal.OTHER_KIND, id="another kind"),
        pytest.param(
            replace(MINTED, expires_at=1_700_000_000.0),
            "wechat",
            "wx1",
            "login",
            Refusal.EXPIRED,
            id="its time is over",
        ),
        pytest.param(
            replace(MINTED, is_used=True), "wechat", "wx1", "login", Refusal.USED, id="used"
        ),
    ],
)
def test_refusals(
    clock: HandClock,
    minted: Minted,
    platform: str,
    app_id: str,
    kind: CodeKind,
    refusal: Refusal,
) -> None:
    """Each reason is told apart."""
    codes = Codes(clock, 10)
    codes.add("c", minted)
    assert codes.redeem("c", platform, app_id, kind) is refusal


def test_looking_does_not_use_a_code_up(clock: HandClock) -> None:
    """Look, redeem, and only then it is used."""
    codes = Codes(clock, 10)
    codes.add("c", MINTED)
    assert codes.look("c", "wechat", "wx1") == MINTED
    assert codes.redeem("c", "wechat", "wx1") == MINTED
    assert codes.look("c", "wechat", "wx1") is Refusal.USED


def test_the_mock_code_is_no_phone_code(clock: HandClock) -> None:
    """The devtools' literal logs in, anonymously too, and gives no phone number."""
    codes = Codes(clock, 10)
    assert MOCK_CODE in codes
    assert isinstance(codes.redeem(MOCK_CODE, "douyin", "tt1", "anonymous"), Minted)
    assert codes.redeem(MOCK_CODE, "wechat", "wx1", "phone") is Refusal.UNKNOWN
