"""G: hosts, methods, and the rest: cross-origin questions, caches, error pages, health paths."""

from collections.abc import Iterator

from tests.attack.model import Entry, NotApplicable, Proven
from tests.attack.rows import g_hosts, g_methods, g_pages

FAMILY = "G"


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from g_hosts.entries()
    yield from g_methods.entries()
    yield from g_pages.entries()
    yield NotApplicable(
        row="G3",
        title="a name in TLS that is not the Host",
        reason="waits for `server.tls`, which this version refuses",
    )
    yield NotApplicable(
        row="G5",
        title="origins that may send credentials",
        reason="waits for `session.cookie`, which this version refuses; without it no answer of "
        "ours names an origin (cases of this row)",
    )
    yield NotApplicable(
        row="G7",
        title="catastrophic patterns",
        reason="routes have no patterns: a path is a literal or a prefix (cases of this row)",
    )
    yield Proven(
        row="G2",
        title="the index over hosts and paths decides as a plain list would",
        tests=("tests/test_routing.py",),
    )
