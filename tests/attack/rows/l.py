"""L: leakage and logs; what answers say (L3 to L6), and in `l_log` what the log says."""

import json
from collections.abc import Iterator

from tests.attack.asking import Told, log_in, tell, tell_admin
from tests.attack.model import (
    EVERYWHERE,
    Arrives,
    Carried,
    Case,
    Check,
    Entry,
    Expect,
    Proven,
    Reply,
    RouteKind,
    is_let_in,
    refused,
    request,
)
from tests.attack.rows import l_log
from tests.attack.stage import Stage

FAMILY = "L"

# -- L3: nothing is echoed ------------------------------------------------------------------------

_BAD_LINES: tuple[tuple[str, bytes], ...] = (
    ("NUL in Authorization", b"Authorization: Bearer @A@\x00evil"),
    ("a control in Authorization", b"Authorization: Bearer @A@\x07evil"),
    ("DEL in Authorization", b"Authorization: Bearer @A@\x7fevil\x00"),
    ("NUL in Cookie", b"Cookie: evil=@A@\x00"),
    ("NUL in X-Session-Token", b"X-Session-Token: @A@\x00evil"),
    ("a folded token", b"X-Session-Token:\r\n @A@ evil"),
    ("a line without a colon", b"@A@ evil"),
    ("a token as a name", b"@A@ : evil"),
    ("a bare CR", b"Authorization: Bearer @A@\rX: evil"),
    ("a bare LF", b"Authorization: Bearer @A@\nX: evil"),
)
_LINE = b"GET @ROUTE@/x HTTP/1.1"
_BAD_REQUESTS: tuple[tuple[str, bytes], ...] = (
    ("a bad version", request(line=b"GET @ROUTE@/@A@?evil HTTP/9.9", session=False)),
    ("no version", request(line=b"GET @ROUTE@/@A@?evil", session=False)),
    ("a token as a method", request(line=b"@A@ @ROUTE@/evil HTTP/1.1", session=False)),
    ("a token as the host", request(line=_LINE, host=b"Host: @A@/evil@x", session=False)),
    ("a length of letters", request(b"Content-Length: @A@", session=False)),
    ("a coding", request(b"Transfer-Encoding: @A@evil", session=False)),
    ("a control in the path", request(line=b"GET @ROUTE@/@A@%00evil HTTP/1.1", session=False)),
    ("a dot segment", request(line=b"GET @ROUTE@/../@A@evil HTTP/1.1", session=False)),
    ("an expectation", request(b"Expect: @A@evil", session=False)),
    ("an upgrade", request(b"Connection: upgrade", b"Upgrade: @A@evil", session=False)),
)
_HIDES = (b"@A@", b"evil", b"Traceback", b"aiohttp", b"Python", b".py", b", line ")


def _not_echoed() -> Iterator[Entry]:
    bad = Expect(statuses=(frozenset({400}),), ends="closed", hides=_HIDES)
    for title, line in _BAD_LINES:
        send = request(line, session=False)
        yield Case(row="L3", title=title, send=send, expect=bad, over=(("required", "none"),))
    any_refusal = Expect(
        statuses=(frozenset({400, 401, 405, 417, 501, 505}),), ends="either", hides=_HIDES
    )
    for title, data in _BAD_REQUESTS:
        over: tuple[tuple[RouteKind, Carried], ...] = (("required", "none"),)
        yield Case(row="L3", title=title, send=data, expect=any_refusal, over=over)
    yield Proven(
        row="L3",
        title="a platform's words, and errors that carry its URL",
        tests=(
            "tests/platforms/test_contract_refusals.py::test_nothing_private_is_logged",
            "tests/platforms/test_contract_refusals.py::test_each_row_of_the_error_table",
        ),
    )


# -- L4: our own failures -------------------------------------------------------------------------

_REPLIES: tuple[tuple[str, bytes], ...] = (
    ("garbage", b"evil evil evil\r\n\r\n"),
    ("nothing", b""),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nevil"),
    ("a bad status", b"HTTP/1.1 9999 evil\r\n\r\n"),
    ("a NUL", b"HTTP/1.1 200 OK\r\nevil: \0\r\n\r\n"),
    ("half a head", b"HTTP/1.1 200 OK\r\nevil: x"),
    ("a 101 unasked for", b"HTTP/1.1 101 evil\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\n"),
    ("a line of 1 MB", b"HTTP/1.1 200 OK\r\nevil: " + b"e" * 1_000_000 + b"\r\n\r\n"),
)
_GENERIC = (b"evil", b"127.0.0.1", b"Traceback", b"main", b"Errno", b"socket", b"asyncio")


