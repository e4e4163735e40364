"""G4 to G7: methods, cross-origin questions, caches, and paths that look like patterns."""

from collections.abc import Iterator

from tests.attack.model import (
    EVERYWHERE,
    ROUTES,
    Arrives,
    Carried,
    Case,
    Entry,
    Expect,
    Reply,
    RouteKind,
    Usual,
    forwarded,
    is_let_in,
    refused,
    request,
)

_GUARDED: tuple[tuple[RouteKind, Carried], ...] = (
    ("required", "none"),
    ("required", "valid"),
    ("required", "invalid"),
)
_OVERRIDES = (
    b"X-HTTP-Method-Override: GET",
    b"X-HTTP-Method: GET",
    b"X-Method-Override: GET",
    b"X_HTTP_Method_Override: GET",
    b"x.http.method.override: GET",
    b"X-Original-Method: GET",
    b"X-Forwarded-Method: GET",
)
_KNOWN_ELSEWHERE = b"PROPFIND MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT PURGE LINK M-SEARCH".split()
"""Methods that the parser knows and no route takes."""
_UNKNOWN = b"FOO BREW get Get gET GETT GE POSTT HEADER XGET_ _GET GET* OPTIONSX QUERYX".split()
_REFUSED = b"TRACE TRACK CONNECT PRI".split()
_BROKEN = (b"GET\x00", b"G\x7fET", b"G\xc3\xa9T", b"GET:", b"(GET)", b'"GET"', b"G/ET", b"@GET")


def _overrides() -> Iterator[Case]:
    """A route's list of methods and its session are chosen by the request line alone."""
    for line in _OVERRIDES:
        yield Case(
            row="G4",
            title=f"{line.decode()}, a route for GET",
            send=request(line, line=b"DELETE /get/x HTTP/1.1"),
            expect=refused(405, codes=["method_not_allowed"], ends="either"),
            stage="paths",
        )
        yield Case(
            row="G4",
            title=f"{line.decode()}, a path whose POST is guarded",
            send=request(line, b"Content-Length: 0", line=b"POST /both/x HTTP/1.1"),
            expect=Usual(
                Arrives(
                    line=b"POST /both/x HTTP/1.1",
                    service="admin",
                    lacks=(
                        line.partition(b":")[0].lower().replace(b"_", b"-").replace(b".", b"-"),
                    ),
                )
            ),
            over=_GUARDED,
            stage="paths",
        )
    for target in (b"/both/x?_method=POST", b"/both/x?method=POST&X-HTTP-Method-Override=POST"):
        line = b"GET %b HTTP/1.1" % target
        yield _case(f"{target.decode()} is a GET", line, forwarded(Arrives(line=line)))


_BY_ROUTE: tuple[tuple[bytes, Expect], ...] = (
    (b"GET /get/x", forwarded()),
    (b"HEAD /get/x", forwarded()),
    (b"HEAD /both/x", forwarded()),
    (b"POST /get/x", refused(405, ends="either")),
    (b"OPTIONS /get/x", refused(405, ends="either")),
    (b"GET /post/x", refused(405, ends="either")),
    (b"HEAD /post/x", refused(405, ends="either")),
    (b"PUT /both/x", refused(405, ends="either")),
    (b"OPTIONS /both/x", refused(405, ends="either")),
    (b"POST /both/x", refused(401, ends="either")),
)
"""On a stage with a catch-all that takes all methods: none of them falls through to it."""


def _methods() -> Iterator[Case]:
    for first, expect in _BY_ROUTE:
        yield _case(first.decode(), first + b" HTTP/1.1", expect)
    for method in _KNOWN_ELSEWHERE:
        refusal = refused(405, codes=["method_not_allowed"], ends="either")
        yield _case(method.decode(), method + b" /public/x HTTP/1.1", refusal)
    for method in _REFUSED:
        yield _case(method.decode(), method + b" /public/x HTTP/1.1", refused(400, 405))
    # The page says 405 or 501. The parser cannot tell a method it does not know from bytes that are
    # no request, and so all of them are 400 and the end of the connection.
    for method in (*_UNKNOWN, *_BROKEN):
        title = ascii(method.decode("latin-1"))[1:-1]
        for target in (b"/public/x", b"/admin/x"):
            line = b"%b %b HTTP/1.1" % (method, target)
            yield _case(f"{title} {target.decode()}", line, refused(400, 405, 501))
    for method in (b"PATCH", b"DELETE", b"OPTIONS", b"PUT"):
        line = b"%b /public/x HTTP/1.1" % method
        yield _case(f"{method.decode()} goes on", line, forwarded(Arrives(line=line)))


def _case(title: str, line: bytes, expect: Expect) -> Case:
    return Case(
        row="G4",
        title=title,
        send=request(line=line),
        expect=expect,
        over=(("public", "none"),) if expect.arrives or "/both/" in title else _OPEN,
        stage="paths",
    )


_OPEN: tuple[tuple[RouteKind, Carried], ...] = (("public", "none"), ("public", "valid"))
_ORIGINS = (b"https://evil.example", b"null", b"http://@HOST@", b"https://servicewechat.com", b"*")
_ASKS = (b"Access-Control-Request-Method: DELETE", b"Access-Control-Request-Headers: x-openid")


