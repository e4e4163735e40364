"""Durations, sizes and rates."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.findings import RefusedError
from gateway.settings.scalars import Expanded
from gateway.settings.units import (
    MAX_DURATION_S,
    Rate,
    parse_duration,
    parse_duration_or_zero,
    parse_rate,
    parse_size,
)

_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@given(st.integers(1, 3650), st.sampled_from(sorted(_UNITS_S)))
def test_every_duration_comes_back_in_its_unit(number: int, unit: str) -> None:
    """Seconds divided by the unit give the number that was written."""
    seconds = parse_duration(f"{number}{unit}")
    assert round(seconds / _UNITS_S[unit]) == number
    assert 0 < seconds <= MAX_DURATION_S


@given(st.integers(1, 1024), st.sampled_from(sorted(_UNITS_BYTES)))
def test_every_size_comes_back_in_its_unit(number: int, unit: str) -> None:
    """Bytes divided by the unit give the number that was written."""
    assert parse_size(f"{number}{unit}") == number * _UNITS_BYTES[unit]


@given(st.text() | st.integers() | st.none() | st.booleans() | st.floats())
def test_anything_else_is_refused_in_words(value: object) -> None:
    """No value makes a parser fail in another way."""
    for parse in (parse_duration, parse_duration_or_zero, parse_size, parse_rate):
        with contextlib.suppress(RefusedError):
            parse(value)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("10", "no unit"),
        (10, "a number has no unit"),
        ("10 s", "a space"),
        ("-5s", "negative"),
        ("1.5s", "a fraction: 1500ms"),
        ("1h30m", "two units: 90m"),
        ("10sec", "an unknown unit"),
        ("٣s", "a digit that is not ASCII"),
        ("0s", "no time at all"),
        ("3651d", "over ten years"),
    ],
)
def test_a_wrong_duration_is_refused(written: object, why: str) -> None:
    """A duration has one whole number and one unit."""
    with pytest.raises(RefusedError) as caught:
        parse_duration(written)
    assert "duration" in caught.value.allowed, why


def test_milliseconds_are_exact() -> None:
    """1500ms is one and a half seconds; 0s is taken where it means off."""
    assert parse_duration("1500ms") == 1.5
    assert parse_duration_or_zero("0s") == 0


@pytest.mark.parametrize("written", ["10MB", "10K", "1.5MiB", "0", 0, -1, True, "1025GiB", "", []])
def test_a_wrong_size_is_refused(written: object) -> None:
    """A size is a number of bytes, or has a binary unit."""
    with pytest.raises(RefusedError):
        parse_size(written)


def test_a_size_may_be_a_number_of_bytes() -> None:
    """Also when it comes from the environment."""
    assert parse_size(4096) == 4096
    assert parse_size(Expanded("4096")) == 4096


def test_a_rate_counts_requests_per_duration() -> None:
    """600/1m is 600 in 60 seconds."""
    assert parse_rate("600/1m") == Rate(600, 60.0)
    for wrong in ("600", "0/1m", "600/m", "600/0s", 600):
        with pytest.raises(RefusedError):
            parse_rate(wrong)
