"""How one scalar becomes a value."""

from pathlib import Path

import pytest

from gateway.settings.findings import RefusedError
from gateway.settings.scalars import Expanded, matching, plain, resolve, take_path, text, whole


@pytest.mark.parametrize(
    ("written", "value", "why"),
    [
        ("", None, "an empty value"),
        ("~", None, "the short null"),
        ("null", None, "null"),
        ("true", True, "a truth value"),
        ("off", "off", "text in YAML 1.2, though 1.1 read false"),
        ("yes", "yes", "the same"),
        ("12", 12, "an integer"),
        ("-3", -3, "a negative integer"),
        ("1.5", 1.5, "a float"),
        ("007", "007", "an id keeps its zeros"),
        ("1:30", "1:30", "no sexagesimal numbers"),
        ("2024-01-01", "2024-01-01", "no dates"),
        ("1_000", "1_000", "no underscores"),
        ("9" * 5000, "9" * 5000, "no number is that long"),
    ],
)
def test_a_plain_scalar_follows_the_core_schema(written: str, value: object, why: str) -> None:
    """Numbers, truth values and null, and nothing else, are more than text."""
    assert resolve(written) == value, why


def test_text_from_the_environment_is_a_number_only_where_one_is_asked() -> None:
    """An app id of digits stays text, a port becomes a number."""
    assert plain(Expanded("12")) == 12
    assert text(Expanded("0012")) == "0012"
    assert whole(1, 20).parse(Expanded("12")) == 12
    assert plain("12") == "12"


@pytest.mark.parametrize("value", [True, "5", 1.5, None, 0, 11])
def test_a_whole_number_is_within_its_bounds(value: object) -> None:
    """Truth values, text, fractions and numbers outside are refused with the bounds told."""
    with pytest.raises(RefusedError, match="from 1 to 10"):
        whole(1, 10).parse(value)


def test_a_number_is_not_text() -> None:
    """YAML has already lost how a number was written, so it must be quoted."""
    with pytest.raises(RefusedError, match="quotes"):
        text(5)


def test_a_pattern_must_match_whole() -> None:
    """A line feed at the end is not overlooked."""
    with pytest.raises(RefusedError, match="letters"):
        matching("[a-z]+", "letters").parse("abc\n")


def test_a_relative_path_counts_from_the_settings() -> None:
    """An absolute one stays."""
    assert take_path("a/b", Path("/etc/gateway")) == Path("/etc/gateway/a/b")
    assert take_path("/a", Path("/etc/gateway")) == Path("/a")
    for wrong in ("", "a\0b", 5):
        with pytest.raises(RefusedError):
            take_path(wrong, Path("/"))
