"""Who loses a place at a service to others, over the whole gateway (D2, D6)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.proxy import holdups
from gateway.proxy.holdups import PATIENCE_S
from gateway.proxy.queue import PRESS_S
from tests.support.endings import until
from tests.support.flights import pools_of
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import OK, RawClient
from tests.support.websocket import client_frame, frame, handshake, logged, service_frame, switch
from tests.support.wire import Peer, Service, read_answer_head, read_rest

GET = b"GET /public/visit HTTP/1.1\r\nHost: gw\r\n\r\n"
EVENTS = b"GET /public/events HTTP/1.1\r\nHost: gw\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
UPLOAD = b"POST /public/up HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\n"
AWAITED = UPLOAD + b"Expect: 100-continue\r\n\r\n"
VISITOR = "127.0.0.2"
GONE = (1013, "try again later")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Crowd:
    """A gateway with two places at its service, and who holds them."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.gateway = gateway
        self.service = Service(gateway.upstream)
        self._clients: list[RawClient] = []

    async def ask(
        self, data: bytes, reply: bytes = b"", source: str = "127.0.0.1"
    ) -> tuple[RawClient, Peer]:
        """Send a request's head; reply when it has reached the service."""
        client = await self.send(data, source)
        peer = await self.service.accept()
        await peer.head()
        await peer.send(reply)
        return client, peer

    async def send(self, data: bytes, source: str = VISITOR) -> RawClient:
        port = self.gateway.port
        streams = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        client = RawClient(*streams)
        self._clients.append(client)
        await client.send(data)
        return client

    async def visit(self) -> int:
        """Ask from another address; tell the status."""
        client, peer = await self.ask(GET, OK, VISITOR)
        status = (await client.answer()).status
        peer.close()
        return status

    async def is_quiet(self, *clients: RawClient) -> bool:
        """Whether nobody is told anything, nor let go, while some looks are taken."""
        reading = [asyncio.create_task(client.reader.read(1)) for client in clients]
        done, pending = await asyncio.wait(reading, timeout=4 * PRESS_S)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return not done

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """A service with two places."""
    main = {"connections": 2, "timeouts": {"connect": "4s"}}
    async with run_gateway(tmp_path, {"upstreams": {"main": main}}) as gateway:
        crowd = Crowd(gateway)
        yield crowd
        await crowd.close()


async def test_a_websocket_is_told_to_try_again_later(crowd: Crowd) -> None:
    """The eldest of those that hold all places, at once, between two frames; then it is closed."""
    (client, peer), (other, other_peer) = [await crowd.ask(handshake(), switch()) for _ in range(2)]
    for each in (client, other):
        assert (await read_answer_head(each)).status == 101
    await client.send(frame(1, b"half", masked=True)[:-2])
    visiting = asyncio.create_task(crowd.visit())
    await asyncio.sleep(0.05)
    await client.send(b"lf")
    assert (await client_frame(client)).close == GONE
    assert (await service_frame(peer)).payload == b"half"
    assert (await service_frame(peer)).close == GONE
    await client.send(frame(8, b"\x03\xf5", masked=True))
    await peer.send(frame(8, b"\x03\xf5"))
    assert await read_rest(client) == (b"", False)
    assert await visiting == 200
    (line,) = await logged(crowd.gateway, "/public/ws")
    assert (line["status"], line["error"]) == (101, "overloaded")
    await other.send(frame(1, b"still here", masked=True))
    assert (await service_frame(other_peer)).payload == b"still here"


async def test_an_event_stream_is_cut_off(crowd: Crowd) -> None:
    """Though it is read."""
    streams = [await crowd.ask(EVENTS, STREAM) for _ in range(2)]
    for client, _ in streams:
        assert (await read_answer_head(client)).status == 200
    assert await crowd.visit() == 200
    assert (await read_rest(streams[0][0]))[1]
    (line,) = await logged(crowd.gateway, "/public/events")
    assert (line["status"], line["error"]) == (200, "overloaded")


