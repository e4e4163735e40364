"""What a whole run found: values for the report, and how one part's failure is kept.

It must not know how the report looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.idle import IdleCost
from bench.load import Load
from bench.machine import Cores
from bench.parts import FixedRate
from bench.peers.base import Peer
from bench.peers.nginx import PLAIN
from bench.sockets import SocketsResult
from bench.stats import Rounds, Row, ratios_of, summarise
from bench.stores.found import StoreResult
from bench.stream import StreamResult
from bench.workers import WorkersResult


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One load: how it was run, and the samples of each round by the proxies' names."""

    load: Load
    seconds: int
    rounds: Rounds

    @property
    def rows(self) -> dict[str, Row]:
        """Each proxy's medians, and its ratios to nginx's plain proxy."""
        return summarise(self.rounds, PLAIN.name)

    def ratio(self, name: str, to: str) -> float | None:
        """The median of a proxy's ratios to another of the same round; None: one did not run."""
        both = [each for each in self.rounds if name in each and to in each]
        return median(ratios_of(both, name, to)) if both else None


@dataclass(slots=True)
class Results:
    """Everything that was found. `skipped`: peers and parts that did not run, with the reason."""

    machine: Mapping[str, str]
    cores: Cores
    sessions: int
    peers: Sequence[Peer]
    loads: list[LoadResult] = field(default_factory=list)
    latency: FixedRate | None = None
    idle: IdleCost | None = None
    sockets: Mapping[str, SocketsResult] = field(default_factory=dict)
    streams: Sequence[StreamResult] = ()
    workers: Sequence[WorkersResult] = ()
    stores: Sequence[StoreResult] = ()
    skipped: dict[str, str] = field(default_factory=dict)

    def load(self, name: str) -> LoadResult | None:
        """Return what was found under a load, if it ran."""
        return next((each for each in self.loads if each.load.name == name), None)

    def row(self, load: str, peer: str) -> Row | None:
        """Return a proxy's row under a load, if both ran."""
        found = self.load(load)
        return None if found is None else found.rows.get(peer)
