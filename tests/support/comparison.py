"""Holds what `explain` says of a request against what a running gateway does with it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway.admission import RawRequest
from gateway.clock import now
from gateway.explain import ExplainParts, Explanation, explain
from gateway.explaining import open_explain_parts
from tests.support.gateway import ROUTES, RunningGateway, run_gateway
from tests.support.odd_requests import BODY_LIMIT_BYTES, Example
from tests.support.own import send, token_of
from tests.support.raw import Message, RawUpstream, connect

MORE_ROUTES: list[dict[str, object]] = [
    *ROUTES,
    {"path": "/get/", "upstream": "main", "session": "none", "methods": ["GET"]},
    {
        "path": "/odd/",
        "upstream": "main",
        "session": "optional",
        "allow": ["double_slash", "encoded_slash", "semicolon"],
    },
    {"path": "/tick/", "upstream": "main", "session": "optional", "ticket": True},
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
    outgoing = expected.outgoing
    line = f"{outgoing.method} {outgoing.target} HTTP/1.1\r\n".encode()
    return line + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"


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
    parts = await stack.enter_async_context(open_explain_parts(running.settings, now))
    return Comparison(running, own_host, parts, await log_in(running))
