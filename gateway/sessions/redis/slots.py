"""Which primary of a Redis Cluster holds which slot, as its nodes tell it.

Values only: what `CLUSTER INFO` and `CLUSTER SLOTS` say, read and compared. A node that was cut
off, or stood still, tells an old view; the view of the highest epoch is the newest.
Redis' own page: Redis cluster specification, "Configuration handling".
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from gateway.sessions.redis.link import Command
from gateway.sessions.redis.records import RubbishError

QUESTIONS: Sequence[Command] = (("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))

Address = tuple[str, int]


class UncoveredError(RedisError):
    """No primary holds the slot now."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary: its id in the Cluster, and where it is."""

    id: str
    address: Address


@dataclass(frozen=True, slots=True)
class SlotMap:
    """A view. `starts` and `ends` of ranges of slots are in order, `owners` beside them.

    `members` are the addresses of all nodes named, replicas too.
    """

    epoch: int
    starts: Sequence[int]
    ends: Sequence[int]
    owners: Sequence[Shard]
    members: frozenset[Address]

    @property
    def shards(self) -> frozenset[Shard]:
        """All primaries that hold slots."""
        return frozenset(self.owners)

    def owner_of(self, slot: int) -> Shard:
        """Return who holds a slot. Raises: UncoveredError."""
        place = bisect_right(self.starts, slot) - 1
        if place < 0 or slot > self.ends[place]:
            raise UncoveredError("a slot that nobody holds")
        return self.owners[place]


def read_view(host: str, replies: Sequence[object]) -> SlotMap:
    """Read the answers to `QUESTIONS` of the node at `host`. Raises: RubbishError."""
    match replies:
        case [bytes(info), list(ranges)]:
            try:
                fields = dict(line.split(":", 1) for line in info.decode().split())
                return _view(int(fields["cluster_current_epoch"]), ranges, host)
            except (ValueError, KeyError) as error:
                raise RubbishError("not a view of a cluster") from error
    raise RubbishError("not a view of a cluster")


def _view(epoch: int, ranges: Sequence[object], host: str) -> SlotMap:
    read = sorted((_read_range(one, host) for one in ranges), key=lambda one: one[0])
    return SlotMap(
        epoch=epoch,
        starts=[start for start, _, _ in read],
        ends=[end for _, end, _ in read],
        owners=[shards[0] for _, _, shards in read],
        members=frozenset(shard.address for _, _, shards in read for shard in shards),
    )


def _read_range(reply: object, host: str) -> tuple[int, int, list[Shard]]:
    match reply:
        case [int(start), int(end), primary, *replicas]:
            return start, end, [_read_node(one, host) for one in (primary, *replicas)]
    raise RubbishError("not a range of slots")


def _read_node(reply: object, host: str) -> Shard:
    match reply:
        case [(bytes() | None) as named, int(port), bytes(id_), *_]:
            # Without a name, or with `?`, it is the host that was asked (`CLUSTER SLOTS`).
            known = named.decode() if named and named != b"?" else host
            return Shard(id_.decode(), (known, port))
    raise RubbishError("not a node of a cluster")
