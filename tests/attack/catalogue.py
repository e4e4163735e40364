"""All rows of the suite, in the order of attacks.md C3."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from tests.attack.model import Case, Entry
from tests.attack.rows import d, f, g, h, l, p, r, s, t, w, x

FAMILIES: Mapping[str, ModuleType] = {
    "H": h,
    "F": f,
    "P": p,
    "R": r,
    "T": t,
    "G": g,
    "W": w,
    "S": s,
    "D": d,
    "L": l,
    "X": x,
}
TITLES = {
    "H": "identity header spoofing",
    "F": "forwarded and client-address headers",
    "P": "path confusion",
    "R": "prefix strip",
    "T": "framing and smuggling",
    "G": "host, method and the rest",
    "W": "WebSocket and upgrade",
    "S": "login and session",
    "D": "resource exhaustion",
    "L": "leakage and logs",
    "X": "injection and configuration",
}
COUNTS = {
    "H": 22,
    "F": 7,
    "P": 21,
    "R": 4,
    "T": 20,
    "G": 9,
    "W": 9,
    "S": 18,
    "D": 10,
    "L": 7,
    "X": 8,
}
"""Rows of each family on the page; a test holds the suite to them."""


def entries() -> Iterator[Entry]:
    """List every entry."""
    for module in FAMILIES.values():
        yield from module.entries()


def cases() -> Iterator[Case]:
    """List the entries that are bytes."""
    return (each for each in entries() if isinstance(each, Case))
