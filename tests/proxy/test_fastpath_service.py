"""What a service may do to a request that the fast path has sent: on the wire, on both loops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.flights import Watched, connected, pools_of, settle
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, Message, RawClient, RawUpstream
from tests.support.wire import Peer, Service, read_exactly, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\nhalf"
MIB = 1024 * 1024


@asynccontextmanager
async def at_hand(running: RunningGateway) -> AsyncIterator[tuple[RawClient, Peer, Watched]]:
    """A client, and the service's side of an idle connection that its next request will take.

    The same GET has been sent twice: a third is known again by its bytes.
    """
    service = Service(running.upstream)
    async with connected(running) as client:
        await client.send(GET)
        peer = await service.accept()
        for again in (GET, b""):
            await peer.request()
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
            await client.send(again)
        yield client, peer, Watched(running)
        peer.abort()


async def is_pooled(client: RawClient, peer: Peer, watched: Watched) -> bool:
    """Whether the next request comes on the same connection, on the fast path."""
    await client.send(GET)
    await peer.request()
    await peer.send(OK)
    return (await client.answer()).body == b"ok" and watched.took[-1]


# -- in pieces ------------------------------------------------------------------------------------

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: a\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nX-A: a\r\n\r\n"


@pytest.mark.parametrize("asked", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(LENGTH, id="length"),
        pytest.param(CHUNKED, id="chunked"),
        pytest.param(EMPTY, id="no body"),
        pytest.param(HINTS + LENGTH, id="an interim answer first"),
    ],
)
async def test_an_answer_may_be_cut_anywhere(
    running: RunningGateway, asked: bytes, said: bytes
) -> None:
    """Wherever the pieces end, the client gets the same, and the connection is used again."""
    async with at_hand(running) as (client, peer, watched):
        for at in range(1, len(said)):
            await client.send(asked)
            await peer.request()
            await peer.send(said[:at])
            await asyncio.sleep(0.001)
            await peer.send(said[at:])
            answer = await client.answer()
            if answer.status == 103:
                assert answer.value("Link") == "</a>"
                answer = await client.answer()
            assert answer.body == (b"" if said is EMPTY else b"ok"), at
        assert all(watched.took)
        assert pools_of(running)[0].attempts == len(said) + 1
    await settle(running)


async def test_an_answer_may_come_byte_by_byte(running: RunningGateway) -> None:
    """One that takes its time gets a task meanwhile, and ends the same way."""
    async with at_hand(running) as (client, peer, watched):
        await client.send(POST)
        await peer.request()
        for byte in LENGTH:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.005)
        assert (await client.answer()).body == b"ok"
        assert watched.took == [True]
        assert await is_pooled(client, peer, watched)
    await settle(running)


@pytest.mark.parametrize("silent_s", [0.0, 0.05, 0.1, 0.15, 0.3])
async def test_an_answer_may_come_late(running: RunningGateway, silent_s: float) -> None:
    """After the fast path's patience a task waits for it; it comes once."""
    async with at_hand(running) as (client, peer, watched):
        for asked in (GET, POST, GET):
            await client.send(asked)
            await peer.request()
            await asyncio.sleep(silent_s)
            await peer.send(OK)
            assert (await client.answer()).body == b"ok"
        assert watched.took == [True] * 3
        assert await is_pooled(client, peer, watched)
    await settle(running)
    assert [line["status"] for line in running.log_lines()] == [200] * 6