def _cross_origin() -> Iterator[Case]:
    """A preflight is a request as any other: on a guarded route it reaches no service."""
    hides = (b"Access-Control", b"access-control", b"evil")
    for origin in _ORIGINS:
        for line in (b"OPTIONS @ROUTE@/x HTTP/1.1", b"POST @ROUTE@/x HTTP/1.1"):
            for route in ROUTES:
                for carried in ("none", "valid"):
                    lets_in = is_let_in(route, carried)
                    arrives = (Arrives(has=(b"Origin: " + origin,)),) if lets_in else ()
                    yield Case(
                        row="G5",
                        title=f"{line.split()[0].decode()} from {origin.decode()}, "
                        f"{route} {carried}",
                        send=request(b"Origin: " + origin, *_ASKS, line=line),
                        # The service's answer repeats the request line, where no origin stands.
                        expect=Expect(
                            statuses=(frozenset({200 if lets_in else 401}),),
                            arrives=arrives,
                            hides=hides,
                        ),
                        over=((route, carried),),
                    )
        for path in (b"/login", b"/session", b"/logout"):
            yield Case(
                row="G5",
                title=f"OPTIONS {path.decode()} from {origin.decode()}",
                send=request(b"Origin: " + origin, *_ASKS, line=b"OPTIONS %b HTTP/1.1" % path),
                expect=Expect(statuses=(frozenset({405}),), hides=hides),
            )
    allowed = b"Access-Control-Allow-Origin: https://shop.example\r\nVary: Origin\r\n"
    yield Case(
        row="G5",
        title="what a service allows is its own affair",
        send=request(b"Origin: https://shop.example", line=b"OPTIONS @ROUTE@/x HTTP/1.1"),
        expect=Expect(
            statuses=(frozenset({204}),), ends="open", arrives=(Arrives(),), holds=(allowed,)
        ),
        replies=(Reply(b"HTTP/1.1 204 No Content\r\n" + allowed + b"\r\n"),),
    )


def _caches() -> Iterator[Case]:
    """Nothing is kept, and nothing of ours may be."""
    twice = request() + request()
    yield Case(
        row="G6",
        title="the same asked twice is asked of the service twice",
        send=twice,
        expect=forwarded(Arrives(), Arrives()),
        over=(*EVERYWHERE[:1], ("required", "valid")),
        explained=False,  # two requests
    )
    silent = (b"Cache-Control", b"cache-control", b"Age:", b"Expires", b"ETag", b"public,")
    yield Case(
        row="G6",
        title="we call no service's answer fit to be kept",
        send=request(),
        expect=Expect(
            statuses=(frozenset({200}),), ends="open", arrives=(Arrives(),), hides=silent
        ),
        over=(("public", "none"), ("optional", "valid"), ("required", "valid")),
    )
    for title, line in (
        ("401", b"GET /admin/x HTTP/1.1"),
        ("404", b"GET /nothing HTTP/1.1"),
        ("400", b"GET /public/../x HTTP/1.1"),
        ("a login", b"POST /login HTTP/1.1"),
        ("a session", b"GET /session HTTP/1.1"),
    ):
        yield Case(
            row="G6",
            title=f"our own answers are not to be kept: {title}",
            send=request(b"If-None-Match: *", line=line),
            expect=Expect(
                statuses=(frozenset({400, 401, 404}),), holds=(b"Cache-Control: no-store",)
            ),
        )
    yield Case(
        row="G6",
        title="another Host's query and port are no key of ours",
        send=request(host=b"Host: other.test:81") + request(),
        expect=forwarded(Arrives(has=(b"Host: other.test:81",)), Arrives(has=(b"Host: @HOST@",))),
        may_arrive=(b"GET @ROUTE@/x",),
        explained=False,  # two requests
    )


def _literals() -> Iterator[Case]:
    """A dot in a route's path is a dot."""
    for stage in ("hosts-10", "hosts-500"):
        for target, expect in (
            (b"/re.x/y", forwarded(Arrives(line=b"GET /re.x/y HTTP/1.1"))),
            (b"/re%2ex/y", forwarded(Arrives(line=b"GET /re%2ex/y HTTP/1.1"))),
            (b"/reax/y", refused(404, ends="either")),
            (b"/x/re.x/y", refused(404, ends="either")),
            (b"/re.x.y", refused(404, ends="either")),
            (b"/" + b"a" * 4000, refused(404, ends="either")),
            (b"/re.x/" + b"/" * 4000, refused(400, ends="either")),
        ):
            yield Case(
                row="G7",
                title=f"{target[:20].decode()} ({len(target)}) on {stage}",
                send=request(line=b"GET %b HTTP/1.1" % target),
                expect=expect,
                stage=stage,
            )


def entries() -> Iterator[Entry]:
    """List G4 to G7."""
    yield from _overrides()
    yield from _methods()
    yield from _cross_origin()
    yield from _caches()
    yield from _literals()
