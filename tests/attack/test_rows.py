"""Every row of the attack suite, as `make attack` runs it."""

import pytest

from tests.attack.catalogue import COUNTS, FAMILIES, entries
from tests.attack.judge import Variant, run, variants
from tests.attack.model import Case, Check
from tests.attack.stages import PARTS, SETTINGS, Stages

ALL = tuple(entries())
VARIANTS = [each for case in ALL if isinstance(case, Case) for each in variants(case)]
CHECKS = [each for each in ALL if isinstance(each, Check)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.name)
def test_bytes(variant: Variant, stages: Stages) -> None:
    """What comes of these bytes is what the row allows."""
    assert run(variant, stages.get(variant.case.stage)) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: f"{each.row} {each.title}")
def test_check(check: Check, stages: Stages) -> None:
    """The row holds."""
    assert check.run(stages.get(check.stage)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_of_the_page_is_here(family: str) -> None:
    """None was forgotten, none made up."""
    found = {each.row for each in FAMILIES[family].entries()}
    assert found == {f"{family}{number}" for number in range(1, COUNTS[family] + 1)}


def test_no_two_have_the_same_name() -> None:
    """A failure's name says which."""
    names = [each.name for each in VARIANTS] + [f"{each.row} {each.title}" for each in CHECKS]
    assert len(names) == len(set(names))


def test_no_two_stages_have_the_same_name() -> None:
    """One would take the other's place in silence."""
    assert sum(map(len, PARTS)) == len(SETTINGS)
