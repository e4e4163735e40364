"""A request known again by its bytes is what parser and admission would have made of them."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import AdmissionLimits, Admitted, RawRequest, admit
from gateway.clients import Trust
from gateway.errors import GatewayError
from gateway.recollection import MAX_BYTES, MAX_MISSES, Recollection
from tests.support.gateway import RunningGateway, problem
from tests.support.raw import connect
from tests.support.requests import PEER, REQUEST_ID

LIMITS = AdmissionLimits(headers_bytes=1024, target_bytes=100)
TRUST = Trust((), "x-forwarded-for")
BEARER = b"Authorization: Bearer gw1.abc-D_9.x\r\n"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that never runs: aiohttp's parser wants one."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def parsed(data: bytes, loop: asyncio.AbstractEventLoop) -> Admitted | None:
    """What parser and admission make of bytes that are exactly one request without a body."""
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_headers=128)
    try:
        messages, is_upgraded, tail = parser.feed_data(data)
    except HttpProcessingError:
        return None
    if len(messages) != 1 or messages[0][1] is not EMPTY_PAYLOAD or is_upgraded or tail:
        return None
    if data.lstrip(b"\r\n").partition(b"\r\n\r\n")[2]:
        return None  # the beginning of a next request
    message = messages[0][0]
    raw = RawRequest(message.method, message.path, message.version, message.raw_headers, PEER)
    try:
        return admit(raw, REQUEST_ID, TRUST, LIMITS)
    except GatewayError:
        return None


def head(target: bytes = b"/api/x?y=1", *lines: bytes, method: bytes = b"GET") -> bytes:
    """A request's bytes."""
    return b"%b %b HTTP/1.1\r\nHost: good\r\n%b\r\n" % (method, target, b"".join(lines))


def recollection_of(data: bytes, loop: asyncio.AbstractEventLoop) -> Recollection:
    """A connection on which this was sent."""
    made = Recollection()
    admitted = parsed(data, loop)
    assert admitted is not None
    made.keep(data, admitted, fields_in(data))
    return made


def fields_in(data: bytes) -> int:
    """How many fields a whole head has."""
    return data.strip(b"\r\n").count(b"\r\n")


def read(recollection: Recollection, data: bytes) -> Admitted | None:
    """What is known of these bytes."""
    return recollection.read(data, lambda: REQUEST_ID, LIMITS)


# -- what is known again ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (head(), head(), "the same"),
        (head(), head(b"/other?q=%20&r=a;b"), "another target"),
        (head(b"/a", BEARER), head(b"/a", BEARER), "the same, with a token"),
        (
            head(b"/a", BEARER),
            head(b"/b", b"Authorization: Bearer gw1.other-and-longer\r\n"),
            "another token",
        ),
        (
            head(b"/a", BEARER, b"Cookie: a=b\r\n"),
            head(b"/b", BEARER, b"Cookie: a=b\r\n"),
            "with fields behind it",
        ),
        (head(method=b"POST"), head(b"/b", method=b"POST"), "a method without a body"),
    ],
)
def test_a_request_is_known_again(
    first: bytes, second: bytes, why: str, loop: asyncio.AbstractEventLoop
) -> None:
    """And is what it would have been."""
    known = read(recollection_of(first, loop), second)
    assert known is not None, why
    assert known == parsed(second, loop), why


