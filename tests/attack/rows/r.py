"""R: prefixes that are cut off. What is cut is what was matched, and one slash is left."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Entry,
    Expect,
    Proven,
    RouteKind,
    Usual,
    forwarded,
    refused,
    request,
)
from tests.attack.rows.places import CATCH_ALL, shown

FAMILY = "R"
_GUARDED: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_CUT = (
    # (row, target under /api/, what the service gets)
    ("R1", b"/api/%61pi/x", b"/%61pi/x"),
    ("R1", b"/api", b"/"),
    ("R1", b"/api/", b"/"),
    ("R1", b"/api?", b"/?"),
    ("R1", b"/api?/api/x", b"/?/api/x"),
    ("R2", b"/api/api/x", b"/api/x"),
    ("R2", b"/api/api", b"/api"),
    ("R2", b"/api/x/", b"/x/"),
    ("R3", b"/api/%252fx", b"/%252fx"),
    ("R3", b"/api/%e8%ae%a2?%2f", b"/%e8%ae%a2?%2f"),
    ("R4", b"/api/http:/evil.example/x", b"/http:/evil.example/x"),
    ("R4", b"/api/@evil.example/x", b"/@evil.example/x"),
    ("R4", b"/api/:80/x", b"/:80/x"),
    ("R4", b"/api/%20", b"/%20"),
    ("R4", b"/api/*", b"/*"),
)
_MISSPELT = (
    # The route is found, so without a session it is 401; with one there is nothing to cut.
    ("R1", b"/%61pi/x"),
    ("R1", b"/ap%69/x"),
    ("R1", b"/%61%70%69/x"),
    ("R1", b"/%61pi"),
    ("R3", b"/api/%c0%afx"),
    ("R4", b"/api/%e0%80%afx"),
)
_REFUSED = (
    # Refused before anybody asks for a session: no dots, and the route allows no odd spelling.
    ("R2", b"/api//x"),
    ("R2", b"/api//evil.example/x"),
    ("R2", b"/api/../x"),
    ("R2", b"/api/..;/x"),
    ("R2", b"/api/%2e%2e/x"),
    ("R2", b"/api/..%2fx"),
    ("R2", b"/api/x/../../admin"),
    ("R2", b"/%61pi/../admin/x"),
    ("R2", b"/%61pi//x"),
    ("R3", b"/api/%2fx"),
    ("R3", b"/api/%2Fevil.example/x"),
    ("R3", b"/api/%5cx"),
    ("R3", b"/api/\\x"),
    ("R4", b"/api/;x/y"),
    ("R4", b"/api/%00"),
    ("R4", b"/api/x#y"),
)
_NOWHERE = (
    ("R1", b"/%41pi/x"),
    ("R1", b"/API/x"),
    ("R1", b"/%2561pi/x"),
    ("R3", b"/api%2fx"),
    ("R3", b"/%2fapi/x"),
    ("R4", b"/apix"),
    ("R4", b"/api.x/y"),
    ("R4", b"/api;/x"),
    ("R4", b"//api/x"),
)
_OPEN_CUT = (
    # On a route that allows all odd spellings: further behind they pass.
    ("R1", b"/cut", b"/"),
    ("R1", b"/cut/", b"/"),
    ("R1", b"/cut/%63ut/x", b"/%63ut/x"),
    ("R2", b"/cut/a//b", b"/a//b"),
    ("R2", b"/cut/cut//x", b"/cut//x"),
    ("R3", b"/cut/a%2fb", b"/a%2fb"),
    ("R3", b"/cut/a/%2fb", b"/a/%2fb"),
    ("R4", b"/cut/a;b=c/d", b"/a;b=c/d"),
    ("R4", b"/cut/x?//../;", b"/x?//../;"),
)
_OPEN_REFUSED = (
    ("R1", b"/%63ut/x"),
    ("R1", b"/c%75t//x"),
    ("R2", b"/cut//x"),
    ("R2", b"/cut//"),
    ("R2", b"/cut///x"),
    ("R2", b"/cut//evil.example/x"),
    ("R2", b"/cut//../admin/x"),
    ("R2", b"/cut/../admin/x"),
    ("R2", b"/cut/..;/admin/x"),
    ("R2", b"//cut/x"),
    ("R3", b"/cut/%2fx"),
    ("R3", b"/cut/%2Fevil.example/x"),
    ("R3", b"/cut%2fx"),
    ("R3", b"/cut%2f%2fx"),
    ("R3", b"/cut/%2f..%2fadmin"),
    ("R4", b"/cut/;x/y"),
    ("R4", b"/cut/;/x"),
    ("R4", b"/cut/%3bx/y"),
    ("R4", b"/cut/%c0%afx"),
    ("R4", b"/cut;/x"),
    ("R4", b"/cut;x//y"),
)


def _guarded() -> Iterator[Case]:
    for row, target, seen in _CUT:
        arrives = Arrives(line=_line(seen), has=(b"X-Forwarded-Prefix: /api",))
        yield _case(row, target, Usual(arrives), _GUARDED, (b"GET %b" % seen,))
    for row, target in _MISSPELT:
        refusal = refused(400, codes=["target_refused"], ends="either")
        yield _case(row, target, refusal, (("required", "valid"),))
        yield _case(row, target, refused(401, ends="either"), (("required", "none"),), who="nobody")
    for row, target in _REFUSED:
        yield _case(row, target, refused(400, ends="either"), _GUARDED)
    for row, target in _NOWHERE:
        yield _case(row, target, refused(404, ends="either"), _GUARDED)


def _open() -> Iterator[Case]:
    for row, target, seen in _OPEN_CUT:
        arrives = Arrives(line=_line(seen), has=(b"X-Forwarded-Prefix: /cut",))
        yield Case(
            row=row,
            title=f"{shown(target)}, all allowed",
            send=request(line=_line(target)),
            expect=forwarded(arrives),
            stage=CATCH_ALL,
            may_arrive=(b"GET %b" % seen,),
        )
    for row, target in _OPEN_REFUSED:
        yield Case(
            row=row,
            title=f"{shown(target)}, all allowed",
            send=request(line=_line(target)),
            expect=refused(400, codes=["target_refused"], ends="either"),
            stage=CATCH_ALL,
        )


def _line(target: bytes) -> bytes:
    return b"GET %b HTTP/1.1" % target


def _case(
    row: str,
    target: bytes,
    expect: Expect | Usual,
    over: tuple[tuple[RouteKind, Carried], ...],
    may_arrive: tuple[bytes, ...] = (),
    *,
    who: str = "",
) -> Case:
    return Case(
        row=row,
        title=f"{who} {shown(target)}".strip(),
        send=request(line=_line(target)),
        expect=expect,
        over=over,
        may_arrive=may_arrive,
    )


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _guarded()
    yield from _open()
    for row in ("R1", "R4"):
        yield Proven(
            row=row,
            title="whatever stands behind a prefix, one slash is left of it",
            tests=("tests/test_target.py::test_a_stripped_path_begins_with_exactly_one_slash",),
        )
