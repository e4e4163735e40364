"""G8, G9: error pages repeat nothing; health, metrics and the admin API stay where they are."""

from collections.abc import Iterator

from tests.attack.model import (
    Arrives,
    Case,
    Check,
    Entry,
    Expect,
    Usual,
    forwarded,
    refused,
    request,
)
from tests.attack.rows.route_stages import HEALTH_PATH
from tests.attack.stage import Stage, ask

_MARKUP = b"<script>evil()</script>"
_FIXED = (b"Content-Type: application/problem+json\r\n", b"X-Gateway-Error: ")
_HIDES = (b"evil", b"<script", b"script>", b"%3Cscript", b"text/html", b"Server:", b"Traceback")
_PAGES: tuple[tuple[str, int, bytes], ...] = (
    ("path", 404, request(line=b"GET /%b HTTP/1.1" % _MARKUP)),
    ("encoded path", 404, request(line=b"GET /%3Cscript%3Eevil HTTP/1.1")),
    ("query", 404, request(line=b"GET /x?q=%b HTTP/1.1" % _MARKUP)),
    ("header", 404, request(b"X-Any: " + _MARKUP, line=b"GET /x HTTP/1.1")),
    ("Accept", 404, request(b"Accept: text/html", line=b"GET /evil HTTP/1.1")),
    ("Referer", 404, request(b"Referer: http://evil/", line=b"GET /x HTTP/1.1")),
    ("Cookie", 404, request(b"Cookie: a=evil", line=b"GET /x HTTP/1.1")),
    ("X-Request-Id", 404, request(b"X-Request-Id: evil-0123456789", line=b"GET /x HTTP/1.1")),
    ("token", 401, request(b"Authorization: Bearer gw1.evil", line=b"GET /api/x HTTP/1.1")),
    ("X-Session-Token", 401, request(b"X-Session-Token: evil", line=b"GET /api/evil HTTP/1.1")),
    ("method", 405, request(line=b"PROPFIND /public/evil HTTP/1.1")),
    ("unknown method", 400, request(line=b"EVIL /public/evil HTTP/1.1")),
    ("dot segment", 400, request(line=b"GET /public/../evil HTTP/1.1")),
    ("bad percent", 400, request(line=b"GET /public/evil%zz HTTP/1.1")),
    ("Host", 400, request(host=b"Host: evil/<script>")),
    ("bad header line", 400, request(b"evil evil: " + _MARKUP)),
    ("NUL in a value", 400, request(b"Authorization: evil\x00")),
    ("Content-Length", 400, request(b"Content-Length: evil")),
    ("Transfer-Encoding", 400, request(b"Transfer-Encoding: evil")),
    ("version", 400, request(line=b"GET /public/x HTTP/evil")),
    ("a target too long", 414, request(line=b"GET /%b HTTP/1.1" % (b"evil" * 3000))),
    ("headers too large", 431, request(b"X-Any: " + b"evil" * 9000)),
    (
        "a body too large",
        413,
        request(b"Content-Length: 9999999999", line=b"PUT /public/evil HTTP/1.1"),
    ),
    ("login", 400, request(b"Content-Length: 6", line=b"POST /login HTTP/1.1", body=b"{evil}")),
)


def _pages() -> Iterator[Case]:
    for title, status, send in _PAGES:
        yield Case(
            row="G8",
            title=f"{status}: {title} is not repeated",
            send=send,
            expect=Expect(statuses=(frozenset({status}),), holds=_FIXED, hides=_HIDES),
        )


