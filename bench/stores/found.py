"""What was found about sessions on one kind of store. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.stats import percentile


@dataclass(frozen=True, slots=True)
class Cost:
    """So many of a kind a second, and the gateway's CPU time of one, in microseconds."""

    per_s: float
    cpu_us: float

    @property
    def per_core_s(self) -> float:
        """How many one core would do in a second, were it kept busy."""
        return 1e6 / self.cpu_us if self.cpu_us else 0.0


@dataclass(frozen=True, slots=True)
class LookUps:
    """Requests whose session had to be looked up, and the same ones once it was remembered."""

    cold: Cost
    warm: Cost


@dataclass(frozen=True, slots=True)
class HotPath:
    """Proxied requests with remembered sessions, and which calls the store got meanwhile."""

    requests: int
    calls: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Room:
    """How many sessions were kept, and in how many bytes."""

    sessions: int
    size_bytes: int

    @property
    def each_bytes(self) -> float:
        return self.size_bytes / self.sessions


@dataclass(frozen=True, slots=True)
class Delays:
    """Times from a revocation's 204 until something was seen in another process, in seconds."""

    times_s: Sequence[float]

    def ms(self, share: float) -> float:
        """Return a percentile in milliseconds; 1 is the longest."""
        return percentile(self.times_s, share) * 1000


@dataclass(frozen=True, slots=True)
class Revocation:
    """Until a request was refused, and until a WebSocket was closed with 4401."""

    refused: Delays
    closed: Delays


@dataclass(slots=True)
class StoreResult:
    """All of one store; None: it was not measured."""

    name: str
    logins: Cost | None = None
    look_ups: LookUps | None = None
    hot_path: HotPath | None = None
    room: Room | None = None
    revocation: Revocation | None = None
