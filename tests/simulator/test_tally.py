"""Counting calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.simulator.calls import Asked
from gateway.simulator.tally import sent_codes

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("query", "form", "json", "codes"),
    [
        pytest.param({"js_code": "c"}, {}, {}, ("c",), id="WeChat: query"),
        pytest.param({}, {"js_code": "c"}, {}, ("c",), id="Kuaishou: form"),
        pytest.param({}, {}, {"code": "c", "anonymous_code": "a"}, ("c", "a"), id="Douyin: JSON"),
        pytest.param({"code": ""}, {}, {}, (), id="an empty one is none"),
    ],
)
def test_codes_are_found(
    query: Mapping[str, str],
    form: Mapping[str, str],
    json: Mapping[str, object],
    codes: tuple[str, ...],
) -> None:
    """A code is counted wherever its platform has it sent."""
    assert sent_codes(Asked("POST", query, form, json, {}, has_body=True)) == codes
