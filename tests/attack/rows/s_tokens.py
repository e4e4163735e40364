"""S1, S2: what is almost a token, nothing, or too much."""

import base64
import gzip
import json
from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Carried,
    Case,
    Entry,
    RouteKind,
    forwarded,
    refused,
    request,
)

REQUIRED: tuple[tuple[RouteKind, Carried], ...] = (("required", "none"),)
LOOKING: tuple[tuple[RouteKind, Carried], ...] = (("required", "none"), ("optional", "none"))
INVALID = refused(401, codes=["session_invalid"], ends="open")
MISSING = refused(401, codes=["session_missing"], ends="open")


def part(content: object) -> bytes:
    """Write a part of a JWT (RFC 7515 2)."""
    text = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


# -- S1: almost a token ---------------------------------------------------------------------------

_SPELLINGS = (
    ("padded", b"@A@="),
    ("padded twice", b"@A@=="),
    ("padded as in a URL", b"@A@%3D"),
    ("longer by a letter", b"@A@A"),
    ("longer by a dot", b"@A@."),
    ("longer by a slash", b"@A@/"),
    ("longer by a plus", b"@A@+"),
    ("longer by a high byte", b"@A@\xe9"),
    ("twice without a break", b"@A@@A@"),
    ("twice with a dot", b"@A@.@A@"),
    ("twice with a comma", b"@A@,@A@"),
    ("twice with a semicolon", b"@A@;@A@"),
    ("the prefix twice", b"gw1.@A@"),
    ("in quotes", b'"@A@"'),
    ("in brackets", b"<@A@>"),
    ("behind a name", b"token=@A@"),
    ("behind a scheme", b"Bearer @A@"),
    ("a list beginning with nothing", b",@A@"),
    ("white space within", b"@A@ @A@"),
    ("a tab within", b"@A@\t@A@"),
    ("with a comment", b"@A@ (evil)"),
    ("with a fragment", b"@A@#evil"),
    ("with a query", b"@A@?evil=1"),
    ("forged", b"@BAD@"),
)


def _spelt() -> Iterator[Case]:
    for title, value in _SPELLINGS:
        yield Case(
            row="S1",
            title=f"X-Session-Token, {title}",
            send=request(b"X-Session-Token: " + value, session=False),
            expect=INVALID,
            over=LOOKING,
        )
        # Where the value does not begin with our prefix, it is the service's, and nobody's session.
        yield Case(
            row="S1",
            title=f"Authorization, {title}",
            send=request(b"Authorization: Bearer " + value, session=False),
            expect=(INVALID, MISSING),
            over=REQUIRED,
        )


_LEGAL = (
    ("the scheme in lower case", b"Authorization: bearer @A@"),
    ("the scheme in capitals", b"Authorization: BEARER @A@"),
    ("more spaces behind the scheme", b"Authorization: Bearer    @A@"),
    ("a tab behind the scheme", b"Authorization: Bearer\t@A@"),
    ("white space around", b"X-Session-Token:  \t@A@\t  "),
    ("the name in lower case", b"x-session-token: @A@"),
)


def _legal() -> Iterator[Case]:
    for title, line in _LEGAL:
        yield Case(
            row="S1",
            title=f"good all the same: {title}",
            send=request(line, session=False),
            expect=forwarded(Arrives(person="A", lacks=(b"authorization", b"x-session-token"))),
            over=REQUIRED,
        )
    for name in (b"X_Session_Token", b"X.Session.Token", b"X-SessionToken", b"Session-Token"):
        yield Case(
            row="S1",
            title=f"no carrier: {name.decode()}",
            send=request(name + b": @A@", session=False),
            expect=MISSING,
            over=REQUIRED,
        )


# -- S2: nothing, and too much --------------------------------------------------------------------

_NOTHING = (b"", b"null", b"undefined", b"Bearer", b"Bearer ", b"[object Object]", b"NaN", b"0")
_PREFIXES = (b"gw1.", b"gw1", b"gw1..", b"gw1...", b"gw0.a.b.c", b"gw2.a.b.c", b"GW1.a.b.c")


def _nothing() -> Iterator[Case]:
    for value in (*_NOTHING, *_PREFIXES):
        shown = value.decode() or "nothing"
        yield Case(
            row="S2",
            title=f"X-Session-Token: {shown}",
            send=request(b"X-Session-Token: " + value, session=False),
            expect=MISSING if not value else INVALID,
            over=REQUIRED,
        )
        for scheme in (b"Bearer", b"bearer ", b"Basic", b"Token"):
            yield Case(
                row="S2",
                title=f"Authorization: {scheme.decode()} {shown}",
                send=request(b"Authorization: " + scheme + b" " + value, session=False),
                expect=(MISSING, INVALID),
                over=REQUIRED,
            )
    for value in (b"", b"null", b"undefined", b"Bearer"):
        yield Case(
            row="S2",
            title=f"Authorization: {value.decode() or 'nothing'}",
            send=request(b"Authorization: " + value, session=False),
            expect=MISSING,
            over=REQUIRED,
        )


def _large() -> Iterator[Case]:
    too_large = refused(431, codes=["headers_too_large"])
    bomb = base64.urlsafe_b64encode(gzip.compress(b"[" * 1_000_000))
    deep = part(json.loads("[" * 200 + "]" * 200)) * 20
    for title, value, expect in (
        ("64 kB", b"gw1." + b"A" * 65_536, too_large),
        ("513 bytes", b"gw1." + b"A" * 509, INVALID),
        ("8 kB of dots", b"gw1" + b"." * 8000, INVALID),
        ("8 kB of the prefix", b"gw1." * 2000, INVALID),
        ("a zipped JSON bomb", b"gw1." + bomb[:8000], INVALID),
        ("deep JSON", b"gw1." + deep[:8000] + b".a.b", INVALID),
    ):
        for name in (b"Authorization: Bearer ", b"X-Session-Token: "):
            yield Case(
                row="S2",
                title=f"{title} in {name.split(b':')[0].decode()}",
                send=request(name + value, session=False),
                expect=expect,
                over=REQUIRED,
            )


def entries() -> Iterator[Entry]:
    """List these rows."""
    yield from _spelt()
    yield from _legal()
    yield from _nothing()
    yield from _large()
