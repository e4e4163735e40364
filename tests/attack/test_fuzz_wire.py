"""The fuzzer of the wire, scaled down: what services see of drawn requests was really sent."""

from tests.attack.fuzz.wire import wired
from tests.attack.fuzz.wiring import hold
from tests.attack.stages import Stages

EXAMPLES = 300


def test_what_arrives_was_sent(stages: Stages) -> None:
    """Nothing else arrives, nothing twice, nobody else's identity; doubts end connections."""
    with wired(stages.get("usual")) as wire:
        hunt = hold(wire, EXAMPLES)
    assert hunt.arrived > EXAMPLES // 4, "the examples are refused before they try anything"
