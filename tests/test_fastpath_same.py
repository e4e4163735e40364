"""The property: with the fast path and without it, the same bytes come out, and the same is logged.

One gateway is asked the same sequence of requests twice, once with its fast path switched off.
"""

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.comparison import MORE_ROUTES, log_in
from tests.support.flights import Watched, connected, server_of, settle
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.odd_requests import EXAMPLES, QUERIES, TARGETS, TOKENS, USUAL, Example
from tests.support.raw import OK, RawUpstream, read_message
from tests.support.wire import read_rest

LAST = b"GET /public/last HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n"
AGAIN_TARGETS = st.builds("{}{}".format, TARGETS, QUERIES).filter(
    lambda target: "login" not in target and "logout" not in target
)
BODY_LIMIT_BYTES = 100_000
PATIENCE_S = 0.05
"""How long a patient client waits for an answer: half a request has none."""
_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
ANSWERS = [
    OK,
    _LENGTH % 0,
    _LENGTH % 70_000 + b"x" * 70_000,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: a\r\n\r\n",
    b"HTTP/1.1 404 Nowhere to be found\r\nX-Gateway-Error: x\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e=x\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nConnection: X-A, keep-alive\r\nX-A: a\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    OK + OK,
    OK + b"rubbish",
    b"rubbish\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    b"",
]
"""What the service may say, each in one piece; the last is nothing: it closes."""
_CHANGING = [
    (re.compile(rb"X-Request-Id: [0-9a-f]{32}"), b"X-Request-Id: -"),
    (re.compile(rb'"request_id": ?"[0-9a-f]{32}"'), b'"request_id":"-"'),
    (re.compile(rb"Date: [^\r]+"), b"Date: -"),
    (re.compile(rb'"expires_in": ?\d+'), b'"expires_in":-'),
]


def steady(data: bytes) -> bytes:
    """Bytes without what differs each time."""
    for pattern, instead in _CHANGING:
        data = pattern.sub(instead, data)
    return data