async def test_one_of_an_address_is_left_to_it(crowd: Crowd) -> None:
    """Somebody has to be there; two addresses do not take each other's places in turns."""
    first, _ = await crowd.ask(handshake(), switch())
    second, _ = await crowd.ask(handshake(), switch(), "127.0.0.3")
    for client in (first, second):
        assert (await read_answer_head(client)).status == 101
    waiting = await crowd.send(GET)
    assert await crowd.is_quiet(first, second, waiting)


async def test_who_waits_for_the_services_100_is_left_alone(crowd: Crowd) -> None:
    """It is the service that is late; once it has asked, it is the client."""
    waiting = [await crowd.ask(AWAITED) for _ in range(2)]
    await asyncio.sleep(PATIENCE_S)
    visiting = asyncio.create_task(crowd.visit())
    await asyncio.sleep(0.2)
    for _, peer in waiting:
        await peer.send(CONTINUE)
    for client, peer in waiting:
        assert (await client.answer()).line == "HTTP/1.1 100 Continue"
        await client.send(b"he")
        assert await peer.exactly(2) == b"he"
    await asyncio.sleep(0.2)
    assert not visiting.done(), "what the service was late is no debt of the client's"
    assert await visiting == 200
    assert len(await logged(crowd.gateway, "/public/up")) == 1


async def test_who_sends_without_a_100_waits_for_none(crowd: Crowd) -> None:
    """Else the field alone would let anybody hold places with slow bodies."""
    for _ in range(2):
        _, peer = await crowd.ask(AWAITED + b"he")
        assert await peer.exactly(2) == b"he"
    assert await crowd.visit() == 200


async def test_one_exchange_is_one_place(crowd: Crowd) -> None:
    """A body that does not come, and an answer that is not read."""
    client, peer = await crowd.ask(UPLOAD + b"\r\n", STREAM)
    assert (await read_answer_head(client)).status == 200
    other, _ = await crowd.ask(GET, source="127.0.0.3")
    async with asyncio.timeout(4):
        await client.reader.readuntil(b"data: 1\n\n\r\n")
    waiting = await crowd.send(GET)
    assert await crowd.is_quiet(client, other, waiting)
    await peer.send(b"data: 2\n\n")
    async with asyncio.timeout(4):
        await client.reader.readuntil(b"data: 2\n\n")


async def test_a_slow_body_is_given_up_however_steady(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just above every bound: else two clients would keep all others out for hours (D6)."""
    monkeypatch.setattr(holdups, "LASTING_S", 1.5)
    asked = UPLOAD.replace(b": 5", b": 1000000") + b"\r\n"
    uploads = [(await crowd.ask(asked))[0] for _ in range(2)]

    async def dribble() -> None:
        while True:
            for client in uploads:
                client.writer.write(bytes(2048))
            await asyncio.sleep(0.2)

    dribbling = asyncio.create_task(dribble())
    assert await crowd.visit() == 200
    dribbling.cancel()
    (line,) = await logged(crowd.gateway, "/public/up")
    assert line["error"] == "overloaded"


async def test_requests_of_one_address_keep_nobody_out(crowd: Crowd) -> None:
    """They wait for the service, so nobody can be given up: the addresses take turns."""
    busy = [await crowd.ask(GET, source="127.0.0.1") for _ in range(2)]
    for _ in range(20):
        await crowd.send(GET, "127.0.0.1")
    (pool,) = pools_of(crowd.gateway)
    await until(lambda: pool.waiting == 20)
    visitor = await crowd.send(GET)
    await until(lambda: pool.waiting == 21)
    for _, peer in busy:
        await peer.send(OK)
        peer.close()
    for _ in range(2):
        peer = await crowd.service.accept()
        await peer.head()
        await peer.send(OK)
    assert (await visitor.answer()).status == 200
    assert pool.waiting > 15
