"""Both ends of a tunnel, on real sockets: when a Close goes in, and when an end is closed."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.proxy import side as side_module
from gateway.proxy.frames import FrameFollower, close_frame
from gateway.proxy.side import ClientSide, Side
from tests.support.raw import WAIT_S
from tests.support.websocket import Frame, frame, read_frame, until

HELLO = frame(0x1, b"hello", masked=True)
GREETING = frame(0x1, b"greeting")
MIB = 1024 * 1024


class Server(asyncio.Protocol):
    """Stands for aiohttp's protocol, and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


@dataclass(slots=True)
class Far:
    """The far end of one socket: a client's or a service's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readexactly(size)

    async def frame(self) -> Frame:
        async with asyncio.timeout(WAIT_S):
            return await read_frame(self.reader.readexactly)

    async def some(self) -> bytes:
        """The next piece that comes."""
        async with asyncio.timeout(WAIT_S):
            piece = await self.reader.read(65536)
        assert piece
        return piece

    async def rest(self) -> bytes:
        """What comes until the end."""
        received = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WAIT_S):
                while data := await self.reader.read(65536):
                    received += data
        return received

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(WAIT_S):
            self.writer.write(data)
            await self.writer.drain()


@dataclass(slots=True)
class Pair:
    """Two ends and who stands behind them; `gone` lists those who went, in order."""

    client: Far
    service: Far
    near_client: ClientSide
    near_service: Side
    server: Server
    gone: list[Side]

    def end(self) -> None:
        """End both ways with one code."""
        self.near_service.end(4401, "session ended")
        self.near_client.end(4401, "session ended")


async def _far_and_near() -> tuple[Far, asyncio.Transport, Server]:
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setblocking(False)
    server = Server()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: server, sock=ours)
    return Far(*await asyncio.open_connection(sock=theirs)), transport, server


@asynccontextmanager
async def a_pair(stall_s: float = WAIT_S) -> AsyncIterator[Pair]:
    """Two ends that pass on what comes."""
    client, client_transport, server = await _far_and_near()
    service, service_transport, _ = await _far_and_near()
    gone: list[Side] = []
    near_client = ClientSide(client_transport, stall_s, gone.append, server)
    near_service = Side(service_transport, stall_s, gone.append, is_service=True)
    near_client.other, near_service.other = near_service, near_client
    client_transport.set_protocol(near_client)
    service_transport.set_protocol(near_service)
    try:
        yield Pair(client, service, near_client, near_service, server, gone)
    finally:
        for near in (near_client, near_service):
            near.transport.abort()
        for far in (client, service):
            far.writer.close()
            with contextlib.suppress(ConnectionError):
                await far.writer.wait_closed()


def pause(far: Far) -> None:
    """Read nothing."""
    far.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it


def resume(far: Far) -> None:
    """Read again."""
    far.writer.transport.resume_reading()  # type: ignore[attr-defined] # every socket's has it


async def held(near: Side) -> None:
    """Wait until something waits to be taken by this end, and the other is not read any more."""
    await until(
        lambda: not near.other.transport.is_reading() and near.transport.get_write_buffer_size() > 0
    )


# -- a Close at a boundary ------------------------------------------------------------------------


async def test_between_frames_both_get_a_close_at_once() -> None:
    """Unmasked to the client, masked to the service (RFC 6455 5.3); its code and reason."""
    async with a_pair() as pair:
        await pair.client.send(HELLO)
        await pair.service.send(GREETING)
        assert (await pair.service.frame()).payload == b"hello"
        assert (await pair.client.frame()).payload == b"greeting"
        pair.end()
        to_client, to_service = await pair.client.frame(), await pair.service.frame()
        assert (to_client.close, to_client.is_masked) == ((4401, "session ended"), False)
        assert (to_service.close, to_service.is_masked) == ((4401, "session ended"), True)


@pytest.mark.parametrize("size", [1, 3, 7, 13, 20, 400], ids="cut at {}".format)
async def test_a_frame_half_way_ends_first(size: int) -> None:
    """Wherever it stands, in its header or its payload, or in the midst of a message."""
    sent = frame(0x2, b"x" * 500, masked=True, bits=0)
    async with a_pair() as pair:
        await pair.client.send(sent[:size])
        assert await pair.service.exactly(size) == sent[:size]
        pair.end()
        await pair.client.send(sent[size:-1])
        await pair.client.send(sent[-1:] + HELLO[:3])
        assert await pair.service.exactly(len(sent) - size) == sent[size:]
        assert (await pair.service.frame()).close == (4401, "session ended")
        assert (await pair.client.frame()).close == (4401, "session ended")


async def test_nothing_follows_a_close() -> None:
    """What still comes from either end is read and thrown away."""
    async with a_pair() as pair:
        pair.end()
        await pair.client.send(HELLO * 1000)
        await pair.service.send(GREETING * 1000)
        await pair.client.frame()
        await pair.service.frame()
        await pair.client.send(frame(0x8, b"\x11\x31", masked=True))
        await pair.service.send(frame(0x8, b"\x11\x31"))
        assert await pair.client.rest() == b""
        assert await pair.service.rest() == b""


async def test_a_flood_does_not_hold_a_close_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender held back because the other end took nothing is read again: nobody is stuck."""
    monkeypatch.setattr(side_module, "BOUNDARY_S", WAIT_S)
    monkeypatch.setattr(side_module, "CLOSE_S", WAIT_S)
    sent = frame(0x2, bytes(1000), masked=True)
    async with a_pair() as pair:
        pause(pair.service)
        sending = asyncio.create_task(pair.client.send(sent * 9000))
        await held(pair.near_service)
        pair.end()
        resume(pair.service)
        received, follower = b"", FrameFollower()
        while not follower.has_closed:
            received += (piece := await pair.service.some())
            follower.feed(piece)
        assert 0 < len(received) < 9000 * len(sent)
        assert len(received) % len(sent) == len(close_frame(4401, "session ended", bytes(4)))
        await sending
        await pair.client.send(frame(0x8, b"\x11\x31", masked=True))
        assert (await pair.client.frame()).close == (4401, "session ended")
        assert await pair.client.rest() == b""