async def answer_as_asked(
    upstream: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer each request with what its `X-Answer` asks for."""
    while True:
        request = await read_message(reader)
        upstream.requests.append(request)
        answer = ANSWERS[int(request.value("X-Answer") or 0)]
        if not answer:
            return
        writer.write(answer)


@dataclass(slots=True)
class Seen:
    """What a sequence of requests led to."""

    to_client: bytes
    to_service: list[tuple[bytes, bytes]]
    logged: list[dict[str, object]]
    counted: dict[object, int]


@dataclass(slots=True)
class Twice:
    """A gateway that is asked everything twice."""

    running: RunningGateway
    watched: Watched
    tokens: dict[str, str] = field(default_factory=dict)
    is_patient: bool = False

    async def compare(self, examples: list[Example], cuts: list[int] | None) -> None:
        """Send requests in these pieces, or each when the one before has been answered."""
        pieces = [*map(self._written, examples), LAST]
        if cuts is None:
            await self.compare_bytes(pieces, is_patient=True)
        else:
            await self.compare_bytes(cut(b"".join(pieces), cuts), is_patient=False)

    async def compare_bytes(self, pieces: list[bytes], *, is_patient: bool) -> Seen:
        """Send bytes; a patient client waits after each piece until nothing is under way."""
        self.is_patient = is_patient
        fast = await self._ask(pieces)
        server_of(self.running).fast_path = None
        try:
            slow = await self._ask(pieces)
        finally:
            server_of(self.running).fast_path = self.watched
        assert fast.to_client == slow.to_client
        assert fast.to_service == slow.to_service
        assert fast.logged == slow.logged
        assert fast.counted == slow.counted
        return fast

    def _written(self, each: Example) -> bytes:
        lines = [f"{each.method} {each.target} HTTP/1.1", *each.lines(self.tokens), "", ""]
        return "\r\n".join(lines).encode("latin-1") + (each.body or b"")

    async def _ask(self, pieces: list[bytes]) -> Seen:
        running = self.running
        assert (await running.get("/public/warm")).status == 200  # a connection is at hand
        await settle(running, collects=False)
        running.upstream.requests.clear()
        lines_before, counted_before = len(running.log_lines()), self._counted()
        async with connected(running) as client:
            reading = asyncio.create_task(read_rest(client))
            for piece in pieces:
                client.writer.write(piece)
                await asyncio.sleep(0.001)
                if self.is_patient:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(settle(running, collects=False), PATIENCE_S)
            to_client, _ = await reading
        await settle(running, collects=False)
        varying = {"time": 0, "ms": 0, "request_id": 0}
        counted = self._counted()
        return Seen(
            steady(to_client),
            [(steady(each.raw_head), each.body) for each in running.upstream.requests],
            [{**each, **varying} for each in running.log_lines()[lines_before:]],
            {key: n - counted_before.get(key, 0) for key, n in counted.items()},
        )

    def _counted(self) -> dict[object, int]:
        cells = self.running.gateway.listener._entry._parts.counts._cells
        return {key: sum(cell.buckets) for key, cell in cells.items()}


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at these places; each counts from the one before."""
    pieces = []
    for size in cuts:
        pieces.append(data[:size])
        data = data[size:]
    return [each for each in (*pieces, data) if each]


def with_answer(each: Example, number: int) -> Example:
    """A request that also says how it wants to be answered."""
    return dataclasses.replace(each, fields=(*each.fields, f"X-Answer: {number}"))


def keeps_sessions(each: Example) -> bool:
    """The tokens must be good the second time, too."""
    return "login" not in each.target and "logout" not in each.target


ASKED = st.builds(
    with_answer,
    st.one_of(USUAL, USUAL, EXAMPLES).filter(keeps_sessions),
    st.one_of(st.just(0), st.integers(0, len(ANSWERS) - 1)),
)


def variants(first: Example, others: list[tuple[str, str]]) -> list[Example]:
    """The same request again, with other targets and tokens."""
    return [
        first,
        *(dataclasses.replace(first, target=target, token=token) for target, token in others),
    ]


AGAIN = st.builds(
    variants,
    st.builds(dataclasses.replace, USUAL.filter(keeps_sessions), body=st.none()),
    st.lists(st.tuples(AGAIN_TARGETS, st.sampled_from(TOKENS)), min_size=1, max_size=5),
)
"""What one client sends all day; the gateway knows it again by its bytes."""
PLAIN = Example("GET", "/public/1", "gw", (), "none", (), None)
POST = dataclasses.replace(PLAIN, method="POST", body=b"half")
HEAD = dataclasses.replace(PLAIN, method="HEAD")
CUTS = st.none() | st.lists(st.integers(1, 400))
BIG = dataclasses.replace(PLAIN, method="POST", body=b"x" * 70_000)


@contextmanager
def twice_in(folder: Path) -> Iterator[tuple[asyncio.Runner, Twice]]:
    """A gateway to ask, on a loop of its own."""
    stack = AsyncExitStack()
    changes = {
        "routes": MORE_ROUTES,
        "server": {"limits": {"body": BODY_LIMIT_BYTES}},
        # A retry is paid from a budget, which the second time would find spent.
        "upstreams": {
            "main": {"retries": 0},
            "own": {"targets": ["http://127.0.0.1:1"], "retries": 0},
        },
    }
    with asyncio.Runner() as runner:
        running = runner.run(stack.enter_async_context(run_gateway(folder, changes)))
        running.upstream.script = answer_as_asked
        try:
            yield runner, Twice(running, Watched(running), runner.run(log_in(running)))
        finally:
            runner.run(stack.aclose())


def test_the_fast_path_changes_nothing(tmp_path: Path) -> None:
    """Same answers, same requests to the service, same log lines and counts, each exactly once."""
    with twice_in(tmp_path) as (runner, twice):

        @settings(max_examples=200, deadline=None, database=None)
        @given(st.lists(ASKED, min_size=1, max_size=6) | AGAIN, CUTS)
        @example([PLAIN], [])
        @example([PLAIN] * 80, None)
        @example([PLAIN] * 20, [])
        @example([PLAIN] * 80, [])
        @example([with_answer(PLAIN, n) for n in range(len(ANSWERS))], [])
        @example([with_answer(PLAIN, n) for n in range(len(ANSWERS))], None)
        @example([with_answer(POST, n) for n in range(len(ANSWERS))], None)
        @example([with_answer(HEAD, n) for n in range(len(ANSWERS))], None)
        @example([BIG, PLAIN, PLAIN], [100])
        @example([dataclasses.replace(PLAIN, target="http://gw/public/1?a=b")], [])
        def changes_nothing(examples: list[Example], cuts: list[int] | None) -> None:
            runner.run(twice.compare(examples, cuts))

        changes_nothing()
    assert sum(twice.watched.took) > 100, "too few requests took the fast path"
    assert twice.watched.again > 30, "too few requests were known again"


def hostile(*fields: str, behind: str = "", method: str = "POST") -> bytes:
    """A request whose end two readers may see in different places (attacks.md C2)."""
    head = "\r\n".join([f"{method} /public/1 HTTP/1.1", "Host: gw", *fields, "", ""])
    return (head + behind).encode("latin-1")


SMUGGLED = "GET /public/smuggled HTTP/1.1\r\nHost: gw\r\n\r\n"
CHUNKS = f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
ATTACKS = {
    "a request behind an empty body": (hostile("Content-Length: 0", behind=SMUGGLED), 2),
    "a request behind no length": (hostile(behind=SMUGGLED), 2),
    "a request behind a GET": (hostile(behind=SMUGGLED, method="GET"), 2),
    "a request as a body": (hostile(f"Content-Length: {len(SMUGGLED)}", behind=SMUGGLED), 1),
    "a request as a GET's body": (
        hostile(f"Content-Length: {len(SMUGGLED)}", behind=SMUGGLED, method="GET"),
        1,
    ),
    "the tail of a body": (hostile("Content-Length: 4", behind="half" + SMUGGLED), 2),
    "rubbish behind a body": (hostile("Content-Length: 4", behind="half\x00"), 1),
    "rubbish behind an empty body": (hostile("Content-Length: 0", behind="\x00"), 1),
    "a request as a chunk": (hostile("Transfer-Encoding: chunked", behind=CHUNKS), 1),
    "chunks and a request": (
        hostile("Transfer-Encoding: chunked", behind="0\r\n\r\n" + SMUGGLED),
        2,
    ),
    "both framings": (hostile("Content-Length: 4", "Transfer-Encoding: chunked", behind=CHUNKS), 0),
    "both, the other way": (
        hostile("Transfer-Encoding: chunked", "Content-Length: 4", behind=CHUNKS),
        0,
    ),
    "a comma before": (hostile("Transfer-Encoding: ,chunked", behind=CHUNKS), None),
    "a coding before": (hostile("Transfer-Encoding: gzip, chunked", behind=CHUNKS), None),
    "another coding": (hostile("Transfer-Encoding: xchunked", behind=CHUNKS), 0),
    "a coding of that name, nearly": (hostile("Transfer_Encoding: chunked", behind=SMUGGLED), None),
    "identity": (hostile("Transfer-Encoding: identity", behind=SMUGGLED), None),
    "upper case": (hostile("Transfer-Encoding: CHUNKED", behind=CHUNKS), 1),
    "two lengths": (hostile("Content-Length: 4", "Content-Length: 4", behind="half"), 0),
    "two lengths in one": (hostile("Content-Length: 4, 4", behind="half"), 0),
    "a signed length": (hostile("Content-Length: +4", behind="half"), 0),
    "a length with zeros before": (hostile("Content-Length: 0004", behind="half" + SMUGGLED), None),
    "a length of that name, nearly": (hostile("Content_Length: 4", behind="half"), None),
    "a length that Connection names": (
        hostile("Connection: content-length", "Content-Length: 4", behind="half" + SMUGGLED),
        None,
    ),
    "an upgrade with a request behind": (
        hostile("Connection: upgrade", "Upgrade: websocket", behind=SMUGGLED, method="GET"),
        None,
    ),
    "an upgrade to something else": (
        hostile("Connection: upgrade", "Upgrade: h2c", behind=SMUGGLED, method="GET"),
        None,
    ),
    "an upgrade nobody asked for": (hostile("Upgrade: websocket", behind=SMUGGLED), 2),
}
"""What is sent, and how many requests reach the service (None: that is the parser's)."""


KNOWN = b"GET /public/1 HTTP/1.1\r\nHost: gw\r\n\r\n"
BEFORE_KNOWN = {
    "half a line behind a body that began with a line's end": [
        hostile("Content-Length: 4")[:-1],
        b"\nhalfGE",
    ],
    "half a line behind a body with an empty line in it": [
        hostile("Content-Length: 4")[:-1],
        b"\n\r\n\r\nPOST",
    ],
    "half a line behind chunks": [
        hostile("Transfer-Encoding: chunked"),
        b"0\r\n\r\nGE",
    ],
    "half a body": [hostile(f"Content-Length: {8 + len(KNOWN)}", behind="half\r\n\r\n")],
    "half a head": [KNOWN[:-2], b"X-A: "],
    "half a head that may end there": [KNOWN[:-2]],
    "empty lines": [b"\r\n\r\n"],
    "half an empty line": [b"\r"],
    "a declined upgrade": [
        hostile("Connection: upgrade", "Upgrade: websocket", method="GET"),
    ],
    "a refused request": [b"GET /nothing HTTP/1.1\r\nHost: gw\r\n\r\n"],
    "half a body, and a little more": [hostile("Content-Length: 4", behind="ha")],
    "rubbish": [b"\x00"],
}
"""What comes before a request that the gateway knows again."""


def test_what_is_known_again_is_read_in_its_place(tmp_path: Path) -> None:
    """Bytes that look like a whole request may be the middle of another."""
    with twice_in(tmp_path) as (runner, twice):
        for before in BEFORE_KNOWN.values():
            pieces = [KNOWN, KNOWN, KNOWN, *before, KNOWN, KNOWN, LAST]
            runner.run(twice.compare_bytes(pieces, is_patient=True))
        assert twice.watched.again > len(BEFORE_KNOWN)


def test_no_framing_is_read_in_two_ways(tmp_path: Path) -> None:
    """The fast path sees the same requests in the same bytes, in one piece or cut in the middle."""
    with twice_in(tmp_path) as (runner, twice):
        for name, (sent, expected) in ATTACKS.items():
            middle = sent.index(b"\r\n\r\n") + 4
            for pieces in ([sent], [sent[:middle], sent[middle:]]):
                seen = runner.run(
                    twice.compare_bytes([*filter(None, pieces), LAST], is_patient=True)
                )
                heads = [head for head, _ in seen.to_service if b" /public/last " not in head]
                assert len(heads) == expected or expected is None or len(pieces) > 1, (name, heads)
