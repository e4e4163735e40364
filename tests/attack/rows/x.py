"""X: injection and configuration; settings stand in `x_settings`."""

import json
from collections.abc import Iterator

from tests.attack.asking import tell, tell_admin
from tests.attack.model import (
    WITH_SESSION,
    Arrives,
    Case,
    Check,
    Entry,
    Expect,
    NotApplicable,
    Proven,
    Reply,
    forwarded,
    refused,
    request,
)
from tests.attack.rows import x_settings
from tests.attack.stage import ADMIN_TOKEN, Stage

FAMILY = "X"
_SPLITS = (b"%0d%0aSet-Cookie:%20evil", b"%0aSet-Cookie:evil", b"%E5%98%8A%E5%98%8DSet-Cookie:evil")
_SPLIT = (b"Set-Cookie", b"\nevil", b"X-Evil")


# -- X1: response splitting -----------------------------------------------------------------------


def _splitting() -> Iterator[Entry]:
    kept = Expect(statuses=(frozenset({200, 400, 401, 404, 405, 414}),), hides=_SPLIT)
    for split in _SPLITS:
        for path in (b"/nowhere", b"/login", b"/session", b"/public/x", b"/public/x?a="):
            line = b"GET %b%b HTTP/1.1" % (path, split)
            # What a service is asked for is its own to answer: there, it is the very line sent.
            arrives = Arrives(line=line, person=None)
            hides = (b"\nSet-Cookie", b"\r\nSet-Cookie", b"X-Evil")
            arrived = Expect(
                statuses=(frozenset({200}),), ends="open", arrives=(arrives,), hides=hides
            )
            yield Case(
                row="X1",
                title=f"{path.decode()}{split.decode()}",
                send=line + b"\r\nHost: @HOST@\r\n\r\n",
                expect=(kept, arrived) if path.startswith(b"/public") else kept,
            )
    for title, line in (
        ("X-Request-Id", b"X-Request-Id: evil"),
        ("X-Request-Id with escapes", b"X-Request-Id: a%0d%0aX-Evil: evil"),
        ("Origin", b"Origin: http://evil"),
        ("Origin null", b"Origin: null"),
        ("a preflight's names", b"Access-Control-Request-Headers: evil"),
    ):
        hides = (b"Access-Control", b"X-Evil", b"evil")
        yield Case(
            row="X1",
            title=f"not in an answer of ours: {title}",
            send=request(line, line=b"GET /session HTTP/1.1"),
            expect=Expect(statuses=(frozenset({401}),), ends="open", hides=hides),
        )
    yield Case(
        row="X1",
        title="a method that is none, in Allow",
        send=request(line=b"EVIL /login HTTP/1.1"),
        expect=Expect(statuses=(frozenset({400, 405, 501}),), hides=(b"EVIL",)),
    )
    yield Case(
        row="X1",
        title="a number of the platform's with CR LF",
        send=b"GET /api/v1/registers/wechat_program/wechathostile?code=@CODE@ HTTP/1.1\r\n"
        b"Host: @HOST@\r\n\r\n",
        expect=Expect(statuses=(frozenset({502}),), arrives=(Arrives(person=None),), hides=_SPLIT),
        stage="platforms",
        may_arrive=(b"GET /sns/jscode2session",),
        replies=(_platform_says({"errcode": "40029\r\nSet-Cookie: evil"}),),
        explained=False,
    )


def _platform_says(document: object) -> Reply:
    body = json.dumps(document).encode()
    return Reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


# -- X4: the client chooses no host ---------------------------------------------------------------


def _redirects() -> Iterator[Entry]:
    for status in (301, 302, 303, 307, 308):
        for location in (b"http://127.0.0.1:1/evil", b"//evil/", b"/elsewhere"):
            reply = b"HTTP/1.1 %d Elsewhere\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
            yield Case(
                row="X4",
                title=f"a {status} to {location.decode()} is passed on, not followed",
                send=request(),
                expect=Expect(
                    statuses=(frozenset({status}),),
                    ends="open",
                    arrives=(Arrives(),),
                    holds=(b"Location: " + location,),
                ),
                replies=(Reply(reply % (status, location)),),
                over=WITH_SESSION,
            )
    bad = refused(400, codes=["target_refused", "bad_request"], ends="either")
    for target in (
        *(b"http://evil/x", b"https://evil/x", b"http://169.254.169.254/latest", b"ftp://evil/x"),
        *(b"http://@HOST@@evil/x", b"http://evil#@HOST@/x", b"http://[::1]/x"),
        *(b"http:///evil", b"http:evil", b"evil:80", b"file:///etc/passwd", b"unix:/tmp/evil"),
        *(b"http://@HOST@:80@evil/", b"@evil/x", b"\\\\evil\\x", b"/\\evil/x", b"http://evil%2f/"),
    ):
        yield Case(
            row="X4",
            title=f"no other host: {target.decode()}",
            send=request(line=b"GET %b HTTP/1.1" % target, session=False),
            expect=bad,
        )
    for target in (b"//evil/x", b"///evil", b"/public//evil/x"):
        yield Case(
            row="X4",
            title=f"a path, no host: {target.decode()}",
            send=request(line=b"GET %b HTTP/1.1" % target, session=False),
            expect=refused(400, 404, codes=["target_refused", "route_not_found"], ends="open"),
        )
    for name in (b"X-Forwarded-Host", b"X-Host", b"X-Upstream", b"X-Original-URL", b"Destination"):
        yield Case(
            row="X4",
            title=f"{name.decode()} chooses nothing",
            send=request(name + b": http://127.0.0.1:1/other"),
            expect=forwarded(Arrives(line=b"GET @UP@/x HTTP/1.1")),
            over=WITH_SESSION,
        )


