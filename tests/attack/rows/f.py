"""F: forwarded and client-address headers. Only trusted peers are believed, from the right.

The suite's peer is 127.0.0.1: nobody on most stages, a trusted proxy on those named `behind`.
"""

from collections.abc import Iterator

from tests.attack.model import (
    EVERYWHERE,
    WITH_SESSION,
    Arrives,
    Carried,
    Case,
    Entry,
    NotApplicable,
    Proven,
    RouteKind,
    Usual,
    forwarded,
    refused,
    request,
)
from tests.attack.rows import f_checks, f_trusted
from tests.attack.rows.f_names import ADDRESS_NAMES, RESERVED_NAMES, TARGET_NAMES, spellings

FAMILY = "F"
_GUARDED: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_SOME: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"), ("optional", "valid"))
_OURS = (
    b"X-Forwarded-For: 127.0.0.1",
    b"X-Real-IP: 127.0.0.1",
    b"X-Forwarded-Proto: http",
    b"X-Forwarded-Host: @HOST@",
)
"""What a service is told of a stranger's request here, whatever the stranger says."""


def _addresses() -> Iterator[Case]:
    for name in spellings(ADDRESS_NAMES):
        is_plain = name in ADDRESS_NAMES
        value = b"203.0.113.66" if is_plain else b"127.0.0.1, 203.0.113.66"
        yield Case(
            row="F1",
            title=f"{name.decode()}: {value.decode()}",
            send=request(b"%b: %b" % (name, value)),
            expect=Usual(Arrives(has=_OURS)),
            over=EVERYWHERE if is_plain else _SOME,
        )
    # Names that no service may get from a client; the judge sees whether the value arrives.
    for name in spellings(RESERVED_NAMES):
        yield Case(
            row="F1",
            title=f"{name.decode()}: evil",
            send=request(b"%b: evil" % name),
            expect=Usual(Arrives(has=_OURS)),
            over=EVERYWHERE if name in RESERVED_NAMES else _SOME,
        )
    for title, lines in (
        ("Forwarded with everything", (b"Forwarded: for=127.0.0.1;host=evil;proto=https",)),
        ("Forwarded twice", (b"Forwarded: for=evil", b"forwarded: for=127.0.0.1")),
        ("two lists", (b"X-Forwarded-For: evil", b"X-Forwarded-For: 127.0.0.1")),
        ("two spellings", (b"X_Forwarded_For: evil", b"X-Forwarded-For: evil")),
        ("a list of 10 kB", (b"X-Forwarded-For: " + b"evil, " * 1700 + b"127.0.0.1",)),
        ("named by Connection", (b"Connection: X-Forwarded-For, X-Real-IP, X-Forwarded-Host",)),
    ):
        usual = Usual(Arrives(has=_OURS))
        yield Case(row="F1", title=title, send=request(*lines), expect=usual, over=EVERYWHERE)


def _targets() -> Iterator[Case]:
    """A path, method or host in a header opens nothing, and no service is told of it."""
    line = b"GET /admin/x HTTP/1.1"
    for name, value in TARGET_NAMES:
        for each in spellings((name,)):
            is_ours = name == b"X-Forwarded-Host"  # which is there, and says our own host
            lacks = () if is_ours else (name.lower(),)
            has = (b"X-Forwarded-Host: @HOST@",)
            yield Case(
                row="F2",
                title=f"{each.decode()}: {value.decode()} on /admin/",
                send=request(b"%b: %b" % (each, value), line=line),
                expect=Usual(Arrives(line=line, service="admin", has=has, lacks=lacks)),
                over=_GUARDED,
            )
    several = [b"%b: %b" % pair for pair in TARGET_NAMES]
    yield Case(
        row="F2",
        title="all of them",
        send=request(*several, line=line),
        expect=Usual(Arrives(line=line, service="admin")),
        over=_GUARDED,
    )