@pytest.mark.parametrize("size", [65_536, 65_537, 300_000, 3 * MIB], ids=str)
@pytest.mark.parametrize("asked", [GET, POST], ids=["GET", "POST"])
async def test_an_answer_may_be_large(running: RunningGateway, size: int, asked: bytes) -> None:
    """Larger ones are streamed by a task; not a byte is lost at the hand-over."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with at_hand(running) as (client, peer, watched):
        await client.send(asked)
        await peer.request()
        sending = asyncio.create_task(
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
        )
        answer = await client.answer()
        await sending
        assert answer.body == body
        assert watched.took == [True]
        assert await is_pooled(client, peer, watched)
    await settle(running)


async def test_an_answer_may_last_until_the_service_closes(running: RunningGateway) -> None:
    """The client gets it chunked, and asks again on the same connection of its own."""
    async with at_hand(running) as (client, peer, watched):
        await client.send(GET)
        await peer.request()
        await peer.send(b"HTTP/1.0 200 OK\r\n\r\none")
        await asyncio.sleep(0.01)
        await peer.send(b"two")
        peer.close()
        answer = await client.answer()
        assert (answer.value("Transfer-Encoding"), answer.body) == ("chunked", b"onetwo")
        assert watched.took == [True]
    await settle(running)


async def test_events_arrive_one_by_one(running: RunningGateway) -> None:
    """A stream is handed over at its head; nothing of it waits for the rest."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    async with at_hand(running) as (client, peer, watched):
        await client.send(GET)
        await peer.request()
        await peer.send(head + b"\r\n3\r\none\r\n")
        assert (await client.reader.readuntil(b"one\r\n")).endswith(b"3\r\none\r\n")
        await peer.send(b"3\r\ntwo\r\n")
        assert await read_exactly(client, 8) == b"3\r\ntwo\r\n"
        await peer.send(b"0\r\n\r\n")
        assert await read_exactly(client, 5) == b"0\r\n\r\n"
        assert watched.took == [True]
        assert await is_pooled(client, peer, watched)
    await settle(running)


# -- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2", HINTS], ids=["nothing", "half", "hints"])
async def test_a_post_is_not_sent_twice(running: RunningGateway, how: str, said: bytes) -> None:
    """Whose service goes away without an answer is told so, at once, and it is logged once."""
    service = Service(running.upstream)
    async with connected(running) as client:
        await client.send(GET)
        peer = await service.accept()
        await peer.request()
        await peer.send(OK)
        await client.answer()
        watched = Watched(running)
        await client.send(POST)
        assert (await peer.request()).body == b"half"
        if said:
            await peer.send(said)
            await asyncio.sleep(0.01)
        getattr(peer, how)()
        answer = await client.answer()
        answer = await client.answer() if answer.status == 103 else answer
        assert problem(answer)["code"] == "upstream_error"
        assert (answer.status, watched.took) == (502, [True])
        assert service.is_quiet
        await client.send(GET)  # the client's own connection is in step
        peer = await service.accept()
        await peer.request()
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        peer.abort()
    await settle(running)
    assert [line["status"] for line in running.log_lines()] == [200, 502, 200]


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_may_be_repeated_is_sent_again(
    running: RunningGateway, how: str, method: str
) -> None:
    """On a fresh connection: others that are idle may be as dead."""
    asked = GET.replace(b"GET", method.encode())
    said = OK if method != "HEAD" else OK.removesuffix(b"ok")
    service = Service(running.upstream)
    async with connected(running) as client:
        await client.send(GET)
        peer = await service.accept()
        await peer.request()
        await peer.send(OK)
        await client.answer()
        watched = Watched(running)
        await client.send(asked)
        await peer.request()
        getattr(peer, how)()
        peer = await service.accept()
        await peer.request()
        await peer.send(said)
        assert (await client.answer(method)).status == 200
        assert watched.took == [True]
        peer.abort()
    await settle(running)
    assert [line["status"] for line in running.log_lines()] == [200, 200]


@asynccontextmanager
async def two_targets(folder: Path) -> AsyncIterator[tuple[RunningGateway, list[Service]]]:
    """A gateway before two services that take turns."""
    upstreams = [RawUpstream(), RawUpstream()]
    for each in upstreams:
        await each.start()
    targets = [f"http://127.0.0.1:{each.port}" for each in upstreams]
    async with run_gateway(folder, {"upstreams": {"main": {"targets": targets}}}) as running:
        yield running, [Service(each) for each in upstreams]
    for each in upstreams:
        await each.close()