ACCEPT = b"Accept: a\r\n"
TOKEN_LINE = b"Authorization: Bearer gw1.b\r\n"


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (head(), head(method=b"PUT"), "another method, as long"),
        (head(), head(method=b"POST"), "another method"),
        (head(), head(b"/b", BEARER), "a token where there was none"),
        (head(b"/a", BEARER), head(b"/a"), "none where there was one"),
        (head(), head() + b"GET", "the beginning of a next request"),
        (head(), head() + head(), "a whole next request"),
        (head(b"/a", BEARER), head(b"/a", BEARER) + head(b"/b", BEARER), "two, with tokens"),
        (head(), head()[:-1], "not whole"),
        (head(), b"\r\n" + head(), "an empty line before it"),
        (head(), head(b"/a#b"), "a fragment"),
        (head(), head(b"/a b"), "a space"),
        (head(), head(b"http://good/a"), "absolute form"),
        (head(), head(b"*"), "no path"),
        (head(), head(b"/a\\b"), "a backslash"),
        (head(), head(b"/%zz"), "a percent sign that is no escape"),
        (head(), head(b"/../a"), "dot segments"),
        (head(), head(b"/" + b"a" * 200), "too long"),
        (head(), head(b"/\xc3\xa9"), "bytes outside ASCII"),
        (head(), head().replace(b"HTTP/1.1", b"HTTP/1.0"), "another version"),
        (head(), head().replace(b"good", b"evil"), "another host"),
        (head(), head(b"/x HTTP/1.1\r\nHost: evil\r\nX: /api/x"), "a head in the target"),
        (head(b"/a", BEARER), head(b"/a", BEARER.replace(b"gw1", b"gw2")), "not our token"),
        (head(b"/a", BEARER), head(b"/a", BEARER.replace(b"gw1", b" gw1")), "an odd space"),
        (head(b"/a", BEARER), head(b"/a", b"Authorization: Bearer \r\n"), "no token"),
        (head(b"/a", BEARER), head(b"/a", BEARER, TOKEN_LINE), "a second token"),
        (head(b"/a", BEARER), head(b"/a", BEARER.replace(b"x\r", b"x, y\r")), "a list"),
        (head(b"/a", BEARER), head(b"/a", BEARER.replace(b"x\r", b"\xe9\r")), "outside ASCII"),
        (head(b"/a", BEARER), head(b"/a", BEARER.lower()), "another spelling"),
        (head(b"/a", BEARER), head(b"/a", BEARER.replace(b"Auth", b"auth")), "the name's case"),
        (head(b"/a", BEARER), head(b"/a", b"Host: Bearer gw1.x\r\n"), "a Host like a token"),
        (head(b"/a", BEARER), head(b"/a", BEARER, BEARER), "the token twice"),
        (head(b"/a", BEARER, ACCEPT), head(b"/a", ACCEPT, BEARER), "another order"),
        (head(b"/a", BEARER, ACCEPT), head(b"/a", BEARER), "a field fewer"),
        (head(b"/a", BEARER, ACCEPT), head(b"/a", ACCEPT), "the token gone"),
        (
            head(b"/a", BEARER),
            head(b"/a", BEARER.replace(b"x\r\n", b"x\r\nX-A: b\r\n")),
            "a field more",
        ),
        (
            head(b"/a", BEARER),
            head(b"/a", b"Authorization: Bearer gw1." + b"a" * 1100 + b"\r\n"),
            "a token beyond the limit of headers",
        ),
    ],
)
def test_what_differs_elsewhere_is_parsed(
    first: bytes, second: bytes, why: str, loop: asyncio.AbstractEventLoop
) -> None:
    """Nobody guesses."""
    assert read(recollection_of(first, loop), second) is None, why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (head(b"/a", b"Content-Length: 0\r\n", method=b"POST"), "a length"),
        (head(b"/a", b"X-A: " + b"a" * MAX_BYTES + b"\r\n"), "a large head"),
        (
            head(b"/a", b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n"),
            "a handshake",
        ),
        (head(b"/a", BEARER, b"X-Copy: Bearer gw1.abc-D_9.x\r\n"), "its token twice"),
        (head(b"/a", b"Authorization: bearer gw1.c\r\n"), "a token in an unusual spelling"),
        (head(b"/a", b"Authorization: Basic eA==\r\n"), "somebody else's credentials"),
        (head(b"/a", BEARER, BEARER), "two tokens"),
        (head() + b"GET", "the beginning of a next request along with it"),
        (b"\r\n" + head(), "an empty line along with it"),
    ],
)
def test_what_is_not_simple_is_not_remembered(data: bytes, why: str) -> None:
    """Only what a next one may safely differ from."""
    loop = asyncio.new_event_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_headers=128)
    message = parser.feed_data(data)[0][0][0]
    loop.close()
    raw = RawRequest(message.method, message.path, message.version, message.raw_headers, PEER)
    recollection = Recollection()
    admitted = admit(raw, REQUEST_ID, TRUST, AdmissionLimits())
    recollection.keep(data, admitted, len(message.raw_headers))
    assert recollection.read(data, lambda: REQUEST_ID, AdmissionLimits()) is None, why


PIECES_OF_ONE_HEAD = [
    (b"GET /a HTTP/1.1\r\nHost: good\r\nX-A: ", b"GET /b HTTP/1.1\r\nAccept: a\r\n\r\n"),
    (b"GET /a HTTP/1.1\r\nHost: good\r\nX-A: ", b"GET /b HTTP/1.1\r\n" + BEARER + b"\r\n"),
    (b"GET /a HTTP/1.1\r\nHost: good", b"\r\nAccept: a\r\n\r\n"),
    (b"GET /a HTTP/1.1\r\n", b"Host: good\r\n\r\n"),
    (b"G", b"ET /a HTTP/1.1\r\nHost: good\r\n\r\n"),
]


@pytest.mark.parametrize(("first", "last"), PIECES_OF_ONE_HEAD)
def test_the_last_piece_of_a_head_is_no_head(
    first: bytes, last: bytes, loop: asyncio.AbstractEventLoop
) -> None:
    """However much it looks like one: what stood before it would be missing the next time."""
    admitted = parsed(first + last, loop)
    assert admitted is not None
    recollection = Recollection()
    recollection.keep(last, admitted, fields_in(first + last))
    assert read(recollection, last) is None