def _own_failures() -> Iterator[Entry]:
    for title, reply in _REPLIES:
        for line in (b"GET", b"POST"):
            # A GET without an answer is asked once more: both get what is scripted.
            yield Case(
                row="L4",
                title=f"a service answers {title}, {line.decode()}",
                send=request(line=line + b" @ROUTE@/x HTTP/1.1"),
                expect=tuple(
                    Expect(
                        statuses=(frozenset({502}),),
                        arrives=(Arrives(),) * count,
                        codes=frozenset({"upstream_error"}),
                        holds=(b"X-Request-Id: ", b'"request_id":"'),
                        hides=_GENERIC,
                    )
                    for count in (1, 2)
                ),
                replies=(Reply(reply, closes=True),) * 2,
                over=(("public", "none"), ("required", "valid")),
            )
    for path in (b"/gone", b"/gone-by-name", b"/gone-by-path"):
        # Our own name of the service is told (`upstreams`), its address and the cause are not.
        yield Case(
            row="L4",
            title=f"no service behind {path.decode()}",
            send=b"GET %b/x HTTP/1.1\r\nHost: @HOST@\r\n\r\n" % path,
            expect=Expect(
                statuses=(frozenset({502, 503, 504}),),
                codes=frozenset({"upstream_unavailable"}),
                holds=(b"X-Request-Id: ", b'"request_id":"'),
                hides=(*_GENERIC, b"invalid", b".sock"),
            ),
            stage="text-log",
        )
    yield Proven(
        row="L4",
        title="a fault of ours is a 500 without a word",
        tests=(
            "tests/test_entry.py::test_a_handler_that_fails_is_a_500_without_a_word",
            "tests/admin/test_api.py::test_a_failure_of_ours_tells_nothing",
        ),
    )


# -- L5: who serves -------------------------------------------------------------------------------


def _banners() -> Iterator[Entry]:
    for route, carried in EVERYWHERE:
        let_in = Expect(
            statuses=(frozenset({200}),), ends="open", hides=_BANNERS, arrives=(Arrives(),)
        )
        stopped = Expect(statuses=(frozenset({401}),), hides=_BANNERS)
        yield Case(
            row="L5",
            title=f"no Server, no Via, {route}, {carried}",
            send=request(),
            expect=let_in if is_let_in(route, carried) else stopped,
            over=((route, carried),),
        )
    for line in (
        *(b"GET /nowhere", b"POST /login", b"PUT /login", b"GET /session", b"POST /logout"),
        *(b"POST /session/renew", b"POST /session/ticket", b"GET /..", b"OPTIONS *", b"TRACE /x"),
        *(b"CONNECT x:443", b"GET /healthz", b"GET /metrics", b"BREW /pot", b"GET /favicon.ico"),
        *(b"GET /decrypt", b"POST /phone", b"GET /auth", b"GET /.well-known/jwks.json"),
    ):
        yield Case(
            row="L5",
            title=f"no Server, no Via: {line.decode()}",
            send=line + b" HTTP/1.1\r\nHost: @HOST@\r\n\r\n",
            expect=Expect(
                statuses=(frozenset({400, 401, 404, 405, 501}),), ends="either", hides=_BANNERS
            ),
        )
    yield Check(row="L5", title="nor on the admin listener", run=_admin_banner)


_BANNERS = (b"Server:", b"Via:", b"X-Powered-By", b"aiohttp", b"Python", b"uvloop", b"gateway/")


def _admin_banner(stage: Stage) -> list[str]:
    amiss = []
    for line in (
        "GET /healthz",
        "GET /metrics",
        "GET /nowhere",
        "GET /api/sessions",
        "PUT /readyz",
    ):
        for token in ("", "wrong-token-of-nobody"):
            told = tell_admin(stage, line, token=token)
            amiss += [f"{line} names {name}" for name in ("server", "via") if name in told.headers]
            if told.status >= 400 and b"aiohttp" in told.body:
                amiss.append(f"{line} says what serves it")
    return amiss


# -- L6: whoami -----------------------------------------------------------------------------------

_SHOWN = {"platform", "app", "created_at", "expires_at", "expires_in", "anonymous"}


def _only_what_is_promised(stage: Stage) -> list[str]:
    given = stage.code(user="somebody-shown")
    login = log_in(stage, given["code"])
    token = str(login.document["token"])
    renewed = tell(stage, "POST /session/renew", token=token)
    shown = tell(stage, "GET /session", token=token)
    ticket = tell(stage, "POST /session/ticket", token=token, body={"path": "/api/x"})
    # Design 4 lists a login's without created_at; telling it too says nothing new.
    amiss = _unlike("login", login, _SHOWN | {"token", "token_type"})
    amiss += _unlike("renewal", renewed, _SHOWN | {"token", "token_type"})
    amiss += _unlike("session", shown, _SHOWN)
    amiss += _unlike("ticket", ticket, {"ticket", "expires_in"})
    for told in (login, renewed, shown, ticket):
        if given["openid"].encode() in told.body + json.dumps(told.headers).encode():
            amiss.append("an answer holds the openid")
        if "set-cookie" in told.headers or told.headers.get("cache-control") != "no-store":
            amiss.append("an answer may be kept")
    return amiss


def _unlike(name: str, told: Told, wanted: set[str]) -> list[str]:
    found = set(told.document)
    return [] if found == wanted else [f"{name} tells {sorted(found ^ wanted)}"]


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from l_log.entries()
    yield from _not_echoed()
    yield from _own_failures()
    yield from _banners()
    yield Check(row="L6", title="answers hold what is promised", run=_only_what_is_promised)
    yield Proven(
        row="L6",
        title="the openid is shown only where settings say so",
        tests=(
            "tests/endpoints/test_session.py::test_the_openid_is_shown_only_where_settings_say_so",
        ),
    )
    yield Case(
        row="L6",
        title="no userinfo of another name",
        send=request(line=b"GET /userinfo HTTP/1.1"),
        expect=refused(404, codes=["route_not_found"], ends="open"),
    )
