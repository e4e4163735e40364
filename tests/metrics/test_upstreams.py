"""What is told of upstreams and their targets."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger
from gateway.metrics.upstreams import TargetState, read_upstreams
from tests.support.metrics import samples, value


@dataclass(frozen=True, slots=True)
class Target:
    """A target as it stands."""

    target: str
    is_up: bool = True
    is_ejected: bool = False
    in_use: int = 3
    idle: int = 4
    waiting: int = 5
    attempts: int = 6
    connect_failures: int = 7
    ejections: int = 8


@dataclass(frozen=True, slots=True)
class Service:
    """An upstream of these targets."""

    name: str
    retried: int
    targets: tuple[Target, ...]

    def states(self) -> Iterable[TargetState]:
        return self.targets


def test_each_target_tells_its_state() -> None:
    """Under its upstream's name and its own address."""
    others = (Target("http://b:2", is_up=False), Target("unix:/c.sock", is_ejected=True))
    services = [Service("orders", 9, (Target("http://a:1"), *others)), Service("pay", 0, ())]
    counts, ledger = Counts(), Ledger("1")
    counts.watch(lambda: read_upstreams(services))
    ledger.update("0", counts.snapshot())
    text, _ = ledger.render("")
    first = {"upstream": "orders", "target": "http://a:1"}
    expected = {
        "gateway_upstream_target_up": 1,
        "gateway_upstream_waiting_requests": 5,
        "gateway_upstream_attempts_total": 6,
        "gateway_upstream_connect_failures_total": 7,
        "gateway_upstream_ejections_total": 8,
    }
    assert {name: value(text, name, **first) for name in expected} == expected
    for state, number in (("in_use", 3), ("idle", 4)):
        assert value(text, "gateway_upstream_connections", **first, state=state) == number
    for target in ("http://b:2", "unix:/c.sock"):
        labels = (("target", target), ("upstream", "orders"))
        assert samples(text)["gateway_upstream_target_up", labels] == 0
    assert value(text, "gateway_upstream_retries_total", upstream="orders") == 9
    assert b'gateway_upstream_retries_total{upstream="pay"} 0.0' in text
