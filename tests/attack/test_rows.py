"""Every row of the attack suite, as `make attack` runs it."""

import re

import pytest

from tests.attack.catalogue import COUNTS, FAMILIES, entries
from tests.attack.judge import run, variants
from tests.attack.model import Case, Check, Proven
from tests.attack.rows_run import TOP
from tests.attack.stages import PARTS, SETTINGS, Stages

ALL = tuple(entries())
VARIANTS = [each for case in ALL if isinstance(case, Case) for each in variants(case)]
ROW_S = 300
_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
CHECKS = [each for each in ALL if isinstance(each, Check)]


@pytest.mark.timeout(ROW_S)
@pytest.mark.parametrize("row", dict.fromkeys(each.case.row for each in VARIANTS))
def test_bytes(row: str, stages: Stages) -> None:
    """What comes of a row's bytes, in each variant, is what the row allows.

    One test a row, not one a variant: of many thousand tests pytest itself would take as long.
    """
    amiss = {
        variant.name: found
        for variant in VARIANTS
        if variant.case.row == row
        if (found := run(variant, stages.get(variant.case.stage)))
    }
    assert amiss == {}


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: f"{each.row} {each.title}")
def test_check(check: Check, stages: Stages) -> None:
    """The row holds."""
    assert check.run(stages.get(check.stage)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_of_the_page_is_here(family: str) -> None:
    """None was forgotten, none made up."""
    found = {each.row for each in FAMILIES[family].entries()}
    assert found == {f"{family}{number}" for number in range(1, COUNTS[family] + 1)}


def test_what_proves_a_row_is_there() -> None:
    """Each file that is named holds tests, and each test that is named stands in it."""
    named = {test for each in ALL if isinstance(each, Proven) for test in each.tests}
    assert [each for each in sorted(named) if not _is_there(each)] == []


def _is_there(test: str) -> bool:
    name, _, function = test.partition("::")
    path = TOP / name
    found = _TEST.findall(path.read_text()) if path.is_file() else []
    return function in found if function else bool(found)


def test_no_two_have_the_same_name() -> None:
    """A failure's name says which."""
    names = [each.name for each in VARIANTS] + [f"{each.row} {each.title}" for each in CHECKS]
    assert len(names) == len(set(names))


def test_no_two_stages_have_the_same_name() -> None:
    """One would take the other's place in silence."""
    assert sum(map(len, PARTS)) == len(SETTINGS)