async def test_an_end_s_own_close_is_not_followed_by_ours() -> None:
    """The service has closed already: its client hears its code, and nothing after it."""
    async with a_pair() as pair:
        await pair.service.send(frame(0x8, b"\x03\xe8"))
        assert (await pair.client.frame()).close == (1000, "")
        pair.end()
        assert (await pair.service.frame()).close == (4401, "session ended")
        assert await pair.service.rest() == b""
        await pair.client.send(frame(0x8, b"\x03\xe8", masked=True))
        assert await pair.client.rest() == b""


async def test_a_close_half_way_is_the_last_frame() -> None:
    """It ends, and takes the place of ours."""
    async with a_pair() as pair:
        closing = frame(0x8, b"\x03\xe8bye", masked=True)
        await pair.client.send(closing[:4])
        await pair.service.exactly(4)
        pair.end()
        await pair.client.send(closing[4:])
        assert await pair.service.exactly(len(closing) - 4) == closing[4:]
        await pair.service.send(frame(0x8, b"\x03\xe8"))
        assert await pair.service.rest() == b""


async def test_frames_that_cannot_be_followed_end_without_a_close() -> None:
    """Ours could stand within a payload there; the other way still gets its own."""
    async with a_pair() as pair:
        await pair.client.send(b"\x8f\x80no frame")
        assert await pair.service.exactly(10) == b"\x8f\x80no frame"
        pair.end()
        assert await pair.service.rest() == b""
        assert (await pair.client.frame()).close == (4401, "session ended")


async def test_frames_that_get_lost_on_the_way_to_a_boundary() -> None:
    """The piece that cannot be read any more goes no further."""
    async with a_pair() as pair:
        await pair.client.send(HELLO[:4])
        await pair.service.exactly(4)
        pair.end()
        await pair.client.send(HELLO[4:] + b"\x8f\x80no frame")
        assert b"no frame" not in await pair.service.rest()


# -- in time --------------------------------------------------------------------------------------


