"""What the fuzzers say of themselves: read out of libFuzzer's words, and told in the report."""

from pathlib import Path

import pytest

from tests.attack.fuzz.faults import FAULTS
from tests.attack.fuzz.hunting import FuzzerFailedError, Ran, read_run
from tests.attack.fuzz.page import Results, best_of, section
from tests.attack.fuzz.planted import FoundFault
from tests.attack.fuzz.wiring import Hunt

DONE = """\
#100\tNEW    cov: 12 ft: 30 corp: 5/40b lim: 29 exec/s: 0 rss: 42Mb L: 20/29 MS: 2 CopyPart-
#2048\tDONE   cov: 13 ft: 31 corp: 6/41b lim: 160 exec/s: 10952 rss: 43Mb
stat::number_of_executed_units: 2048
"""
FOUND = """\
 === Uncaught Python exception: ===
BrokenError: a key stands twice
#90\tNEW    cov: 12 ft: 30 corp: 5/40b lim: 29 exec/s: 0 rss: 42Mb L: 20/29 MS: 2 CopyPart-
SUMMARY: libFuzzer: fuzz target exited
artifact_prefix='x'; Test unit written to {}
stat::number_of_executed_units: 91
"""


def test_a_run_to_its_end() -> None:
    """The last figures count."""
    assert read_run("heads", 1.5, DONE, 0) == Ran("heads", 2048, 1.5, 13, 31, 6, None, None)


def test_a_run_that_found_something(tmp_path: Path) -> None:
    """What broke is told in the oracle's words, with the input."""
    (tmp_path / "crash").write_bytes(b"input")
    ran = read_run("heads", 1.5, FOUND.format(tmp_path / "crash"), 77)
    assert (ran.finding, ran.found) == ("BrokenError: a key stands twice", b"input")


def test_a_run_that_hung(tmp_path: Path) -> None:
    """Where no oracle spoke, libFuzzer's own words are told."""
    (tmp_path / "timeout").write_bytes(b"slow")
    said = FOUND.format(tmp_path / "timeout").partition("#90")[2].replace("target exited", "slow")
    assert read_run("heads", 1.5, said, 70).finding == "fuzz slow"


def test_a_fuzzer_that_does_not_start() -> None:
    """It is no run without findings."""
    with pytest.raises(FuzzerFailedError):
        read_run("heads", 0.1, "ModuleNotFoundError: atheris", 1)


def test_two_fuzzers_of_one_module() -> None:
    """The better figures count."""
    found = best_of([{"a": (1, 4), "b": (2, 2)}, {"a": (3, 4)}, {"a": (2, 4)}])
    assert found == {"a": (3, 4), "b": (2, 2)}


def test_the_section() -> None:
    """Findings and faults that were not found are failures; figures stand in tables."""
    good = Results(
        runs=[Ran("heads", 2048, 1.5, 13, 31, 6, None, None)],
        wire=Hunt(examples=10, requests=20, arrived=5, seconds=2.0),
        branches={"gateway.target": (9, 10)},
        faults=[FoundFault("dots", 7, 1.0, "BrokenError: a dot segment")],
    )
    told = section(good)
    assert told.failures == ()
    assert "| 2,048 |" in told.text
    assert "| `gateway.target` | 9 of 10 | 90 % |" in told.text
    assert FAULTS["dots"].title in told.text
    bad = Results(
        runs=[Ran("heads", 1, 1.0, 1, 1, 1, "BrokenError: no", b"x")],
        wire=Hunt(finding="a request arrived that was not sent"),
        branches={},
        faults=[FoundFault("dots", 7, 300.0, None)],
    )
    assert len(section(bad).failures) == 3
