"""Sends one request directly and through the gateway, and says how the answers differ.

The direct request carries what the gateway adds (its stated headers), so that a service that
echoes what it reads must answer with the same bytes.
"""

import asyncio
import contextlib
import difflib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from tests.differential.cases import HOST, Case
from tests.support.raw import Message, RawClient, read_message

Connect = Callable[[], Awaitable[RawClient]]
WAIT_S = 15.0
OURS = "x-request-id"
FRAMING = ("content-length", "transfer-encoding")
"""Compared by what they mean: each leg has its own framing."""
NOT_COMPARED = ("connection", "keep-alive", "date")
"""Of this connection only; and the clock goes on between two answers (that it is there counts)."""


@dataclass(slots=True)
class Line:
    """A connection that is used for one case after the other, as long as it is kept open."""

    connect: Connect
    _client: RawClient | None = None

    async def ask(self, case: Case, head: bytes) -> list[Message]:
        """Send a request and read every answer to it, interim ones too."""
        client = self._client = self._client or await self.connect()
        is_whole = False
        try:
            async with asyncio.timeout(WAIT_S):
                answers = await _exchange(client, case, head)
            is_whole = True
            return answers
        finally:
            if not is_whole or _ends(case, answers[-1]):
                await self.close()

    async def ask_pipelined(self, cases: list[Case], more: Iterable[str]) -> list[Message]:
        """Send all requests before an answer is read, on a connection of their own."""
        client = await self.connect()
        try:
            await client.send(b"".join(case.head(more) + case.body for case in cases))
            return [await client.answer(case.method) for case in cases]
        finally:
            await client.close()

    async def close(self) -> None:
        """End the connection; the next case opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


async def _exchange(client: RawClient, case: Case, head: bytes) -> list[Message]:
    answers = []
    await client.send(head if case.waits else head + case.body)
    while True:
        answers.append(await read_message(client.reader, of=case.method))
        if answers[-1].status >= 200:
            return answers
        if case.waits:
            await client.send(case.body)


def _ends(case: Case, answer: Message) -> bool:
    said = (answer.value("Connection") or "").lower()
    is_bounded = (
        case.method == "HEAD"
        or answer.status in (204, 304)
        or any(answer.values(name) for name in FRAMING)
    )
    is_kept = said == "keep-alive" if case.version == "1.0" else said != "close"
    return not (is_kept and is_bounded)


@dataclass(slots=True)
class Door:
    """One way in through the gateway: what the client adds there, and what the service then reads.

    `is_local`: on a unix socket, where a client has no address.
    """

    through: Line
    direct: Line
    token_lines: tuple[str, ...] = ()
    identity_lines: tuple[str, ...] = ()
    is_local: bool = False

    async def compare(self, case: Case) -> list[str]:
        """Ask both; return a diff, empty where the answers are the same bytes."""
        ours = await self.through.ask(case, case.head(self.token_lines))
        return differ(case, await self.ask_directly(case, ours[-1]), ours)

    async def compare_pipelined(self, cases: list[Case]) -> list[str]:
        """Send all of them through in one go, then compare one answer after the other."""
        ours = await self.through.ask_pipelined(cases, self.token_lines)
        found = [
            differ(case, await self.ask_directly(case, answer), [answer])
            for case, answer in zip(cases, ours, strict=True)
        ]
        return [line for difference in found for line in difference]

    async def ask_directly(self, case: Case, ours: Message) -> list[Message]:
        """Ask the service itself, with the same request id and all else that the gateway adds."""
        (request_id,) = ours.values(OURS)
        return await self.direct.ask(case, case.sent_on.head(self.added_lines(request_id)))

    def added_lines(self, request_id: str) -> list[str]:
        """What the gateway adds to a request, by design section 7."""
        lines = [f"X-Request-Id: {request_id}"]
        if not self.is_local:
            lines += ["X-Forwarded-For: 127.0.0.1"]
        lines += ["X-Forwarded-Proto: http", f"X-Forwarded-Host: {HOST}"]
        if not self.is_local:
            lines += ["X-Real-IP: 127.0.0.1"]
        return [*lines, *self.identity_lines]

    async def close(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self.through.close()
            await self.direct.close()


def differ(case: Case, theirs: list[Message], ours: list[Message]) -> list[str]:
    """Say how our answers differ from the service's own, as a diff; empty where they do not."""
    expected, seen = _dialogue(case, theirs), _dialogue(case, ours)
    return list(
        difflib.unified_diff(expected, seen, "directly", "through the gateway", lineterm="")
    )


def _dialogue(case: Case, answers: list[Message]) -> list[str]:
    lines: list[str] = []
    for answer in answers:
        lines += [answer.line.partition(" ")[2], *_fields(answer), *_framing(case, answer), ""]
        lines += [repr(line)[2:-1] for line in _body(answer).splitlines(keepends=True)]
    return lines


def _body(answer: Message) -> bytes:
    """The body, without the second in which a service has zipped it (RFC 1952 2.3.1)."""
    body = answer.body
    return body[:4] + bytes(4) + body[8:] if body.startswith(b"\x1f\x8b") else body


def _fields(answer: Message) -> list[str]:
    """Names in their order and case, repeated ones too, without what may differ."""
    left_out = (*FRAMING, *NOT_COMPARED, OURS)
    kept = [f"{name}: {value}" for name, value in answer.fields if name.lower() not in left_out]
    return [*kept, *["Date" for _ in answer.values("Date")]]


def _framing(case: Case, answer: Message) -> list[str]:
    """The length, where one is said; chunks may have become an end, or an end chunks."""
    lengths = answer.values("Content-Length")
    assert len(lengths) <= 1
    if case.version == "1.1" and answer.values("Transfer-Encoding"):
        assert not lengths
    return [f"length {length}" for length in lengths]
