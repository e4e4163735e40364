"""`explain` says what the proxy does: in parts, in text, and never anything else."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission import RawRequest
from gateway.clock import now
from gateway.explain import ExplainParts, Explanation, describe, explain
from gateway.explaining import open_explain_parts
from tests.support.gateway import ROUTES, RunningGateway, run_gateway
from tests.support.own import send, token_of
from tests.support.raw import Message, RawUpstream, connect

BODY_LIMIT_BYTES = 1024
HOST = (b"Host", b"gw")


def raw(line: str, *fields: tuple[bytes, bytes]) -> RawRequest:
    """A request as it came from this machine."""
    method, _, target = line.partition(" ")
    return RawRequest(method, target, (1, 1), fields or (HOST,), "127.0.0.1")


@asynccontextmanager
async def parts_of(running: RunningGateway) -> AsyncIterator[ExplainParts]:
    async with open_explain_parts(running.settings, now) as parts:
        yield parts


async def explained(running: RunningGateway, request: RawRequest) -> Explanation:
    async with parts_of(running) as parts:
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
            ["because   log in and send the token"],
        ),
        ("GET /nothing", "refused: 404 route_not_found", None),
        ("TRACE /public/1", "refused: 405 method_not_allowed", []),
        ("PUT /login", "refused: 405 method_not_allowed", []),
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


async def test_text_is_safe_for_a_terminal(running: RunningGateway) -> None:
    """Escape sequences and bytes that are no UTF-8 are shown, not obeyed (attacks.md L1)."""
    odd = (b"X-Odd", b"\xff \xc2\x9b31m \xe4\xbd\xa0")
    text = describe(await explained(running, raw("GET /public/1", HOST, odd)))
    assert "X-Odd: \\xff \\x9b31m 你" in text


# -- the property: explain and the gateway never differ ---------------------------------------

# Requests are well-formed HTTP/1.1 as aiohttp's parser takes it. What it refuses by itself never
# reaches us, so `explain` cannot know it: spaces, controls and bytes above 0x7e in the target,
# names that are no tokens, methods it does not know, CONNECT's own form of target, two Hosts,
# Content-Length together with or besides a Transfer-Encoding, more than 128 fields.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
PATHS = [
    "/api/orders/1",
    "/api",
    "/api/",
    "/apix",
    "/%61pi/x",
    "/api%2Fx",
    "/API/x",
    "/orders/1",
    "/orders",
    "/guest/1",
    "/opt/1",
    "/public/1",
    "/wechat/1",
    "/shop/1",
    "/get/1",
    "/odd/a//b",
    "/odd/a;b=1/c",
    "/odd/a%2fb",
    "/odd//../x",
    "/hello.txt",
    "/only/host",
    "/only/host",
    "/nothing",
    "/",
    "/login",
    "/login/",
    "/session",
    "/logout",
    "/api/v1/registers/wechat_program/wxshop",
    "/api/v1/registers/x",
    "/healthz",
    "/public/..",
    "/public/../api/x",
    "/public/%2e%2e/api/x",
    "/public/.%2E/x",
    "/public/%5c",
    "/public\\x",
    "/public/%00",
    "/public/%zz",
    "/public/%E4%BD%A0",
    "/public/%c4%e3",
    "/public//x",
    "/public/;x",
    "//gw/public/1",
    "*",
    "http://gw/public/1",
    "http://GW:80/public/1?x",
    "http://evil/public/1",
    "http://gw",
    "https://gw/api/x",
]
SEGMENT = st.text("abAB01._~!$&'()*+,;=:@%/-", max_size=8)
TARGETS = st.one_of(
    st.sampled_from(PATHS),
    st.sampled_from(PATHS),
    st.builds("{}{}".format, st.sampled_from(PATHS[:-5]), SEGMENT),
    st.builds("/{}".format, SEGMENT),
)
QUERIES = st.sampled_from(
    [
        "",
        "",
        "",
        "?",
        "?a=b",
        "?x=/public/",
        "?a=%zz&b=%2f",
        "?gw_ticket=x",
        "?a?b;c",
        "?" + "q" * 9000,
    ]
)
HOSTS = ["gw", "GW:80", "gw.", "api.example.com", "API.example.com:8080", "[::1]:80", "127.0.0.1"]
ODD_HOSTS = ["", "u@gw", "gw:99999", "gw:0", "g/w", "a..b", "[::1", "gw,gw", "%67w", "gw:80:80"]
TOKENS = ["none", "none", "user", "user", "other", "douyin", "guest", "ended", "forged", "short"]
CARRIERS = ["Authorization: Bearer {}", "authorization: bearer {}", "X-Session-Token: {}"]
FIELDS = [
    "X-OpenId: evil",
    "x_openid: evil",
    "X.OpenId: evil",
    "X~Platform: evil",
    "X-PLATFORM: douyin",
    "X-Session-Id: evil",
    "X-WX-OPENID: evil",
    "X-Forwarded-For: 1.2.3.4, 5.6.7.8",
    "X-Forwarded-For: rubbish",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Prefix: /evil",
    "Forwarded: for=1.2.3.4",
    "X-Real-IP: 1.2.3.4",
    "X-Request-Id: mine-0123456789",
    "X-Request-Id: a b",
    "X-Original-URI: /admin",
    "X-HTTP-Method-Override: DELETE",
    "Connection: close",
    "Connection: keep-alive, X-OpenId",
    "Connection: x-custom, authorization, host",
    "Connection: upgrade",
    "Connection: Upgrade, X-Custom",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eA==",
    "TE: trailers",
    "Trailer: X-OpenId",
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Transfer_Encoding: chunked",
    "Content_Length: 5",
    "X-Custom: value",
    "x-custom: second",
    "X-Empty:",
    "X-Bytes: \xe4\xbd\xa0\xff",
    "Cookie: a=b; session=c",
    "Accept: */*",
    "Content-Type: application/json",
    "Authorization: Basic dTpw",
    "Authorization: Bearer eyJ",
    "X-Session-Token: gw1.other",
]


@dataclass(frozen=True, slots=True)
class Example:
    """One request, with names where tokens will stand."""

    method: str
    target: str
    host: str
    fields: tuple[str, ...]
    token: str
    carriers: tuple[str, ...]
    body: bytes | None

    def lines(self, tokens: Mapping[str, str]) -> list[str]:
        """The header lines in order."""
        carried = [each.format(tokens[self.token]) for each in self.carriers]
        length = [] if self.body is None else [f"Content-Length: {len(self.body)}"]
        given = carried if self.token != "none" else []
        return [f"Host: {self.host}", *self.fields, *given, *length]


EXAMPLES = st.builds(
    Example,
    method=st.sampled_from(["GET"] * 4 + ["POST"] * 3 + METHODS),
    target=st.builds("{}{}".format, TARGETS, QUERIES),
    host=st.one_of(st.sampled_from(["gw"] * 6 + HOSTS), st.sampled_from(HOSTS + ODD_HOSTS)),
    fields=st.lists(st.sampled_from(FIELDS), max_size=5).map(tuple),
    token=st.sampled_from(TOKENS),
    carriers=st.lists(st.sampled_from(CARRIERS), min_size=1, max_size=2).map(tuple),
    body=st.one_of(
        st.none(),
        st.sampled_from([b"", b"{}", b"x" * BODY_LIMIT_BYTES, b"x" * (BODY_LIMIT_BYTES + 1)]),
    ),
)
MORE_ROUTES: list[dict[str, object]] = [
    *ROUTES,
    {"path": "/get/", "upstream": "main", "session": "none", "methods": ["GET"]},
    {
        "path": "/odd/",
        "upstream": "main",
        "session": "optional",
        "allow": ["double_slash", "encoded_slash", "semicolon"],
    },
    {"path": "/only/", "upstream": "own", "host": "api.example.com", "session": "none"},
    {"path": "/public/", "upstream": "main", "host": "127.0.0.1", "platforms": ["wechat"]},
]


@dataclass(slots=True)
class Comparison:
    """A running gateway and an explainer over the same settings and store."""

    running: RunningGateway
    own_host: RawUpstream
    parts: ExplainParts
    tokens: dict[str, str]
    forwarded: int = 0
    refused: int = 0
    own: int = 0

    async def compare(self, example: Example) -> None:
        """Explain a request, send it, and hold one against the other."""
        lines = example.lines(self.tokens)
        fields = [line.encode("latin-1").partition(b":") for line in lines]
        request = RawRequest(
            example.method,
            example.target,
            (1, 1),
            tuple((name, value.strip()) for name, _, value in fields),
            "127.0.0.1",
        )
        expected = await explain(request, "-", self.parts)
        answer = await self._send(example, lines)
        seen = [*self.running.upstream.requests, *self.own_host.requests]
        self.running.upstream.requests.clear()
        self.own_host.requests.clear()
        if expected.refusal is not None:
            self.refused += 1
            assert answer.status == expected.refusal.outcome.status
            assert answer.values("X-Gateway-Error") == [expected.refusal.code]
            assert seen == []
        elif expected.outgoing is None:
            self.own += 1
            assert seen == []
            self._check_own(expected)
            await self._log_in_again(answer)
        else:
            self.forwarded += 1
            (one,) = seen
            assert answer.value("X-Gateway-Error") is None
            assert (one.raw_head, one.body) == (
                _with_id_of(one, expected),
                example.body or b"",
            )

    def _check_own(self, expected: Explanation) -> None:
        name = expected.endpoint or (expected.route.name if expected.route else None)
        assert self.running.log_lines()[-1]["route"] == name

    async def _log_in_again(self, answer: Message) -> None:
        if answer.status == 204:  # a logout: the token that was used is gone
            self.tokens |= await log_in(self.running)

    async def _send(self, example: Example, lines: list[str]) -> Message:
        head = "\r\n".join([f"{example.method} {example.target} HTTP/1.1", *lines, "", ""])
        client = await connect(self.running.port)
        try:
            await client.send(head.encode("latin-1") + (example.body or b""))
            answer = await client.answer(example.method)
            while answer.status == 100:
                answer = await client.answer(example.method)
            return answer
        finally:
            await client.close()


def _with_id_of(seen: Message, expected: Explanation) -> bytes:
    """The head as explained, with the request id that was really given."""
    assert expected.outgoing is not None
    (seen_id,) = seen.values("X-Request-Id")
    fields = tuple(
        (name, seen_id.encode() if name == b"X-Request-Id" and value == b"-" else value)
        for name, value in expected.outgoing.fields
    )
    return dataclasses.replace(expected.outgoing, fields=fields).encode()


async def log_in(running: RunningGateway) -> dict[str, str]:
    """Tokens of all kinds, by name."""
    guest = await running.codes("shop-douyin", "guest")
    fields = {"app": "shop-douyin", "anonymous_code": guest["anonymous_code"]}
    ended = await running.login(user="ended")
    await send(running, "POST /logout", b"", f"Authorization: Bearer {ended}")
    user = await running.login()
    return {
        "none": "",
        "user": user,
        "other": await running.login("game-wechat"),
        "douyin": await running.login("shop-douyin"),
        "guest": token_of(await running.post("/login", fields)),
        "ended": ended,
        "forged": f"{user[:-2]}AA",
        "short": user[:40],
    }


async def open_comparison(stack: AsyncExitStack, folder: Path, trusted: list[str]) -> Comparison:
    """Start all that is compared; the stack ends it."""
    own_host = RawUpstream()
    await own_host.start()
    stack.push_async_callback(own_host.close)
    target = f"http://127.0.0.1:{own_host.port}"
    changes = {
        "upstreams": {"own": {"targets": [target], "host_header": "upstream"}},
        "server": {"limits": {"body": BODY_LIMIT_BYTES}, "trusted_proxies": trusted},
        "routes": MORE_ROUTES,
        "logs": {"format": "json"},
    }
    running = await stack.enter_async_context(run_gateway(folder, changes))
    parts = await stack.enter_async_context(parts_of(running))
    return Comparison(running, own_host, parts, await log_in(running))


@pytest.mark.parametrize("trusted", [[], ["127.0.0.0/8"]])
def test_explain_never_differs_from_the_gateway(tmp_path: Path, trusted: list[str]) -> None:
    """Same refusals, same endpoints, and the same bytes to the service but for the request id."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        comparison = runner.run(open_comparison(stack, tmp_path, trusted))
        try:

            @settings(max_examples=300, deadline=None, database=None)
            @given(EXAMPLES)
            def never_differs(example: Example) -> None:
                runner.run(comparison.compare(example))

            never_differs()
        finally:
            runner.run(stack.aclose())
    counted = (comparison.forwarded, comparison.refused, comparison.own)
    assert min(counted) > 10, f"forwarded, refused, own: {counted}: the examples say too little"
