"""The fields of a `/_sim` request."""

import pytest

from gateway.simulator.fields import BadInputError, Fields


def test_good_fields() -> None:
    """Each kind reads its own, and defaults stand in for what is absent."""
    fields = Fields({"t": "x", "n": 3, "s": 0.5, "f": True, "m": {"a": 1}, "w": "busy"})
    assert fields.text("t") == "x"
    assert fields.text("none", "d") == "d"
    assert fields.whole("n", 1, 3, default=1) == 3
    assert fields.seconds("s", 60, default=30) == 0.5
    assert fields.flag("f")
    assert not fields.flag("none")
    assert fields.mapping("m") == {"a": 1}
    assert fields.number("n", is_needed=True) == 3
    assert fields.number("w", is_needed=True) == "busy"
    assert fields.number("none", is_needed=False) is None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(True, id="a boolean is no number"),
        pytest.param(-1, id="too small"),
        pytest.param(99, id="too large"),
        pytest.param("1", id="a text"),
        pytest.param(None, id="null"),
    ],
)
def test_bad_numbers(value: object) -> None:
    """Whole numbers and seconds are refused alike, by name."""
    fields = Fields({"n": value})
    with pytest.raises(BadInputError, match=r"^n: "):
        fields.whole("n", 0, 60, default=0)
    with pytest.raises(BadInputError, match=r"^n: "):
        fields.seconds("n", 60, default=0)


@pytest.mark.parametrize("value", [True, 1.5, [], "x" * 257])
def test_bad_platform_numbers(value: object) -> None:
    """A platform's number is a whole number or a short word."""
    with pytest.raises(BadInputError, match=r"^n: "):
        Fields({"n": value}).number("n", is_needed=False)
