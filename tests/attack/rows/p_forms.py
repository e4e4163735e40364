"""P17 to P20: forms of the target, its length, and what is no target at all."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Case,
    Entry,
    Expect,
    Proven,
    Usual,
    forwarded,
    refused,
    request,
)
from tests.attack.rows.places import CATCH_ALL, shown

_STAGES = ("usual", CATCH_ALL)
_ELSEWHERE = (
    b"http://evil/admin",
    b"http://evil/public/x",
    b"https://evil/public/x",
    b"HTTP://EVIL/public/x",
    b"ftp://evil/public/x",
    b"ftp://@HOST@/public/x",
    b"ws://@HOST@/public/x",
    b"gopher://@HOST@:70/_x",
    b"file:///etc/passwd",
    b"javascript://@HOST@/%0aalert",
    b"http://@HOST@@evil/public/x",
    b"http://good@evil/public/x",
    b"http://u@@HOST@/public/x",
    b"http://u:p@@HOST@/public/x",
    b"http://[::1]/public/x",
    b"http://127.0.0.1/public/x",
    b"http:///public/x",
    b"http://@HOST@.evil/public/x",
    b"http://evil.@HOST@/public/x",
    b"http://@HOST@:99999/public/x",
    b"http://@HOST@%2eevil/public/x",
    b"http://@HOST@\\@evil/public/x",
    b"http:/@HOST@/public/x",
    b"http:@HOST@/public/x",
    b"http://",
    b"http://xn--/public/x",
    b"http://xn--",
    b"ftp://xn--a/",
    b"http://[]@/",
    b"http://[::1]]@/public/x",
)
_SAME_HOST = (
    (b"http://@HOST@/public/x", b"/public/x"),
    (b"https://@HOST@/public/x?a=b", b"/public/x?a=b"),
    (b"HTTP://@HOST@/public/x", b"/public/x"),
    (b"http://GW.TEST:80/public/x", b"/public/x"),
    (b"http://@HOST@./public/x", b"/public/x"),
)
_SAME_HOST_REFUSED = (
    b"http://@HOST@/public/../admin/x",
    b"http://@HOST@/public/%2e%2e/admin/x",
    b"http://@HOST@/admin/x#/public/",
    b"http://@HOST@/public/%zz",
    b"http://@HOST@#/public/x",
)
_NO_TARGETS = (
    b"public/x",
    b"%2fadmin/x",
    b"../admin/x",
    b".",
    b"?/public/x",
    b"?",
    b"admin",
    b"/public/\xe4\xbd\xa0",
    b"/public/\xc4\xe3",
    b"/public/\xff",
    b"/public/x\x00y",
    b"/public/x\x7fy",
    b"/public/x y",
    b"/public/x\ty",
    b"/public/x?a b",
    b"/public/x?\xe4\xbd\xa0",
    b"",
    b" /public/x",
)


def _absolute() -> Iterator[Case]:
    for stage in _STAGES:
        for target in _ELSEWHERE:
            yield _refused("P17", target, stage)
        for target in _SAME_HOST_REFUSED:
            yield _refused("P17", target, stage)
        for target, path in _SAME_HOST:
            yield _same_host(target, Arrives(line=b"GET %b HTTP/1.1" % path), stage)
        yield Case(
            row="P17",
            title=f"another Host than the target's, on {stage}",
            send=request(line=b"GET http://@HOST@/public/x HTTP/1.1", host=b"Host: evil"),
            expect=refused(400, codes=["target_refused"]),
            stage=stage,
        )
    yield Case(
        row="P17",
        title="the same host, a required route",
        send=request(line=b"GET http://@HOST@/admin/x HTTP/1.1"),
        expect=Usual(Arrives(line=b"GET /admin/x HTTP/1.1", service="admin")),
        over=(("required", "none"), ("required", "valid"), ("required", "invalid")),
        may_arrive=(b"GET /admin/x",),
    )
    # On the catch-all `/`, which is the path that a target without one means (RFC 9112 3.2.2).
    yield _same_host(b"http://@HOST@", Arrives(line=b"GET / HTTP/1.1"), CATCH_ALL)
    yield _same_host(b"http://@HOST@?a=b", Arrives(line=b"GET /?a=b HTTP/1.1"), CATCH_ALL)


def _same_host(target: bytes, arrives: Arrives, stage: str) -> Case:
    assert arrives.line is not None
    return Case(
        row="P17",
        title=f"{shown(target)} on {stage}",
        send=request(line=b"GET %b HTTP/1.1" % target),
        expect=forwarded(arrives),
        over=(("public", "none"), ("public", "valid")),
        stage=stage,
        may_arrive=(arrives.line.removesuffix(b" HTTP/1.1"),),
    )


def _refused(row: str, target: bytes, stage: str, method: bytes = b"GET") -> Case:
    return Case(
        row=row,
        title=f"{method.decode()} {shown(target) or 'nothing'} on {stage}",
        send=request(line=b"%b %b HTTP/1.1" % (method, target)),
        expect=refused(400, 405),
        over=(("required", "none"), ("required", "valid")),
        stage=stage,
    )


_FORMS = (
    (b"OPTIONS", b"*"),
    (b"GET", b"*"),
    (b"POST", b"*"),
    (b"OPTIONS", b"/*/../admin/x"),
    (b"CONNECT", b"@HOST@:443"),
    (b"CONNECT", b"xn--:80"),
    (b"CONNECT", b"xn--"),
    (b"CONNECT", b"127.0.0.1:80"),
    (b"CONNECT", b"/public/x"),
    (b"GET", b"@HOST@:443"),
    (b"OPTIONS", b"@HOST@:443"),
    (b"TRACE", b"/public/x"),
)


def _lengths() -> Iterator[Case]:
    """`limits.target` is 8 KiB here: exactly so much goes on, one byte more is 414."""
    for title, start in (("path", b"/public/"), ("query", b"/public/x?"), ("escapes", b"/public/")):
        unit = b"%E4" if title == "escapes" else b"a"
        exact = start + unit * ((8192 - len(start)) // len(unit))
        exact = exact.ljust(8192, b"a")
        line = b"GET %b HTTP/1.1"
        yield Case(
            row="P19",
            title=f"a target of 8192 bytes, {title}",
            send=request(line=line % exact),
            expect=forwarded(Arrives(line=line % exact)),
        )
        for more in (1, 2, 20_000):
            yield Case(
                row="P19",
                title=f"a target of {8192 + more} bytes, {title}",
                send=request(line=line % (exact + b"a" * more)),
                expect=refused(414, codes=["target_too_long"]),
            )


def _tickets() -> Iterator[Entry]:
    """What a route does not take is cut out all the same, and grants nothing."""
    send = request(line=b"GET /public/x?gw_ticket=evil&a=b&gw%5fticket=evil HTTP/1.1")
    yield Case(
        row="P16",
        title="a ticket is cut out of a query",
        send=send,
        expect=forwarded(Arrives(line=b"GET /public/x?a=b HTTP/1.1")),
        may_arrive=(b"GET /public/x",),
    )
    yield Case(
        row="P16",
        title="a ticket grants nothing where none is taken",
        send=request(line=b"GET /admin/x?gw_ticket=@A@ HTTP/1.1", session=False),
        expect=refused(401, codes=["session_missing"], ends="either"),
    )


def entries() -> Iterator[Entry]:
    """List P17 to P20, and what of P16 is not a spelling."""
    yield from _absolute()
    for stage in _STAGES:
        for method, target in _FORMS:
            yield _refused("P18", target, stage, method)
        for target in _NO_TARGETS:
            yield _refused("P20", target, stage)
    yield from _lengths()
    yield Case(
        row="P19",
        title="a query with bad percent signs",
        send=request(line=b"GET /public/x?a=%zz&b=% HTTP/1.1"),
        expect=Expect(
            statuses=(frozenset({200}),),
            ends="open",
            arrives=(Arrives(line=b"GET /public/x?a=%zz&b=% HTTP/1.1"),),
        ),
    )
    yield from _tickets()
    yield Proven(
        row="P20",
        title="whatever is no target is refused, whatever it is",
        tests=(
            "tests/test_target.py::test_rubbish_is_refused_and_never_crashes",
            "tests/test_target.py::test_no_reading_of_a_parsed_target_holds_a_dot_segment",
        ),
    )
