"""The ledger: many workers count as one would, and no sum ever goes down."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics.catalogue import (
    CATALOGUE,
    CLIENT_CONNECTIONS,
    LOGINS,
    TARGET_UP,
    WORKER_CPU,
    WORKER_MEMORY,
)
from gateway.metrics.counts import Counts
from gateway.metrics.ledger import Ledger
from tests.support.metrics import PLAIN, Labels, families, made_visit, samples, value

Told = dict[tuple[str, Labels], float]
COUNTERS = {m.name for m in CATALOGUE if m.kind == "counter"} | {
    f"{m.name}_{part}"
    for m in CATALOGUE
    if m.kind == "histogram"
    for part in ("bucket", "sum", "count")
}
OWN = ("gateway_workers", "gateway_worker_exits_total", "gateway_build_info")

Event = tuple[int, str, str, int, float, int]
"""Worker, route, method, status, seconds, bytes; seconds in steps that add up without rounding."""
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["/a/", "/b/", "-"]),
        st.sampled_from(["GET", "POST", "BREW"]),
        st.sampled_from([101, 200, 503]),
        st.integers(0, 5000).map(lambda steps: steps / 64),
        st.integers(0, 2**40),
    ),
    max_size=60,
)


def record(counts: Counts, event: Event) -> None:
    _, route, method, status, elapsed_s, sent_bytes = event
    counts.record(
        made_visit(elapsed_s, route=route, method=method, status=status, sent_bytes=sent_bytes)
    )
    counts.count(LOGINS, "wechat", "shop", str(status))


def told(ledger: Ledger) -> Told:
    """All our samples, without what belongs to the process that renders."""
    found = samples(ledger.render("")[0])
    return {key: number for key, number in found.items() if key[0].startswith("gateway_")}


def counted(found: Told) -> Told:
    """Only what may never go down."""
    return {key: number for key, number in found.items() if key[0] in COUNTERS}


def through_json(counts: Counts) -> dict[str, object]:
    snapshot: dict[str, object] = json.loads(json.dumps(counts.snapshot()))
    return snapshot


@given(EVENTS)
def test_many_workers_count_as_one(events: Sequence[Event]) -> None:
    """Whichever worker takes a request, the sums are the same."""
    alone, together = Ledger("1"), Ledger("1")
    one, many = Counts(), [Counts() for _ in range(4)]
    for event in events:
        record(one, event)
        record(many[event[0]], event)
    alone.update("0", one.snapshot())
    for number, counts in enumerate(many):
        together.update(str(number), through_json(counts))
    expected, found = told(alone), told(together)
    for name in OWN:
        for each in (expected, found):
            each.pop((name, ()), None)
    assert found == expected


@given(EVENTS, st.lists(st.integers(0, 3), max_size=6))
def test_an_end_of_a_worker_lowers_nothing(events: Sequence[Event], ends: Sequence[int]) -> None:
    """Requests, then workers end one by one, and successors count on."""
    ledger = Ledger("1")
    workers = {number: Counts() for number in range(4)}
    before = counted(told(ledger))
    for step, event in enumerate(events):
        record(workers[event[0]], event)
        ledger.update(str(event[0]), workers[event[0]].snapshot())
        if step < len(ends):
            ledger.retire(str(ends[step]))
            workers[ends[step]] = Counts()
        after = counted(told(ledger))
        assert all(after[key] >= number for key, number in before.items())
        before = after
    total = sum(n for (name, _), n in before.items() if name == "gateway_requests_total")
    assert total == len(events)


def snapshot_of(up: int, connections: int) -> dict[str, object]:
    """What a worker tells of itself."""
    counts = Counts()
    counts.watch(
        lambda: [
            (TARGET_UP, ("orders", "http://a:1"), up),
            (CLIENT_CONNECTIONS, (), connections),
            (WORKER_CPU, (), 1.5),
            (WORKER_MEMORY, (), 1024),
        ]
    )
    return counts.snapshot()


def test_states_are_merged_by_their_rule() -> None:
    """Connections add up; a target is down where one worker holds it for down."""
    ledger = Ledger("1")
    ledger.update("0", snapshot_of(up=1, connections=3))
    ledger.update("1", snapshot_of(up=0, connections=4))
    text, _ = ledger.render("")
    assert value(text, "gateway_client_connections") == 7
    target = {"upstream": "orders", "target": "http://a:1"}
    assert samples(text)["gateway_upstream_target_up", tuple(sorted(target.items()))] == 0
    assert value(text, "gateway_workers") == 2


def test_states_of_an_ended_worker_go() -> None:
    """Its counters stay, those of its place too: the successor adds to them."""
    ledger = Ledger("1")
    ledger.update("0", snapshot_of(up=0, connections=3))
    ledger.update("1", snapshot_of(up=1, connections=4))
    ledger.retire("0")
    text, _ = ledger.render("")
    assert value(text, "gateway_client_connections") == 4
    assert value(text, "gateway_upstream_target_up", upstream="orders", target="http://a:1") == 1
    assert value(text, "gateway_worker_cpu_seconds_total", worker="0") == 1.5
    assert ("gateway_worker_resident_memory_bytes", (("worker", "0"),)) not in samples(text)
    ledger.update("0", snapshot_of(up=1, connections=1))
    text, _ = ledger.render("")
    assert value(text, "gateway_worker_cpu_seconds_total", worker="0") == 3
    assert value(text, "gateway_workers") == 2
    assert value(text, "gateway_worker_exits_total") == 1


def test_a_newer_snapshot_takes_the_place_of_the_last() -> None:
    """A scrape asks again and again; nothing is counted twice."""
    ledger, counts = Ledger("1"), Counts()
    counts.record(made_visit())
    first = counts.snapshot()
    ledger.update("0", first)
    ledger.render("")
    ledger.update("0", first)
    counts.record(made_visit())
    labels = {
        "route": "/orders/",
        "upstream": "orders",
        "method": "GET",
        "status": "200",
        "error": "",
        "platform": "wechat",
    }
    assert value(ledger.render("")[0], "gateway_requests_total", **labels) == 1
    ledger.update("0", counts.snapshot())
    assert value(ledger.render("")[0], "gateway_requests_total", **labels) == 2


def test_a_worker_that_died_before_it_told_anything_is_an_end_too() -> None:
    """Those that fail at once are the ones an alert should see."""
    ledger = Ledger("1")
    ledger.retire("0")
    ledger.retire("0")
    assert value(ledger.render("")[0], "gateway_worker_exits_total") == 2


def test_a_metric_nobody_knows_is_left_out() -> None:
    """A worker of the next version may tell more."""
    ledger = Ledger("1")
    ledger.update("0", {"gateway_of_tomorrow": [[["x"], [1]]]})
    names = {family.name for family in families(ledger.render("")[0], PLAIN)}
    assert "gateway_of_tomorrow" not in names


def test_rows_with_the_same_labels_are_one() -> None:
    """A target that the settings list twice is told once."""
    ledger = Ledger("1")
    row = [["orders", "http://a:1", "idle"], [2]]
    ledger.update("0", {"gateway_upstream_connections": [row, row]})
    text, _ = ledger.render("")
    labels = {"upstream": "orders", "target": "http://a:1", "state": "idle"}
    assert value(text, "gateway_upstream_connections", **labels) == 4


def test_merging_leaves_what_was_given() -> None:
    """A render changes neither a worker's table nor the past."""
    ledger = Ledger("1")
    ledger.update("0", snapshot_of(up=1, connections=3))
    ledger.update("1", snapshot_of(up=1, connections=4))
    assert told(ledger) == told(ledger)


def test_what_the_parent_counts_itself_is_added() -> None:
    """An operator's revocations; the parent is no worker."""
    counts = Counts()
    ledger = Ledger("1", counts)
    worker = Counts()
    for each in (counts, worker):
        each.count(LOGINS, "wechat", "shop", "ok")
    ledger.update("0", worker.snapshot())
    for _ in range(2):
        text, _ = ledger.render("")
        labels = {"platform": "wechat", "app": "shop", "outcome": "ok"}
        assert value(text, "gateway_logins_total", **labels) == 2
        assert value(text, "gateway_workers") == 1
