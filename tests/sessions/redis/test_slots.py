"""What the nodes of a Cluster say of its slots: read, refused, and asked."""

import pytest

from gateway.sessions.redis.records import RubbishError
from gateway.sessions.redis.slots import Shard, UncoveredError, read_view

INFO = b"cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:7\r\n"
A = [b"10.0.0.1", 1, b"a", [b"hostname", b"x"]]
B = [b"10.0.0.2", 2, b"b"]
REPLICA = [b"10.0.0.3", 3, b"c"]


def test_a_view() -> None:
    """Ranges in any order, a primary with several, replicas as members."""
    view = read_view("h", [INFO, [[100, 200, B, REPLICA], [0, 50, A], [300, 300, A]]])
    assert view.epoch == 7
    assert view.shards == {Shard("a", ("10.0.0.1", 1)), Shard("b", ("10.0.0.2", 2))}
    assert view.members == {("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3)}
    owners = {slot: view.owner_of(slot).id for slot in (0, 50, 100, 200, 300)}
    assert owners == {0: "a", 50: "a", 100: "b", 200: "b", 300: "a"}


@pytest.mark.parametrize("slot", [51, 99, 201, 301, 16383])
def test_a_slot_that_nobody_holds(slot: int) -> None:
    """It is said so, rather than somebody asked."""
    view = read_view("h", [INFO, [[100, 200, B], [0, 50, A], [300, 300, A]]])
    with pytest.raises(UncoveredError):
        view.owner_of(slot)


def test_nothing_is_held() -> None:
    """A Cluster that has just been made holds nothing."""
    with pytest.raises(UncoveredError):
        read_view("h", [INFO, []]).owner_of(0)


@pytest.mark.parametrize("name", [b"", None, b"?"])
def test_a_node_without_a_name(name: bytes | None) -> None:
    """It is where the question went (the page of CLUSTER SLOTS)."""
    view = read_view("asked", [INFO, [[0, 1, [name, 6379, b"a"]]]])
    assert view.owner_of(0).address == ("asked", 6379)


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ([], "nothing"),
        ([INFO], "one answer"),
        ([b"x", []], "no fields"),
        ([b"cluster_state:ok", []], "no epoch"),
        ([b"cluster_current_epoch:x", []], "no number"),
        ([b"\xff:1", []], "no text"),
        ([INFO, b"x"], "no list"),
        ([INFO, [b"x"]], "no range"),
        ([INFO, [[0, 1]]], "a range of nobody"),
        ([INFO, [[0, b"1", A]]], "an odd end"),
        ([INFO, [[0, 1, [b"h", b"1", b"a"]]]], "an odd port"),
        ([INFO, [[0, 1, [b"\xff", 1, b"a"]]]], "an odd host"),
    ],
)
def test_rubbish(replies: list[object], why: str) -> None:
    """Whatever is no view is refused as rubbish."""
    with pytest.raises(RubbishError) as caught:
        read_view("h", replies)
    assert "cluster" in str(caught.value) or "slots" in str(caught.value), why
