"""Request ids: 32 hex digits, never one twice."""

import re

from gateway.request_ids import RequestIds


def test_ids_differ() -> None:
    """Also across the draws from the system."""
    new_id = RequestIds()
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_every_bit_is_the_systems() -> None:
    """Nothing is made up or used twice: the ids are what was drawn, in order."""
    draws = [bytes([number]) * 4096 for number in (1, 2)]
    new_id = RequestIds(lambda size: draws.pop(0)[:size])
    assert {new_id() for _ in range(256)} == {"01" * 16}
    assert new_id() == "02" * 16
