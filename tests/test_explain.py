"""`explain` says what the proxy does: in parts, in text, and never anything else."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings

from gateway.admission import RawRequest
from gateway.clock import now
from gateway.explain import Explanation, describe, explain
from gateway.explaining import open_explain_parts
from tests.support.comparison import open_comparison
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.odd_requests import EXAMPLES, Example
from tests.support.raw import ask

HOST = (b"Host", b"gw")


def raw(line: str, *fields: tuple[bytes, bytes]) -> RawRequest:
    """A request as it came from this machine."""
    method, _, target = line.partition(" ")
    return RawRequest(method, target, (1, 1), fields or (HOST,), "127.0.0.1")


async def explained(running: RunningGateway, request: RawRequest) -> Explanation:
    async with open_explain_parts(running.settings, now) as parts:
        return await explain(request, "request-id", parts)


# -- parts and text ---------------------------------------------------------------------------


async def test_a_forwarded_request(running: RunningGateway) -> None:
    """Route, decision, and the head that the service would get, identity last."""
    token = await running.login()
    authorization = (b"Authorization", b"Bearer " + token.encode())
    spoof = (b"X_OpenId", b"evil")
    found = await explained(running, raw("GET /api/orders/1?a=b", HOST, authorization, spoof))
    assert found.decision == "forwarded"
    assert found.route is not None
    assert found.session is not None
    assert found.outgoing is not None
    assert (found.route.name, found.outgoing.target) == ("/api/", "/orders/1?a=b")
    text = describe(found)
    assert text.splitlines()[:4] == [
        "decision  forwarded",
        "route     /api/ (session: required)",
        "upstream  main",
        "sends     GET /orders/1?a=b",
    ]
    openid = str((await running.codes())["openid"])
    assert f"          X-OpenId: {openid}" in text.splitlines()
    assert "          X-Platform: wechat" in text.splitlines()
    assert "          X-Forwarded-Prefix: /api" in text.splitlines()
    assert token not in text
    assert "evil" not in text


@pytest.mark.parametrize(
    ("line", "decision", "rest"),
    [
        (
            "GET /api/orders/1",
            "refused: 401 session_missing",
            [
                "because   log in, and send the token as `Authorization: Bearer <token>`",
                "route     /api/ (session: required)",
                "upstream  main",
            ],
        ),
        ("GET /nothing", "refused: 404 route_not_found", None),
        ("TRACE /public/1", "refused: 405 method_not_allowed", None),
        ("PUT /login", "refused: 405 method_not_allowed", ["because   this path takes POST"]),
        ("GET /public/../api/", "refused: 400 target_refused", None),
        ("POST /login", "answered by the gateway: login", []),
        ("GET /session", "answered by the gateway: session", []),
        (
            "GET /hello.txt",
            "answered by the gateway: respond",
            ["route     /hello.txt (session: none)", "upstream  none: respond"],
        ),
    ],
)
async def test_what_is_not_forwarded(
    running: RunningGateway, line: str, decision: str, rest: list[str] | None
) -> None:
    """The decision first, then why or by which route."""
    lines = describe(await explained(running, raw(line))).splitlines()
    assert lines[0] == f"decision  {decision}"
    if rest is not None:
        assert lines[1:] == rest


async def test_a_refusal_after_routing_names_the_route(tmp_path: Path) -> None:
    """A body too large for it, a prefix that cannot be cut."""
    async with run_gateway(tmp_path, {"server": {"limits": {"body": "1KiB"}}}) as running:
        large = raw("POST /public/1", HOST, (b"Content-Length", b"1025"))
        found = await explained(running, large)
        assert found.refusal is not None
        assert found.refusal.code == "body_too_large"
        assert "route     /public/ (session: none)" in describe(found)


BIG = {
    "target": (8191, 8192, 8193, 8194),
    "fields": (126, 127, 128),
    "field": (32 * 1024 - 40, 32 * 1024 - 10, 32 * 1024 + 1),
}


@pytest.mark.parametrize("host", ["gw", "g/w"])
@pytest.mark.parametrize("what", BIG)
async def test_sizes_are_refused_as_the_parser_does(
    running: RunningGateway, what: str, host: str
) -> None:
    """At each bound, and before anything else that may be wrong."""
    for size in BIG[what]:
        target = "/public/1".ljust(size, "a") if what == "target" else "/public/1"
        fields = [f"X-N: {n}" for n in range(size)] if what == "fields" else []
        fields += [f"X-Big: {'x' * size}"] if what == "field" else []
        lines = [f"Host: {host}", *fields]
        pairs = [line.split(": ") for line in lines]
        request = raw(f"GET {target}", *((name.encode(), value.encode()) for name, value in pairs))
        expected = await explained(running, request)
        head = "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""])
        answer = await ask(running.port, head.encode())
        code = expected.refusal.code if expected.refusal is not None else None
        assert answer.value("X-Gateway-Error") == code, size


async def test_text_is_safe_for_a_terminal(running: RunningGateway) -> None:
    """Escape sequences and bytes that are no UTF-8 are shown, not obeyed (attacks.md L1)."""
    odd = (b"X-Odd", b"\xff \xc2\x9b31m \xe4\xbd\xa0")
    text = describe(await explained(running, raw("GET /public/1", HOST, odd)))
    assert "X-Odd: \\xff \\x9b31m 你" in text


# -- the property: explain and the gateway never differ ---------------------------------------


@pytest.mark.parametrize("trusted", [[], ["127.0.0.0/8"]])
def test_explain_never_differs_from_the_gateway(tmp_path: Path, trusted: list[str]) -> None:
    """Same refusals, same endpoints, and the same bytes to the service but for the request id."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        comparison = runner.run(open_comparison(stack, tmp_path, trusted))
        try:

            @settings(max_examples=400, deadline=None, database=None)
            @given(EXAMPLES)
            def never_differs(example: Example) -> None:
                runner.run(comparison.compare(example))

            never_differs()
        finally:
            runner.run(stack.aclose())
    counted = (comparison.forwarded, comparison.refused, comparison.own)
    assert min(counted) > 10, f"forwarded, refused, own: {counted}: the examples say too little"
