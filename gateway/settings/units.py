"""Durations, sizes and rates: numbers that are written with their unit.

Pure. Durations become seconds (float), sizes bytes (int), rates a `Rate`.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from gateway.settings.findings import RefusedError
from gateway.settings.scalars import Parsed, plain

_DURATION = re.compile(r"([0-9]{1,10})(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB)")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_RATE = re.compile(r"([0-9]{1,9})/([0-9]{1,10}(?:ms|s|m|h|d))")

MAX_DURATION_S = 3650 * 86400.0  # ten years: longer is a slip of the unit
MAX_SIZE_BYTES = 1024 * 1024**3  # a tebibyte: the same

_DURATION_ALLOWED = "a duration with its unit: 500ms, 10s, 5m, 12h or 30d"
_SIZE_ALLOWED = "a size of at least one byte: 512B, 16KiB, 100MiB, 1GiB, or a number of bytes"
_RATE_ALLOWED = "a number of requests per duration, such as 600/1m"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in any `per_s` seconds."""

    requests: int
    per_s: float


def parse_duration_or_zero(value: object) -> float:
    """Read `500ms 10s 5m 12h 30d` as seconds. Raises: RefusedError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise RefusedError(_DURATION_ALLOWED)
    number, unit = match.groups()
    # Milliseconds are divided, not multiplied: 1500ms is 1.5 exactly.
    seconds = int(number) / 1000 if unit == "ms" else int(number) * _SECONDS[unit]
    if seconds > MAX_DURATION_S:
        raise RefusedError("a duration of at most 3650d")
    return seconds


def parse_duration(value: object) -> float:
    """Read a duration that is longer than nothing. Raises: RefusedError."""
    seconds = parse_duration_or_zero(value)
    if seconds == 0:
        raise RefusedError("a duration longer than 0s")
    return seconds


def parse_size(value: object) -> int:
    """Read `16KiB 100MiB` or a plain number of bytes. Raises: RefusedError."""
    value = plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        size = int(match[1]) * _BYTES[match[2]]
    else:
        raise RefusedError(_SIZE_ALLOWED)
    if not 1 <= size <= MAX_SIZE_BYTES:
        raise RefusedError(_SIZE_ALLOWED + ", at most 1024GiB")
    return size


def parse_rate(value: object) -> Rate:
    """Read `600/1m`. Raises: RefusedError."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise RefusedError(_RATE_ALLOWED)
    return Rate(int(match[1]), parse_duration(match[2]))


_DURATION_SCHEMA = {"type": "string", "pattern": f"^(?:{_DURATION.pattern})$"}

Duration = Annotated[float, Parsed(parse_duration, _DURATION_SCHEMA)]
DurationOrZero = Annotated[float, Parsed(parse_duration_or_zero, _DURATION_SCHEMA)]
Size = Annotated[
    int,
    Parsed(
        parse_size,
        {
            "anyOf": [
                {"type": "string", "pattern": f"^(?:{_SIZE.pattern})$"},
                {"type": "integer", "minimum": 1},
            ]
        },
    ),
]
RateText = Annotated[
    Rate, Parsed(parse_rate, {"type": "string", "pattern": f"^(?:{_RATE.pattern})$"})
]