# -- X6: admin ------------------------------------------------------------------------------------

_CALLS = ("sessions", "sessions/x", "subjects/revoke", "subjects/block", "subjects/unblock")


def _admin_is_elsewhere(stage: Stage) -> list[str]:
    amiss = []
    token = stage.people["A"].token
    for path in ("/healthz", "/readyz", "/metrics", *(f"/api/{each}" for each in _CALLS)):
        for method in ("GET", "POST", "DELETE"):
            for given in (ADMIN_TOKEN, token):
                told = tell(stage, f"{method} {path}", token=given)
                # /api/ is a route of the stage: what a user may ask is the service's to answer.
                is_route = path.startswith("/api/") and given == token
                if told.status not in ((200,) if is_route else (401, 404)):
                    amiss.append(f"{method} {path} on the public port: {told.status}")
    for line in ("GET /public/x", "GET /api/x", "POST /login", "GET /session"):
        told = tell_admin(stage, line)
        if told.status != 404:
            amiss.append(f"{line} on the admin port: {told.status}")
    return amiss


def _admin_wants_its_token(stage: Stage) -> list[str]:
    amiss = []
    tokens = (
        *("", stage.people["A"].token, ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper()),
        *(f"{ADMIN_TOKEN},{ADMIN_TOKEN}", f"{ADMIN_TOKEN} {ADMIN_TOKEN}", "null", "*", "\xe9"),
    )
    for token in tokens:
        for path in _CALLS:
            for method in ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"):
                told = tell_admin(stage, f"{method} /api/{path}", token=token)
                if told.status not in (401, 404, 405) or b"openid" in told.body:
                    amiss.append(f"{method} {path}: {told.status}")
    for query in (f"?token={ADMIN_TOKEN}", f"?access_token={ADMIN_TOKEN}"):
        told = tell_admin(stage, f"GET /api/sessions{query}", token="")
        amiss += [] if told.status == 401 else [f"a token in the query: {told.status}"]
    return amiss


def _get_changes_nothing(stage: Stage) -> list[str]:
    """GET and HEAD of every call, with a good token: nobody is out."""
    token, openid = stage.login(user="somebody-to-be-kept")
    whom = f"platform=wechat&app=shop-wechat&openid={openid}"
    listed = tell_admin(stage, f"GET /api/sessions?openid={openid}").document["sessions"]
    assert isinstance(listed, list)
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in (f"sessions/{listed[0]['id']}", *_CALLS):
            for query in ("", f"?{whom}", f"?_method=DELETE&{whom}"):
                tell_admin(stage, f"{method} /api/{path}{query}")
    status = tell(stage, "GET /api/x", token=token).status
    return [] if status == 200 else [f"the session answers {status}"]


def _scopes(stage: Stage) -> list[str]:
    """A token for reading and revoking is not one for anything else."""
    told = [tell_admin(stage, f"POST /api/{path}") for path in ("reload", "sessions/x/decrypt")]
    return [f"answered {each.status}" for each in told if each.status not in (403, 404)]


def _admin() -> Iterator[Entry]:
    yield Check(row="X6", title="a listener of its own", run=_admin_is_elsewhere)
    yield Check(row="X6", title="nothing without its token", run=_admin_wants_its_token)
    yield Check(row="X6", title="GET changes nothing", run=_get_changes_nothing)
    yield Check(row="X6", title="what is not there", run=_scopes)
    yield Proven(
        row="X6",
        title="tokens that are nearly right, scopes, audit",
        tests=("tests/admin/test_tokens.py", "tests/admin/test_api.py"),
    )


def entries() -> Iterator[Entry]:
    """List the family's rows."""
    yield from _splitting()
    yield Proven(
        row="X2",
        title="names are hashes, values come back exactly, scripts take arguments",
        tests=(
            "tests/sessions/test_store.py::test_restored_exactly",
            "tests/sessions/test_store.py::test_subject_names_are_of_fixed_length",
            "tests/sessions/redis/test_store.py::test_names_are_hashes",
            "tests/sessions/redis/test_records.py::test_names_hold_nothing_from_outside",
            "tests/sessions/redis/test_records.py::test_no_bytes_crash_the_reader",
            "tests/endpoints/test_redis_counters.py",
        ),
    )
    yield from x_settings.entries()
    yield from _redirects()
    yield Proven(
        row="X5",
        title="a worker's successor gets the settings of the start, whatever the file says",
        tests=(
            "tests/supervisor/test_parent.py::test_a_new_worker_has_the_settings_of_the_old",
            "tests/supervisor/test_parent.py::test_a_rolling_restart_loses_no_request",
        ),
    )
    yield NotApplicable(
        row="X5",
        title="hot reload",
        reason="waits for `POST /api/reload`, which this version does not serve: settings are"
        " read at the start only",
    )
    yield from _admin()
    yield NotApplicable(
        row="X8",
        title="identity assertions",
        reason="waits for `routes[].assertion`, `identity` and `endpoints.jwks`, which this"
        " version refuses",
    )
