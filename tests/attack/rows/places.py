"""Where one target may lead, on stages with few routes, many, and a lenient catch-all.

Families P and R write a target and two places; this makes cases of it.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Expect,
    RouteKind,
    Usual,
    forwarded,
    refused,
    request,
)

Place = Literal["refused", "nowhere", "main", "admin"]
"""400; 404; the public service, by whatever route; the service behind /admin/, with a session."""
_GUARDED: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_OPEN: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"), ("public", "valid"))
PLAIN_STAGES = ("usual", "hosts-500")
"""Where what no route names leads nowhere."""
CATCH_ALL = "paths"
"""Where it leads to a public route that allows every odd spelling."""

Row = tuple[str, bytes, Place, Place]
"""Row, target, its place on plain stages, its place on the one with a catch-all."""


def cases(rows: Iterable[Row]) -> Iterator[Case]:
    """Ask for each target on each stage."""
    for row, target, plain, catch_all in rows:
        for stage in PLAIN_STAGES:
            yield at(row, target, plain, stage)
        yield at(row, target, catch_all, CATCH_ALL)


def at(row: str, target: bytes, place: Place, stage: str) -> Case:
    """Ask for a target on one stage."""
    line = b"GET %b HTTP/1.1" % target
    return Case(
        row=row,
        title=f"{shown(target)} on {stage}",
        send=request(line=line),
        expect=_expected(place, line),
        over=_GUARDED if place == "admin" else _OPEN,
        stage=stage,
    )


def _expected(place: Place, line: bytes) -> Expect | Usual:
    if place == "main":
        return forwarded(Arrives(line=line))
    if place == "admin":
        return Usual(Arrives(line=line, service="admin"))
    return refused(400 if place == "refused" else 404, ends="either")


def shown(target: bytes) -> str:
    """A target as a title."""
    text = ascii(target.decode("latin-1"))[1:-1]
    return text if len(text) <= 70 else f"{text[:60]}… of {len(target)} bytes"