_PROBES = (
    b"kube-probe/1.27",
    b"GoogleHC/1.0",
    b"ELB-HealthChecker/2.0",
    b"Consul Health Check",
    b"Aliyun-SLB-HealthCheck",
    b"Tencent-CLB-HealthCheck",
    b"Prometheus/2.45.0",
    b"curl/8.0 healthz",
)
_ADMIN_PATHS = (
    b"/healthz /readyz /metrics /healthz/ /metrics?x /debug /status /server-status /_sim/codes"
    b" /.well-known/jwks.json /favicon.ico /ping /HEALTHZ /admin-api/sessions"
).split()
_HEALTH = HEALTH_PATH.encode()
_UP: tuple[tuple[bytes, int], ...] = (
    (_HEALTH, 200),
    (_HEALTH + b"?/admin/x", 200),
    (_HEALTH + b"/../admin/x", 400),
    (_HEALTH + b"%2f..%2fadmin", 400),
    (_HEALTH + b";x", 400),
    (_HEALTH + b"#/admin", 400),
)


def _health() -> Iterator[Case]:
    for agent in _PROBES:
        line = b"GET /admin/healthz HTTP/1.1"
        yield Case(
            row="G9",
            title=f"a User-Agent grants nothing: {agent.decode()}",
            send=request(b"User-Agent: " + agent, line=line),
            expect=Usual(Arrives(line=line, service="admin")),
            over=(("required", "none"), ("required", "valid"), ("required", "invalid")),
        )
        yield Case(
            row="G9",
            title=f"nor does it find anything: {agent.decode()}",
            send=request(b"User-Agent: " + agent, line=b"GET /healthz HTTP/1.1"),
            expect=refused(404, codes=["route_not_found"], ends="either"),
        )
    for path in _ADMIN_PATHS:
        for method in (b"GET", b"POST"):
            yield Case(
                row="G9",
                title=f"{method.decode()} {path.decode()} is not here",
                send=request(line=b"%b %b HTTP/1.1" % (method, path)),
                expect=refused(404, codes=["route_not_found"], ends="either"),
                over=(("public", "none"), ("required", "valid")),
            )
    for path in (b"/api/sessions", b"/api/reload", b"/api/routes", b"/api/subjects/revoke"):
        # The admin API's paths are the services' own here: an admin's token opens nothing.
        admin = b"Authorization: Bearer admin-token-of-the-attack-suite"
        yield Case(
            row="G9",
            title=f"{path.decode()} with an admin's token",
            send=request(admin, line=b"GET %b HTTP/1.1" % path, session=False),
            expect=refused(401, ends="either"),
        )
    for target, status in _UP:
        up = Expect(statuses=(frozenset({status}),))
        line = b"GET %b HTTP/1.1" % target
        title = f"health_path: {target.decode()}"
        yield Case(row="G9", title=title, send=request(line=line), expect=up, stage="paths")
    below = b"GET %b/x HTTP/1.1" % _HEALTH
    yield Case(
        row="G9",
        title="health_path is one path: what is below it is a route's",
        send=request(line=below),
        expect=forwarded(Arrives(line=below)),
        stage="paths",
    )


def _admin_listener_forwards_nothing(stage: Stage) -> list[str]:
    """No route is served there, with a session or without."""
    token = {"Authorization": f"Bearer {stage.people['A'].token}"}
    amiss = []
    for recorder in stage.services.values():
        recorder.take()  # what came before is not asked about
    for path in ("/public/x", "/opt/x", "/admin/x", "/login", "/session", "/auth"):
        for headers in ({}, token):
            status, _ = ask(stage.admin_port, "GET", path, {"Host": "gw.test", **headers})
            if status not in (401, 403, 404, 405):
                amiss.append(f"{path} is answered {status} there")
    for service, recorder in stage.services.items():
        if any(each.requests for each in recorder.take()):
            amiss.append(f"a request reached {service}")
    return amiss


def _health_answers_there(stage: Stage) -> list[str]:
    """So that the rows above are no accident."""
    found = {path: ask(stage.admin_port, "GET", path, {})[0] for path in ("/healthz", "/metrics")}
    return [f"{path} is answered {status}" for path, status in found.items() if status != 200]


def entries() -> Iterator[Entry]:
    """List G8 and G9."""
    yield from _pages()
    yield from _health()
    yield Check(
        row="G9", title="no route on the admin listener", run=_admin_listener_forwards_nothing
    )
    yield Check(row="G9", title="health is on the admin listener", run=_health_answers_there)