async def test_a_reply_ends_it_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each end is closed as soon as it has answered."""
    monkeypatch.setattr(side_module, "CLOSE_S", 2 * WAIT_S)
    async with a_pair() as pair:
        pair.end()
        await pair.client.frame()
        await pair.service.frame()
        await pair.service.send(frame(0x8, b"\x11\x31"))
        assert await pair.service.rest() == b""
        assert pair.gone == [pair.near_service]
        await pair.client.send(frame(0x8, b"\x11\x31", masked=True))
        assert await pair.client.rest() == b""
        assert pair.gone == [pair.near_service, pair.near_client]


async def test_without_a_reply_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gracefully: the Close has been taken."""
    monkeypatch.setattr(side_module, "CLOSE_S", 0.05)
    async with a_pair() as pair:
        pair.end()
        await pair.client.frame()
        await pair.service.frame()
        assert await pair.client.rest() == b""
        assert await pair.service.rest() == b""


async def test_a_frame_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, and without a Close: it would stand within the frame."""
    monkeypatch.setattr(side_module, "BOUNDARY_S", 0.05)
    async with a_pair() as pair:
        await pair.client.send(frame(0x2, bytes(200), masked=True)[:100])
        await pair.service.exactly(100)
        pair.end()
        assert await pair.service.rest() == b""
        assert (await pair.client.frame()).close == (4401, "session ended")


async def test_a_sender_that_goes_within_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boundary will never come: its receiver is closed at once."""
    monkeypatch.setattr(side_module, "BOUNDARY_S", 2 * WAIT_S)
    async with a_pair() as pair:
        await pair.client.send(HELLO[:4])
        await pair.service.exactly(4)
        pair.end()
        pair.client.writer.close()
        assert await pair.service.rest() == b""


async def test_an_end_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Close waits behind what it did not take; it does not wait for long."""
    monkeypatch.setattr(side_module, "CLOSE_S", 0.05)
    async with a_pair() as pair:
        pause(pair.client)
        sending = asyncio.create_task(pair.service.send(frame(0x2, bytes(1000)) * 9000))
        await held(pair.near_client)
        pair.near_service.end(4401, "")
        await until(lambda: bool(pair.gone))
        await sending


async def test_an_end_that_takes_nothing_for_long_is_cut() -> None:
    """It would hold what waits for it for ever (W9)."""
    async with a_pair(stall_s=0.05) as pair:
        pause(pair.client)
        sending = asyncio.create_task(pair.service.send(bytes(8 * MIB)))
        await until(lambda: pair.near_client in pair.gone)
        await sending  # it is not stuck: what it sends is thrown away


async def test_an_end_that_takes_a_little_now_and_then_is_not() -> None:
    """Slow is not silent."""
    async with a_pair(stall_s=0.2) as pair:
        pause(pair.client)
        sending = asyncio.create_task(pair.service.send(bytes(16 * MIB)))
        await held(pair.near_client)
        slow = pair.client.writer.get_extra_info("socket").dup()
        for _ in range(9):
            await asyncio.sleep(0.06)
            assert slow.recv(256 * 1024)
        assert not pair.gone
        slow.close()
        sending.cancel()


# -- the end --------------------------------------------------------------------------------------


async def test_aiohttp_learns_of_the_end_only_after_the_tunnel() -> None:
    """It would cancel the handler; of what the client takes it is told as ever."""
    async with a_pair() as pair:
        pair.client.writer.close()
        assert await pair.client.rest() == b""
        await until(lambda: bool(pair.gone))
        await asyncio.sleep(0.01)  # the loss follows the end of what was sent
        assert pair.server.told == []
        pair.near_client.release()
        await asyncio.sleep(0)
        assert pair.server.told == ["lost"]


async def test_aiohttp_learns_of_an_end_after_the_tunnel_at_once() -> None:
    """From then on the connection is its own."""
    async with a_pair() as pair:
        pair.near_client.stop_timers()
        pair.near_client.release()
        pair.client.writer.close()
        await until(lambda: "lost" in pair.server.told)


async def test_aiohttp_knows_whether_the_client_takes_more() -> None:
    """It waits for that after the tunnel, to let last words go out."""
    async with a_pair() as pair:
        pause(pair.client)
        sending = asyncio.create_task(pair.service.send(bytes(8 * MIB)))
        await held(pair.near_client)
        assert pair.server.told == ["pause"]
        resume(pair.client)
        await pair.client.exactly(8 * MIB)
        await sending
        assert pair.server.told[-1] == "resume"
