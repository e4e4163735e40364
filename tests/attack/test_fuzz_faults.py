"""The fuzzers' oracles tell a planted fault of their kind; without it they are content."""

from pathlib import Path

import pytest

from tests.attack.fuzz.faults import FAULTS, WIRE, forget
from tests.attack.fuzz.fuzzer import BrokenError
from tests.attack.fuzz.fuzzers import FUZZERS
from tests.attack.fuzz.generators import Script
from tests.attack.fuzz.planted import planting_in
from tests.attack.fuzz.wire import wired
from tests.attack.fuzz.wiring import Hunt, WireBrokenError, try_script
from tests.attack.stage import on_stage

CASES = [
    pytest.param(fuzzer, data, id=f"{fuzzer}-{name}")
    for fuzzer in FUZZERS
    for name, data in [
        *((str(number), data) for number, data in enumerate(FUZZERS[fuzzer].seeds)),
        *FUZZERS[fuzzer].cases(),
        *((name, each.witness) for name, each in FAULTS.items() if each.fuzzer == fuzzer),
    ]
]


@pytest.mark.parametrize(("fuzzer", "data"), CASES)
def test_what_was_found_once_is_mended(fuzzer: str, data: bytes) -> None:
    """Each seed, each found input and each witness passes."""
    FUZZERS[fuzzer].check(data)


@pytest.mark.parametrize("name", [name for name, each in FAULTS.items() if each.fuzzer != WIRE])
def test_a_planted_fault_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness breaks a rule while the fault is there."""
    fault = FAULTS[name]
    fault.plant(monkeypatch.setattr)
    try:
        with pytest.raises(BrokenError):
            FUZZERS[fault.fuzzer].check(fault.witness)
    finally:
        monkeypatch.undo()
        forget()


def test_a_fault_in_a_running_gateway_is_told() -> None:
    """A length that another reader would not read: what arrives was not sent so."""
    witness = FAULTS["wire"].witness.replace(b"/x", b"/@NUMB@")
    stage = on_stage("planted", {}, b"gw.test", planting_in("wire"))
    with stage as running, wired(running) as wire, pytest.raises(WireBrokenError):
        try_script(wire, Script((witness,)), Hunt())


def test_every_fuzzer_has_a_fault_to_find() -> None:
    """And every folder of cases a fuzzer."""
    assert {each.fuzzer for each in FAULTS.values()} == {*FUZZERS, WIRE}
    folders = (Path(__file__).parent / "fuzz" / "cases").iterdir()
    assert {each.name for each in folders} <= set(FUZZERS)