async def test_a_head_in_pieces_is_not_taken_for_the_next_one(running: RunningGateway) -> None:
    """Over the whole gateway: a request without a Host stays one."""
    first, last = PIECES_OF_ONE_HEAD[0]
    client = await connect(running.port)
    for data in (b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n", None):
        if data is None:
            await client.send(first.replace(b"/a", b"/public/a"))
            await running.get("/public/meanwhile")  # so that the pieces are read one by one
        await client.send(data or last.replace(b"/b", b"/public/b"))
        assert (await client.answer()).status == 200
    await client.send(last.replace(b"/b", b"/public/c"))
    assert problem(await client.answer())["code"] == "bad_request"
    await client.close()


def test_nothing_is_known_at_first() -> None:
    """A new connection has no past."""
    assert read(Recollection(), head()) is None


def test_each_request_has_its_own_id(loop: asyncio.AbstractEventLoop) -> None:
    """The id is no part of what is known again."""
    drawn: list[str] = []

    def draw() -> str:
        drawn.append(f"id-{len(drawn)}")
        return drawn[-1]

    recollection = recollection_of(head(), loop)
    known = [recollection.read(head(), draw, LIMITS) for _ in range(2)]
    assert [each.request_id for each in known if each] == drawn == ["id-0", "id-1"]
    assert recollection.read(head(b"/a b"), draw, LIMITS) is None
    assert len(drawn) == 2, "for what is parsed none is drawn here"


def test_a_connection_of_many_clients_is_not_tried_for_ever(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Behind a proxy each request has other fields; what is known again begins the count anew."""
    recollection = Recollection()
    for number in range(MAX_MISSES + 3):
        data = head(b"/a", b"X-Number: %d\r\n" % number)
        admitted = parsed(data, loop)
        assert admitted is not None
        recollection.keep(data, admitted, fields_in(data))
        is_known = recollection.read(data, lambda: REQUEST_ID, LIMITS) is not None
        assert is_known, "it was not given up, since each was known once"
    stranger = Recollection()
    for number in range(MAX_MISSES + 1):
        data = head(b"/a", b"X-Number: %d\r\n" % number)
        admitted = parsed(data, loop)
        assert admitted is not None
        stranger.keep(data, admitted, fields_in(data))
    assert stranger.read(data, lambda: REQUEST_ID, LIMITS) is None


# -- whatever comes --------------------------------------------------------------------------------

TARGETS = st.sampled_from(
    [b"/", b"/a", b"/a?b=c", b"/%41", b"/a;b", b"//a", b"/a%2fb", b"/..", b"/%", b"*", b"a", b""]
) | st.binary(max_size=6).map(b"/".__add__)
LINES = st.lists(
    st.sampled_from(
        [
            BEARER,
            TOKEN_LINE,
            b"authorization: bearer gw1.c\r\n",
            b"Authorization: Bearer eyJ.x\r\n",
            b"Authorization: Bearer gw1.\r\n",
            b"X-Session-Token: gw1.d\r\n",
            b"Cookie: gw=gw1.e\r\n",
            b"Connection: close\r\n",
            b"Connection: keep-alive\r\n",
            b"X-A: Bearer gw1.b\r\n",
            b"X-OpenId: evil\r\n",
            b"Accept: */*\r\n",
            b"Content-Length: 0\r\n",
            b"Expect: 100-continue\r\n",
        ]
    ),
    max_size=4,
)
HEADS = st.builds(
    lambda target, lines, method: head(target, *lines, method=method),
    TARGETS,
    LINES,
    st.sampled_from([b"GET", b"PUT", b"POST", b"HEAD"]),
)
PIECES = st.sampled_from(
    [b"", b"a", b"GET", b" ", b"\r\n", b"\r\n\r\n", b"gw1.", b"/", b":", b"Bearer ", TOKEN_LINE]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """What one connection may send, each piece made from another by a change somewhere."""
    heads = [draw(HEADS)]
    for _ in range(draw(st.integers(1, 5))):
        data = draw(st.sampled_from(heads) | HEADS)
        if draw(st.booleans()):
            at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 3))
            data = data[:at] + draw(PIECES) + data[at + size :]
        if draw(st.booleans()):
            line, _, rest = data.partition(b" HTTP/1.1\r\n")
            data = line.partition(b" ")[0] + b" " + draw(TARGETS) + b" HTTP/1.1\r\n" + rest
        heads.append(data)
    return heads


@given(sent=streams(), cut=st.just(0) | st.integers(-60, -1))
def test_what_is_known_again_is_what_it_would_have_been(
    sent: list[bytes], cut: int, loop: asyncio.AbstractEventLoop
) -> None:
    """Whatever was sent before, whole or in pieces: known again means parsed alike, as one."""
    recollection = Recollection()
    for data in sent * 2:
        expected = parsed(data, loop)
        known = read(recollection, data)
        assert known is None or known == expected
        if known is None and expected is not None:
            recollection.keep(data[cut:] if cut < 0 else data, expected, fields_in(data))
