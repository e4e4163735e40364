"""What is parsed, and what aiohttp's parser would let through (attacks.md C2, T5 to T12)."""

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import _ErrInfo

from gateway.limits import ProtocolLimits
from gateway.parser import MAX_EMPTY_LINES, MAX_WAITING, RequestParser

GET = b"GET /a?b=c HTTP/1.1\r\nHost: gw\r\nA: b\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"4\r\nhalf\r\n0\r\n\r\n"


class Protocol(BaseProtocol):
    """What the parser and its bodies need of a connection: one that reads on when it may."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop)
        self.reader = RequestParser(self, loop, ProtocolLimits())
        self._parser = self.reader  # type: ignore[assignment] # as in gateway.mended
        self.found: list[str] = []
        self.bodies: list[StreamReader] = []

    def data_received(self, data: bytes) -> None:
        messages, _, _ = self.reader.feed_data(data)
        for message, body in messages:
            if isinstance(message, _ErrInfo):
                self.found.append("error")
            else:
                self.found.append(f"{message.method} {message.path}")
            self.bodies.append(body)


async def parse(*pieces: bytes) -> list[str]:
    """Name what was found in these pieces, in order, up to the first error."""
    protocol = Protocol()
    for piece in pieces:
        if "error" not in protocol.found:
            protocol.data_received(piece)
    return protocol.found


def bytewise(data: bytes) -> Sequence[bytes]:
    """Cut into single bytes."""
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        pytest.param(GET, ["GET /a?b=c"], id="a head"),
        pytest.param(GET * 3, ["GET /a?b=c"] * 3, id="three heads"),
        pytest.param(GET.replace(b"1.1", b"1.0"), ["GET /a?b=c"], id="HTTP/1.0"),
        pytest.param(POST + b"half", ["POST /a"], id="a length"),
        pytest.param(POST + b"\r\n\r\n" + GET, ["POST /a", "GET /a?b=c"], id="empty lines as body"),
        pytest.param(CHUNKED + CHUNKS + GET, ["POST /a", "GET /a?b=c"], id="chunks"),
        pytest.param(
            CHUNKED + CHUNKS[:-2] + b"A: evil\r\n\r\n" + GET,
            ["POST /a", "GET /a?b=c"],
            id="trailers",
        ),
        pytest.param(b"\r\n" * MAX_EMPTY_LINES + GET, ["GET /a?b=c"], id="empty lines"),
        pytest.param(
            POST + b"half\r\n" + GET + b"\r\n" * MAX_EMPTY_LINES + GET,
            ["POST /a", "GET /a?b=c", "GET /a?b=c"],
            id="empty lines between",
        ),
    ],
)
async def test_requests_are_found_however_they_are_cut(sent: bytes, found: list[str]) -> None:
    """In one piece, in two, byte by byte."""
    assert await parse(sent) == found
    assert await parse(*bytewise(sent)) == found
    for cut in range(1, len(sent)):
        assert await parse(sent[:cut], sent[cut:]) == found


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(GET.replace(b" /a", b"  /a"), id="two spaces before the target"),
        pytest.param(GET.replace(b" HTTP", b"  HTTP"), id="two spaces behind it"),
        pytest.param(GET.replace(b" HTTP", b" " * 1000 + b"HTTP"), id="a thousand"),
        pytest.param(GET.replace(b"HTTP/1.1", b"HTTP/1.1 "), id="a space behind the version"),
        pytest.param(GET.replace(b" /a", b" /a b"), id="a space in the target"),
        pytest.param(GET.replace(b" HTTP/1.1", b" HTTP/1.2"), id="HTTP/1.2"),
        pytest.param(GET.replace(b" HTTP/1.1", b" RTSP/1.1"), id="RTSP"),
        pytest.param(
            GET.replace(b" HTTP/1.1", b" RTSP/1.1").replace(b"A: b", b"A: b HTTP/1.1"),
            id="RTSP, and the right words later",
        ),
        pytest.param(b"SOURCE /a ICE/1.1\r\nHost: gw\r\n\r\n", id="ICE"),
        pytest.param(b"\r\n" * (MAX_EMPTY_LINES + 1) + GET, id="too many empty lines"),
        pytest.param(b"\n" + GET, id="LF before"),
        pytest.param(b"\r" + GET, id="CR before"),
        pytest.param(b"\r\n\n" + GET, id="LF behind an empty line"),
        pytest.param(CHUNKED + b"1;" + b"x" * 300 + b"\r\nx\r\n0\r\n\r\n", id="a long extension"),
        pytest.param(CHUNKED + b"0" * 1000 + b"\r\n\r\n", id="a thousand zeros"),
        pytest.param(CHUNKED + b"0\r\nA\r\n\r\n", id="a bad trailer"),
        pytest.param(CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n", id="more data than the size says"),
        pytest.param(CHUNKED.replace(b"chunked", b"gzip") + GET, id="another coding"),
    ],
)
async def test_what_aiohttp_lets_through_is_an_error(sent: bytes) -> None:
    """Alone and behind a good request, however it is cut; what is broken never starts."""
    assert await parse(sent) == ["error"]
    assert await parse(GET + sent) == ["GET /a?b=c", "error"]
    for pieces in (bytewise(sent), bytewise(GET + sent)):
        found = [each for each in await parse(*pieces) if each != "POST /a"]
        assert found[-1] == "error"


async def test_a_trailer_is_no_field_of_the_next_request() -> None:
    """It would be, by aiohttp alone (tests/aiohttp_behaviours)."""
    protocol = Protocol()
    messages, _, _ = protocol.reader.feed_data(
        CHUNKED + b"0\r\nX-OpenId: evil\r\nHost: evil\r\n\r\n" + GET
    )
    fields = [
        [*message.raw_headers] for message, _ in messages if not isinstance(message, _ErrInfo)
    ]
    assert fields[1] == [(b"Host", b"gw"), (b"A", b"b")]


async def test_requests_wait_while_too_many_do() -> None:
    """None is lost, none comes sooner; a chunked one among them is followed when its turn comes."""
    protocol = Protocol()
    protocol.data_received((GET + CHUNKED + CHUNKS) * MAX_WAITING)
    assert len(protocol.found) == MAX_WAITING
    for _ in range(MAX_WAITING):
        protocol.reader.message_consumed()
        protocol.data_received(b"")
    assert protocol.found == ["GET /a?b=c", "POST /a"] * MAX_WAITING
    assert protocol.reader.is_between


async def test_what_follows_a_body_waits_for_its_reader() -> None:
    """A body that nobody reads stops the parser; then the next head is not looked at."""
    protocol = Protocol()
    size = 1024 * 1024
    head = POST.replace(b"4", b"%d" % size)
    protocol.data_received(head + b"x" * size + CHUNKED + CHUNKS + GET)
    assert protocol.found == ["POST /a"]
    while not protocol.bodies[0].is_eof() or protocol.bodies[0].total_bytes < size:
        protocol.bodies[0].read_nowait()
    assert protocol.found == ["POST /a", "POST /a", "GET /a?b=c"]


@pytest.mark.parametrize(
    ("sent", "is_in_head"),
    [
        pytest.param(GET, False, id="nothing behind"),
        pytest.param(GET + b"G", True, id="a byte behind"),
        pytest.param(GET + b"\r\n", False, id="an empty line behind"),
        pytest.param(POST + b"hal", False, id="half a body"),
        pytest.param(POST + b"halfG", True, id="a byte behind a body"),
        pytest.param(CHUNKED + CHUNKS[:-1], False, id="half the end of chunks"),
        pytest.param(CHUNKED + CHUNKS + b"G", True, id="a byte behind chunks"),
    ],
)
async def test_whether_a_next_head_has_begun(sent: bytes, is_in_head: bool) -> None:
    """Then it has a deadline (D1)."""
    protocol = Protocol()
    protocol.data_received(sent)
    assert protocol.reader.is_in_head is is_in_head


async def test_an_upgrade_takes_all_that_comes_behind() -> None:
    """Bytes behind a handshake are no request."""
    reader = Protocol().reader
    head = b"GET /a HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    messages, is_upgraded, behind = reader.feed_data(head + GET)
    assert (len(messages), is_upgraded, behind) == (1, True, GET)
