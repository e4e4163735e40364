"""The settings of one service."""

import pytest
from pydantic import ValidationError

from gateway.settings.upstreams import UpstreamSettings


def test_an_upstream_has_the_contract_s_defaults() -> None:
    """Only its targets must be given."""
    made = UpstreamSettings.model_validate({"targets": ["http://a"]})
    times = made.timeouts
    assert (times.connect, times.first_byte, times.idle) == (2.0, 30.0, 60.0)
    assert (times.stream_idle, times.keepalive) == (600.0, 4.0)
    assert (made.connections, made.retries, made.host_header) == (512, 1, "client")
    assert (made.balance, made.health_check, made.tls) == ("round_robin", None, None)


@pytest.mark.parametrize(
    "part",
    [
        {"targets": []},
        {"targets": "http://a"},
        {"targets": ["http://a/b"]},
        {"retries": 6},
        {"retries": -1},
        {"connections": 0},
        {"host_header": "both"},
        {"timeouts": {"connect": "0s"}},
        {"tls": {"ca": ""}},
    ],
)
def test_a_wrong_upstream_is_refused(part: dict[str, object]) -> None:
    """Each value has its own bounds."""
    with pytest.raises(ValidationError):
        UpstreamSettings.model_validate({"targets": ["http://a"], **part})