_REBUILT = (
    (b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"),
    (b"X-Forwarded-Proto: evil", b"X-Forwarded-Proto: http"),
    (b"x_forwarded_proto: https", b"X-Forwarded-Proto: http"),
    (b"X-Forwarded-Host: evil", b"X-Forwarded-Host: @HOST@"),
    (b"X-Forwarded-Host: evil, @HOST@", b"X-Forwarded-Host: @HOST@"),
    (b"X-Request-Id: evil-0123456789", b"X-Forwarded-Host: @HOST@"),
)
_DROPPED = (
    (b"X-Forwarded-Port: 443", b"x-forwarded-port"),
    (b"X-Forwarded-Prefix: /evil", b"x-forwarded-prefix"),
    (b"X-Forwarded-Method: DELETE", b"x-forwarded-method"),
    (b"X-HTTP-Method-Override: DELETE", b"x-http-method-override"),
    (b"X-HTTP-Method: DELETE", b"x-http-method"),
    (b"X-Method-Override: DELETE", b"x-method-override"),
    (b"X-Forwarded-Server: evil", b"x-forwarded-server"),
    (b"X-Forwarded-Ssl: on", b"x-forwarded-ssl"),
    (b"X-Forwarded-Scheme: https", b"x-forwarded-scheme"),
    (b"X-Forwarded-Anything: evil", b"x-forwarded-anything"),
    (b"X-Forwarded: for=evil", b"x-forwarded"),
    (b"X-Forwarded-Client-Cert: evil", b"x-forwarded-client-cert"),
    (b"X-Forwarded-User: evil", b"x-forwarded-user"),
    (b"X-Forwarded-Email: evil", b"x-forwarded-email"),
    (b"X-Original-Forwarded-For: evil", b"x-original-forwarded-for"),
    (b"X-Original-Host: evil", b"x-original-host"),
)


def _rebuilt() -> Iterator[Case]:
    for line, ours in _REBUILT:
        yield Case(
            row="F3",
            title=f"{line.decode()} is ours to say",
            send=request(line),
            expect=Usual(Arrives(has=(ours,))),
            over=EVERYWHERE,
        )
    # On the route that cuts its prefix, that prefix is told and nothing else.
    told = Arrives(has=(b"X-Forwarded-Prefix: /api",))
    evil = b"X-Forwarded-Prefix: /evil"
    yield Case(
        row="F3",
        title="a prefix that is cut",
        send=request(evil),
        expect=forwarded(told),
        over=WITH_SESSION,
    )
    for line, name in _DROPPED:
        for spelt in (line, line.replace(b"-", b"_"), line.replace(b"-", b".").lower()):
            yield Case(
                row="F3",
                title=f"{spelt.decode()} is dropped",
                send=request(spelt),
                expect=Usual(Arrives(line=b"GET @UP@/x HTTP/1.1", lacks=(name,))),
                over=_SOME,
            )


_PROXY_LINES = (
    ("v1", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"),
    ("v1, IPv6", b"PROXY TCP6 ::1 ::1 1 2\r\n"),
    ("v1, unknown", b"PROXY UNKNOWN\r\n"),
    ("v1, oversized", b"PROXY TCP4 " + b"1" * 200 + b"\r\n"),
    ("v1, LF alone", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\n"),
    (
        "v2",
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02",
    ),
    ("v2, LOCAL", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"),
    (
        "v2, TLV",
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f" + b"\x7f\x00\x00\x01" * 2 + b"\0\1\0\2\3\0\0",
    ),
)


def _proxy_protocol() -> Iterator[Entry]:
    for stage in ("usual", "behind"):
        for title, line in _PROXY_LINES:
            yield Case(
                row="F7",
                title=f"PROXY {title}, {stage}",
                send=line + request(),
                expect=refused(400, codes=["bad_request"]),
                over=(("public", "none"), ("required", "valid")),
                stage=stage,
                may_arrive=(b"GET @ROUTE@/x",),
            )
    yield NotApplicable(
        row="F7",
        title="PROXY where it is on",
        reason="waits for `server.proxy_protocol`, which this version refuses",
    )


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _addresses()
    yield from _targets()
    yield from _rebuilt()
    yield from f_trusted.entries()
    yield from f_checks.entries()
    yield from _proxy_protocol()
    yield Proven(
        row="F6",
        title="trusted networks against mapped addresses, zones and odd numerals",
        tests=(
            "tests/test_clients.py::test_who_is_trusted",
            "tests/test_clients.py::test_the_chain_is_read_from_the_right",
        ),
    )
    yield Proven(
        row="F1",
        title="whatever a stranger sends, and whichever peer",
        tests=("tests/test_clients.py::test_a_stranger_is_never_believed",),
    )
