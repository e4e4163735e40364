"""Event streams and chunked downloads: each piece is with the client before the next is sent.

No test here sleeps: the service sends piece k+1 only when the client has seen piece k, so a
gateway that gathered pieces would never get the next one.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import OK, Message, RawClient, connect
from tests.support.wire import Peer, Service, read_answer_head, read_exactly, read_rest

HEAD = b"HTTP/1.1 200 OK\r\n"
EVENTS = [
    b": hello\n\n",
    b"data: 1\n\n",
    b'id: 2\nevent: price\ndata: {"p": 2}\ndata: more\n\n',
    "data: 商城\n\n".encode(),
    b"data: " + b"long " * 3000 + b"\n\n",  # more than a packet
    b"retry: 1000\n\n",
    b"\n",
]


def in_chunk(data: bytes) -> bytes:
    """One chunk of its own."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Framing:
    """How the service frames its stream: field lines, each piece, the end."""

    def __init__(self, fields: bytes, *, is_chunked: bool = False, closes: bool = False) -> None:
        self.fields = fields
        self.is_chunked = is_chunked
        self.closes = closes

    def piece(self, data: bytes) -> bytes:
        """A piece as the service writes it."""
        return in_chunk(data) if self.is_chunked else data

    async def end(self, peer: Peer) -> None:
        """The end of the stream."""
        if self.is_chunked:
            await peer.send(b"0\r\n\r\n")
        if self.closes:
            peer.close()


