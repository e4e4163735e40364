"""Real clients are not hurt: what they send arrives byte for byte."""

import pytest

from tests.attack.judge import Variant, run, variants
from tests.attack.legitimate import CASES
from tests.attack.stages import Stages

VARIANTS = [each for case in CASES for each in variants(case)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.name)
def test_it_arrives_unchanged(variant: Variant, stages: Stages) -> None:
    """Its target, its fields and its body, with the session's identity beside them."""
    assert run(variant, stages.get(variant.case.stage)) == []


def test_there_are_many() -> None:
    """And no two of the same name: a failure's name says which."""
    assert len(CASES) > 300
    names = [each.name for each in VARIANTS]
    assert len(names) == len(set(names))
