"""The arithmetic of the report: medians, ratios of the same round, percentiles. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one proxy under one load. `cpu_s`: CPU time of its processes in that round."""

    requests: int
    duration_s: float
    bytes_read: int
    cpu_s: float
    failed: int

    @property
    def per_s(self) -> float:
        return self.requests / self.duration_s

    @property
    def bytes_per_s(self) -> float:
        return self.bytes_read / self.duration_s

    @property
    def cpu_us(self) -> float:
        """CPU time of one request, in microseconds."""
        return self.cpu_s / max(self.requests, 1) * 1e6

    @property
    def busy(self) -> float:
        """How much of one core the proxy used, 0 to 1 and over with several."""
        return self.cpu_s / self.duration_s


@dataclass(frozen=True, slots=True)
class Row:
    """A proxy's medians over all rounds, and its ratios to the measure of the same round.

    `cpu_ratio` is the measure's CPU time over its own: like `ratio`, more is better.
    """

    per_s: float
    bytes_per_s: float
    cpu_us: float
    busy: float
    failed: int
    ratio: float
    spread: tuple[float, float]
    bytes_ratio: float
    cpu_ratio: float


FULL = 0.9
"""From here on a proxy filled its core; under it the load was what held it back."""

Rounds = Sequence[Mapping[str, Sample]]
"""Each round's samples, by the proxy's name."""


def summarise(rounds: Rounds, measure: str) -> dict[str, Row]:
    """Turn rounds into a row for each proxy that ran in all of them, against `measure`."""
    names = [name for name in rounds[0] if all(name in each for each in rounds)]
    return {name: _row(rounds, name, measure) for name in names}


def _row(rounds: Rounds, name: str, measure: str) -> Row:
    own = [each[name] for each in rounds]
    ratios = ratios_of(rounds, name, measure)
    pairs = [(each[name], each[measure]) for each in rounds if measure in each]
    return Row(
        per_s=median(one.per_s for one in own),
        bytes_per_s=median(one.bytes_per_s for one in own),
        cpu_us=median(one.cpu_us for one in own),
        busy=median(one.busy for one in own),
        failed=sum(one.failed for one in own),
        ratio=median(ratios),
        spread=(min(ratios), max(ratios)),
        bytes_ratio=_median(divide(one.bytes_per_s, base.bytes_per_s) for one, base in pairs),
        cpu_ratio=_median(divide(base.cpu_us, one.cpu_us) for one, base in pairs),
    )


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return median(found) if found else math.nan


def ratios_of(rounds: Rounds, name: str, measure: str) -> list[float]:
    """Return throughput ÷ the measure's of the same round; not a number without a measure."""
    found = [divide(each[name].per_s, each[measure].per_s) for each in rounds if measure in each]
    return found or [math.nan]


def divide(above: float, below: float) -> float:
    """Return the quotient, not a number where there is nothing to divide by."""
    return above / below if below else math.nan


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; `share` is 0 to 1. Raises: ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1]
