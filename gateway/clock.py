"""The one place that reads the wall clock; everything else has a `Clock` passed in."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the epoch."""


def now() -> float:
    """Read the wall clock, in seconds since the epoch."""
    return time.time()  # noqa: TID251 - this is the place
