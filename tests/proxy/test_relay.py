"""Answers to clients that read slowly, not at all, or go away; services that fall silent."""

import asyncio
from pathlib import Path

import pytest

from gateway.proxy.framing import AnswerHead
from gateway.proxy.relay import is_event_stream
from gateway.survey import survey_answer
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import OK, RawClient, connect
from tests.support.wire import Peer, Service, held_bytes, read_answer_head, read_rest

MIB = 1024 * 1024
GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


async def begin(gateway: RunningGateway, head: bytes) -> tuple[Service, RawClient, Peer]:
    """Get as far as the client's having read the answer's head."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await peer.send(head)
    await read_answer_head(client)
    return service, client, peer


async def flood(peer: Peer, size: int, patience_s: float = 0.3) -> int:
    """Send until the gateway takes no more, at most `size`; return how much it took."""
    sent = 0
    peer.writer.transport.set_write_buffer_limits(high=0)
    while sent < size:
        peer.writer.write(bytes(65536))
        sent += 65536
        try:
            async with asyncio.timeout(patience_s):
                await peer.writer.drain()
        except TimeoutError:
            break
    return sent


async def test_a_client_that_does_not_read_stops_the_service(running: RunningGateway) -> None:
    """What waits in the gateway is bounded, and everything arrives when it reads again (D2, D5)."""
    size = 64 * MIB
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
    sent = await flood(peer, size)
    assert sent < size // 2  # kernel buffers of two connections and ours, not the answer
    assert held_bytes() < 2 * MIB
    sending = asyncio.create_task(peer.send(bytes(size - sent)))
    client.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it
    await read_answer_head(client)
    left = size
    while left:
        left -= len(await client.reader.read(MIB))
    await sending
    await client.send(GET)
    await peer.head()
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_client_that_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    """`write_idle`: it loses its connection, and the service gets its own back (D2)."""
    changes = {"server": {"timeouts": {"write_idle": "100ms"}}}
    async with run_gateway(tmp_path, changes) as gateway:
        _, client, peer = await begin(gateway, HEAD + b"Content-Length: %d\r\n\r\n" % (64 * MIB))
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # sockets have it
        sending = asyncio.create_task(peer.send(bytes(64 * MIB)))
        assert await peer.rest() == b""
        await asyncio.wait({sending})
        sending.exception()
        client.writer.transport.abort()


async def test_a_client_that_reads_slowly_is_waited_for(tmp_path: Path) -> None:
    """As long as it takes some, `write_idle` does not count."""
    changes = {"server": {"timeouts": {"write_idle": "300ms"}}}
    size = 16 * MIB
    async with run_gateway(tmp_path, changes) as gateway:
        _, client, peer = await begin(gateway, HEAD + b"Content-Length: %d\r\n\r\n" % size)
        sending = asyncio.create_task(peer.send(bytes(size)))
        left = size
        while left:
            left -= len(await client.reader.read(MIB))
            await asyncio.sleep(0.01)
        await sending
        await client.close()


async def test_answers_of_our_own_wait_for_the_client_too(tmp_path: Path) -> None:
    """Pipelined requests whose answers nobody reads do not fill the memory (D2)."""
    route = {"path": "/big", "session": "none", "respond": {"body": "x" * 60000}}
    server = {"timeouts": {"write_idle": "200ms"}}
    changes = {"routes": [route], "server": server, "logs": {"format": "json"}}
    async with run_gateway(tmp_path, changes) as gateway:
        client = await connect(gateway.port)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # sockets have it
        request = b"GET /big HTTP/1.1\r\nHost: gw\r\n\r\n"
        sending = asyncio.create_task(client.send(request * 20000))
        for _ in range(5):
            await asyncio.sleep(0.02)
            assert held_bytes() < 2 * MIB
        while gateway.log_lines()[-1]["error"] is None:  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0.01)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined] # sockets have it
        received, is_reset = await read_rest(client)
        assert is_reset
        assert len(received) < 20000 * 60000
        await asyncio.wait({sending})
        client.writer.transport.abort()


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_client_that_goes_away_ends_the_service_s_leg(
    running: RunningGateway, end: str
) -> None:
    """The service learns at once that nobody reads; nothing half-read is kept."""
    service, client, peer = await begin(running, HEAD + b"Content-Length: 10\r\n\r\nhalf")
    client.writer.close() if end == "close" else client.writer.transport.abort()
    assert await peer.rest() == b""
    again = await connect(running.port)
    await again.send(GET)
    second = await service.accept()
    await second.head()
    await second.send(OK)
    assert (await again.answer()).body == b"ok"
    await again.close()
    await client.close()


async def test_a_service_silent_within_its_answer_is_cut_off(tmp_path: Path) -> None:
    """`idle`: the head is out, so the client gets a reset, not a short answer."""
    changes = {"upstreams": {"main": {"timeouts": {"idle": "50ms"}}}}
    async with run_gateway(tmp_path, changes) as gateway:
        _, client, peer = await begin(gateway, HEAD + b"Content-Length: 10\r\n\r\nhalf")
        assert await read_rest(client) == (b"half", True)
        assert await peer.rest() == b""
        await client.close()


@pytest.mark.parametrize(
    ("content_type", "is_patient"),
    [(b"text/event-stream", True), (b"Text/Event-Stream; charset=utf-8", True), (b"text/x", False)],
)
async def test_an_event_stream_may_be_silent_longer(
    tmp_path: Path, content_type: bytes, is_patient: bool
) -> None:
    """`stream_idle` holds there, `idle` everywhere else."""
    timeouts = {"idle": "50ms", "stream_idle": "250ms"}
    async with run_gateway(tmp_path, {"upstreams": {"main": {"timeouts": timeouts}}}) as gateway:
        head = HEAD + b"Content-Type: " + content_type + b"\r\nContent-Length: 9\r\n\r\n"
        _, client, peer = await begin(gateway, head)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert await read_rest(client) == (b"", True)
        assert (loop.time() - began_s > 0.2) == is_patient
        await peer.rest()
        await client.close()


@pytest.mark.parametrize(
    ("fields", "is_stream"),
    [
        pytest.param([], False, id="no type"),
        pytest.param([(b"content-type", b"TEXT/EVENT-STREAM")], True, id="any case"),
        pytest.param([(b"X-Content-Type", b"text/event-stream")], False, id="another header"),
    ],
)
def test_event_streams_are_told_by_type(fields: list[tuple[bytes, bytes]], is_stream: bool) -> None:
    """The media type decides, nothing else."""
    found = survey_answer(fields)
    head = AnswerHead(200, b"OK", fields, found, None, is_chunked=True, has_body=True)
    assert is_event_stream(head) == is_stream
