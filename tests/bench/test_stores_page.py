"""The section on sessions, and its place in the page."""

import re

from bench.stores.found import Cost, Delays, HotPath, LookUps, Revocation, Room, StoreResult
from bench.stores.page import put, render_sessions

PAGE = "# Performance\n\n## Ratios\n\nA.\n\n## What was tried and what it gave\n\nB.\n"


def full(name: str) -> StoreResult:
    """A store of which everything was measured."""
    return StoreResult(
        name,
        logins=Cost(400.0, 1000.0),
        look_ups=LookUps(Cost(3000.0, 200.0), Cost(9000.0, 40.0)),
        hot_path=HotPath(10_000, {}),
        room=Room(1_000_000, 600_000_000),
        revocation=Revocation(Delays([0.1, 0.2, 0.3]), Delays([0.01, 0.02, 0.03])),
    )


def test_each_store_has_its_column() -> None:
    """Rates of a core out of its CPU time."""
    section = render_sessions([full("SQLite"), full("Redis")])
    assert "|  | SQLite | Redis |" in section
    assert "| logins a second and core | 1,000 | 1,000 |" in section
    assert "| sessions kept | 1,000,000 | 1,000,000 |" in section
    assert "| Redis | a WebSocket is closed | 20.0 | 30.0 | 30.0 | 3 |" in section
    assert "SQLite: over 10,000 proxied requests" in section


def test_tables_are_whole_whatever_was_measured() -> None:
    """What was not stands as a dash."""
    section = render_sessions([full("SQLite"), StoreResult("Redis")])
    assert "| sessions kept | 1,000,000 | – |" in section
    assert "| Redis | a request is refused" not in section
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_nothing_measured_makes_no_table_of_delays() -> None:
    """A head without rows would tell nothing."""
    assert "longest" not in render_sessions([StoreResult("SQLite")])


def test_calls_on_the_hot_path_are_named() -> None:
    """So that one on the request's own time cannot hide behind one beside it."""
    one = StoreResult("SQLite", hot_path=HotPath(10, {"touch": 2, "get": 1}))
    assert "the store got 1 × `get`, 2 × `touch`" in render_sessions([one])
    assert "the store got no call" in render_sessions([full("SQLite")])


def test_a_page_without_the_section_gets_it() -> None:
    """Before what is kept by hand, else at the end."""
    page = put(PAGE, "## Sessions\n\nnew\n")
    assert re.findall("^## (.+)$", page, re.MULTILINE) == [
        "Ratios",
        "Sessions",
        "What was tried and what it gave",
    ]
    assert put("# Performance\n", "## Sessions\n\nnew\n").endswith("## Sessions\n\nnew\n\n")


def test_a_section_takes_the_place_of_the_older_one() -> None:
    """The rest of the page stays; twice is as once."""
    first = put(PAGE, "## Sessions\n\nold\n")
    second = put(first, "## Sessions\n\nnew\n")
    assert second == first.replace("old", "new")
    assert put(second, "## Sessions\n\nnew\n") == second