@pytest.mark.parametrize(("asked", "status"), [(GET, 200), (POST, 502)], ids=["GET", "POST"])
async def test_another_target_may_answer(tmp_path: Path, asked: bytes, status: int) -> None:
    """What may be repeated goes to the other target, once; what may not goes nowhere."""
    async with two_targets(tmp_path) as (running, services), connected(running) as client:
        peers = []
        for service in services:
            await client.send(GET)
            peers.append(await service.accept())
            await peers[-1].request()
            await peers[-1].send(OK)
            assert (await client.answer()).body == b"ok"
        watched = Watched(running)
        await client.send(asked)
        await peers[0].request()
        peers[0].abort()
        if asked is GET:
            again = await services[1].accept()
            await again.request()
            await again.send(OK)
        assert (await client.answer()).status == status
        assert watched.took == [True]
        assert services[1].is_quiet
        await settle(running)
        assert [pool.attempts for pool in pools_of(running)] == [2, 1 + (asked is GET)]


async def test_half_an_answer_is_cut_off(running: RunningGateway) -> None:
    """A client must not take half a body for a whole one."""
    async with at_hand(running) as (client, peer, watched):
        await client.send(GET)
        await peer.request()
        await peer.send(LENGTH[:-1])
        await asyncio.sleep(0.01)
        peer.close()
        received, is_reset = await read_rest(client)
        assert not received.endswith(b"ok")
        assert is_reset
        assert watched.took == [True]
    await settle(running)
    assert [line["error"] for line in running.log_lines()] == [None, None, "answer_cut_off"]


# -- time -----------------------------------------------------------------------------------------

SHORT = {"upstreams": {"main": {"timeouts": {"first_byte": "200ms", "idle": "200ms"}}}}


@pytest.mark.parametrize("asked", [GET, POST], ids=["GET", "POST"])
async def test_a_silent_service_is_given_up(tmp_path: Path, asked: bytes) -> None:
    """`first_byte` holds for what began on the fast path; the connection is not used again."""
    async with run_gateway(tmp_path, SHORT) as running:
        async with at_hand(running) as (client, peer, watched):
            await client.send(asked)
            await peer.request()
            answer = await client.answer()
            assert problem(answer)["code"] == "upstream_timeout"
            assert watched.took == [True]
            assert await peer.rest() == b""
        await settle(running)
        assert [line["status"] for line in running.log_lines()] == [200, 200, 504]


async def test_a_service_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    """`idle` holds, too."""
    async with run_gateway(tmp_path, SHORT) as running:
        async with at_hand(running) as (client, peer, watched):
            await client.send(GET)
            await peer.request()
            await peer.send(LENGTH[:-1])
            _, is_reset = await read_rest(client)
            assert is_reset
            assert await peer.rest() == b""
            assert watched.took == [True]
        await settle(running)


# -- out of step ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(GET, OK + OK, id="two answers"),
        pytest.param(GET, OK + b"x", id="rubbish behind a body"),
        pytest.param(GET, EMPTY + b"x", id="rubbish behind no body"),
        pytest.param(GET.replace(b"GET", b"HEAD"), LENGTH, id="a body to HEAD"),
        pytest.param(GET, CHUNKED + b"x", id="rubbish behind chunks"),
    ],
)
async def test_a_connection_out_of_step_is_not_used_again(
    running: RunningGateway, asked: bytes, said: bytes
) -> None:
    """What came behind an answer never becomes the next request's."""
    service = Service(running.upstream)
    async with connected(running) as client:
        await client.send(GET)
        peer = await service.accept()
        await peer.request()
        await peer.send(OK)
        await client.answer()
        watched = Watched(running)
        await client.send(asked)
        await peer.request()
        await peer.send(said)
        answer: Message = await client.answer(asked.partition(b" ")[0].decode())
        assert answer.status in (200, 204)
        assert watched.took == [True]
        assert await peer.rest() == b""
        await client.send(GET)
        fresh = await service.accept()
        await fresh.request()
        await fresh.send(OK)
        assert (await client.answer()).body == b"ok"
        fresh.abort()
    await settle(running)


async def test_an_answer_nobody_asked_for_ends_a_connection(running: RunningGateway) -> None:
    """One that waits in the pool has nothing to say."""
    async with at_hand(running) as (_, peer, _watched):
        await peer.send(OK)
        assert await peer.rest() == b""
    await settle(running)