TOTAL_BYTES = sum(map(len, EVENTS))
FRAMINGS = [
    pytest.param(Framing(b"Transfer-Encoding: chunked\r\n", is_chunked=True), id="chunked"),
    pytest.param(Framing(b"", closes=True), id="until close"),
    pytest.param(Framing(b"Connection: close\r\n", closes=True), id="until close, said"),
    pytest.param(Framing(b"Content-Length: %d\r\n" % TOTAL_BYTES), id="a length"),
    pytest.param(
        Framing(b"Transfer-Encoding: chunked\r\nConnection: close\r\n", is_chunked=True),
        id="chunked and closed",
    ),
]
TYPES = [
    pytest.param(b"Content-Type: text/event-stream\r\n", id="events"),
    pytest.param(b"Content-Type: application/x-ndjson\r\n", id="a download"),
    pytest.param(b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", id="gzip"),
]


@pytest.fixture(params=["tcp", "unix"])
async def front(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[RunningGateway, RawClient]]:
    """A gateway on a port and one on a unix socket, and a client of it."""
    path = tmp_path / "gw.sock"
    listen = f"unix:{path}" if request.param == "unix" else "127.0.0.1:0"
    async with run_gateway(tmp_path, {"server": {"listen": listen}}) as gateway:
        if request.param == "unix":
            client = RawClient(*await asyncio.open_unix_connection(path))
        else:
            client = await connect(gateway.port)
        yield gateway, client
        await client.close()


async def begin(
    front: tuple[RunningGateway, RawClient], head: bytes, version: bytes = b"1.1"
) -> tuple[Peer, RawClient, Message]:
    """Get as far as the client's having read the answer's head: it comes before any piece."""
    gateway, client = front
    service = Service(gateway.upstream)
    await client.send(b"GET /public/stream HTTP/%b\r\nHost: gw\r\n\r\n" % version)
    peer = await service.accept()
    await peer.head()
    await peer.send(head)
    return peer, client, await read_answer_head(client)


async def read_piece(client: RawClient, head: Message, size: int) -> bytes:
    """Read a piece's bytes, in whatever chunks they come."""
    if head.value("Transfer-Encoding") != "chunked":
        return await read_exactly(client, size)
    piece = b""
    while len(piece) < size:
        line = await client.reader.readuntil(b"\r\n")
        piece += await read_exactly(client, int(line, 16))
        assert await read_exactly(client, 2) == b"\r\n"
    return piece


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("fields", TYPES)
async def test_pieces_arrive_one_by_one(
    front: tuple[RunningGateway, RawClient], framing: Framing, fields: bytes
) -> None:
    """Whatever the service's framing; the stream's end is as plain as its service made it."""
    head = HEAD + fields + framing.fields + b"\r\n"
    peer, client, seen = await begin(front, head)
    for event in EVENTS:
        await peer.send(framing.piece(event))
        assert await read_piece(client, seen, len(event)) == event
    await framing.end(peer)
    if seen.value("Transfer-Encoding") == "chunked":
        assert await read_exactly(client, 5) == b"0\r\n\r\n"
    else:
        assert seen.value("Content-Length") == str(TOTAL_BYTES)
    # The client's connection goes on in step, whatever became of the service's.
    await client.send(b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n")
    assert (await client.answer()).body == b"hello\n"


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_old_client_gets_pieces_one_by_one(
    front: tuple[RunningGateway, RawClient], framing: Framing
) -> None:
    """HTTP/1.0 knows no chunks: the same bytes, and the end of the connection."""
    fields = b"Content-Type: text/event-stream\r\n"
    peer, client, seen = await begin(front, HEAD + fields + framing.fields + b"\r\n", b"1.0")
    assert seen.value("Transfer-Encoding") is None
    assert seen.value("Connection") == "close"
    for event in EVENTS:
        await peer.send(framing.piece(event))
        assert await read_exactly(client, len(event)) == event
    await framing.end(peer)
    assert await read_rest(client) == (b"", False)


async def test_half_a_chunk_is_passed_on(front: tuple[RunningGateway, RawClient]) -> None:
    """A service's chunk is framing, not a unit: what is there goes out, byte by byte if need be."""
    peer, client, seen = await begin(front, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await peer.send(b"5\r\n")
    for byte in b"hello":
        await peer.send(bytes([byte]))
        assert await read_piece(client, seen, 1) == bytes([byte])
    await peer.send(b"\r\n0\r\n\r\n")
    assert await read_exactly(client, 5) == b"0\r\n\r\n"


async def test_the_head_comes_before_the_first_piece(
    front: tuple[RunningGateway, RawClient],
) -> None:
    """EventSource reports `open` on the head; a service may have nothing to say for long."""
    peer, client, seen = await begin(front, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    assert seen.status == 200
    await peer.send(b"0\r\n\r\n")
    assert await read_exactly(client, 5) == b"0\r\n\r\n"


async def test_several_streams_do_not_wait_for_each_other(running: RunningGateway) -> None:
    """Each client gets its piece while all others are silent."""
    service = Service(running.upstream)
    streams: list[tuple[Peer, RawClient, Message]] = []
    for number in range(10):
        client = await connect(running.port)
        await client.send(b"GET /public/%d HTTP/1.1\r\nHost: gw\r\n\r\n" % number)
        peer = await service.accept()
        await peer.head()
        await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        streams.append((peer, client, await read_answer_head(client)))
    for turn in range(3):
        for peer, client, seen in reversed(streams):
            event = b"data: %d\n\n" % turn
            await peer.send(in_chunk(event))
            assert await read_piece(client, seen, len(event)) == event
    for peer, client, _ in streams:
        await peer.send(b"0\r\n\r\n")
        assert await read_exactly(client, 5) == b"0\r\n\r\n"
        await client.close()


async def test_an_event_arrives_while_the_client_still_sends(
    front: tuple[RunningGateway, RawClient],
) -> None:
    """A request body that goes on for ever and an answer that does: each piece both ways."""
    gateway, client = front
    service = Service(gateway.upstream)
    await client.send(
        b"POST /public/chat HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    peer = await service.accept()
    await peer.head()
    await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    seen = await read_answer_head(client)
    for turn in range(5):
        said = b"piece %d" % turn
        await client.send(in_chunk(said))
        assert await peer.exactly(len(in_chunk(said))) == in_chunk(said)
        await peer.send(in_chunk(said))
        assert await read_piece(client, seen, len(said)) == said
    await client.send(b"0\r\n\r\n")
    assert await peer.exactly(5) == b"0\r\n\r\n"
    await peer.send(b"0\r\n\r\n")
    assert await read_exactly(client, 5) == b"0\r\n\r\n"


async def test_a_stream_that_its_client_leaves_ends_at_the_service(
    front: tuple[RunningGateway, RawClient],
) -> None:
    """At once, with nothing more to send: a service that waits for events is told."""
    peer, client, _ = await begin(front, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await client.close()
    assert await peer.rest() == b""


async def test_a_service_connection_serves_again_behind_a_stream(running: RunningGateway) -> None:
    """A stream that ended in step leaves a connection like any other."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"GET /public/a HTTP/1.1\r\nHost: gw\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunk(b"x") + b"0\r\n\r\n")
    assert (await client.answer()).body == b"x"
    await client.send(b"GET /public/b HTTP/1.1\r\nHost: gw\r\n\r\n")
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    assert service.is_quiet
    await client.close()
