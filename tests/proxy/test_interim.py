"""Interim answers: a proxy passes them on (RFC 9110 15.2), an HTTP/1.0 client gets none.

Early Hints (RFC 8297) let a client fetch what the final answer will need.
"""

import asyncio

import pytest

from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, Message, RawClient, connect
from tests.support.wire import Peer, Service, read_answer_head

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
POST = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def begin(running: RunningGateway, request: bytes = GET) -> tuple[RawClient, Peer]:
    """Get as far as the service's having read the request's head."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(request)
    peer = await service.accept()
    await peer.head()
    return client, peer


async def read_all(client: RawClient) -> list[Message]:
    """Read interim answers up to the final one."""
    answers = [await client.answer()]
    while answers[-1].status < 200:
        answers.append(await client.answer())
    return answers


async def test_a_hint_arrives_before_the_answer(running: RunningGateway) -> None:
    """At once, not with the answer: that is all it is for."""
    client, peer = await begin(running)
    await peer.send(HINTS)
    hint = await client.answer()
    assert hint.raw_head == HINTS
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "on a kept connection"])
async def test_hints_and_the_answer_in_one_packet(running: RunningGateway, is_first: bool) -> None:
    """Each is told, in order, and both connections go on in step."""
    running.upstream.answer = OK
    client = await connect(running.port)
    if not is_first:
        await client.send(GET)
        await client.answer()
    running.upstream.answer = CONTINUE + HINTS + PROCESSING + HINTS + OK
    for _ in range(3):
        await client.send(GET)
        answers = await read_all(client)
        assert [each.status for each in answers] == [100, 103, 102, 103, 200]
        assert (answers[-1].body, answers[-1].value("Link")) == (b"ok", None)
    running.upstream.answer = OK
    await client.send(GET)
    assert [each.status for each in await read_all(client)] == [200]
    assert running.upstream.connections == 1
    await client.close()


async def test_a_pipelined_request_s_hint_waits_for_its_turn(running: RunningGateway) -> None:
    """It stands behind the answer to the request before it."""
    running.upstream.answer = HINTS + OK
    client = await connect(running.port)
    await client.send(GET * 3)
    for _ in range(3):
        assert [each.status for each in await read_all(client)] == [103, 200]
    await client.close()


@pytest.mark.parametrize("keeps", [b"", b"Connection: keep-alive\r\n"])
async def test_an_old_client_gets_none(running: RunningGateway, keeps: bytes) -> None:
    """HTTP/1.0 knows none: it would take the first for the answer (RFC 9110 15.2)."""
    running.upstream.answer = CONTINUE + HINTS + OK
    request = GET.replace(b"1.1", b"1.0").replace(b"gw\r\n", b"gw\r\n" + keeps)
    client = await connect(running.port)
    await client.send(request)
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    await client.close()
    running.upstream.answer = OK  # and nobody after it gets what it did not
    assert (await running.get("/public/x")).status == 200


async def test_what_only_we_may_say_is_taken_out(running: RunningGateway) -> None:
    """Hop-by-hop names, framing and identity go, as from every answer (design section 7)."""
    client, peer = await begin(running)
    await peer.send(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Own\r\nX-Own: 1\r\n"
        b"X-Gateway-Error: session_expired\r\nX-OpenId: evil\r\nKeep-Alive: timeout=5\r\n\r\n"
    )
    assert (await client.answer()).fields == (("Link", "</a>"),)
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_hint_while_the_body_still_comes(running: RunningGateway) -> None:
    """It says nothing about the body; a 100 alone does."""
    client, peer = await begin(running, POST + b"Expect: 100-continue\r\n\r\n")
    await peer.send(HINTS)
    assert (await client.answer()).status == 103
    await peer.send(CONTINUE)
    assert (await client.answer()).raw_head == CONTINUE
    await client.send(b"body")
    assert await peer.exactly(4) == b"body"
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    await client.close()


async def test_a_service_that_only_hints_never_asked_for_the_body(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A client that waits for its 100 is not told that it was too slow."""
    changes = {"server": {"timeouts": {"body_idle": "100ms"}}}
    async with run_gateway(tmp_path_factory.mktemp("gw"), changes) as gateway:
        client, peer = await begin(gateway, POST + b"Expect: 100-continue\r\n\r\n")
        await peer.send(HINTS)
        assert (await client.answer()).status == 103
        answer = await client.answer()
        assert (answer.status, problem(answer)["code"]) == (504, "upstream_timeout")
        await peer.rest()
        await client.close()


@pytest.mark.parametrize("end", ["close", "abort", "malformed"])
async def test_a_failure_behind_a_hint_is_still_a_502(running: RunningGateway, end: str) -> None:
    """A hint is no answer: what becomes of the request is still told."""
    client, peer = await begin(running)
    await peer.send(HINTS)
    assert (await client.answer()).status == 103
    if end == "malformed":
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    else:
        peer.close() if end == "close" else peer.abort()
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (502, "upstream_error")
    await client.close()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", id="two framings"),
        pytest.param(b"Transfer-Encoding: gzip\r\n", id="an unknown coding"),
    ],
)
async def test_a_malformed_interim_answer_is_a_502(running: RunningGateway, fields: bytes) -> None:
    """Two readers might disagree about where it ends."""
    client, peer = await begin(running)
    await peer.send(b"HTTP/1.1 103 Early Hints\r\n" + fields + b"\r\n" + OK)
    assert problem(await client.answer())["code"] == "upstream_error"
    assert await peer.rest() == b""
    await client.close()


async def test_hints_without_end_are_a_502(running: RunningGateway) -> None:
    """They are bounded like a head: no service keeps a client waiting by them alone."""
    client, peer = await begin(running)
    sending = asyncio.create_task(peer.send(HINTS * 20000))
    answers = [await client.answer()]
    while answers[-1].status == 103:
        answers.append(await client.answer())
    assert problem(answers[-1])["code"] == "upstream_error"
    assert len(answers) * len(HINTS) < 1024 * 1024
    await asyncio.wait({sending})
    sending.exception()
    await client.close()


async def test_a_client_that_leaves_after_a_hint_ends_the_request(running: RunningGateway) -> None:
    """The service learns at once that nobody waits."""
    client, peer = await begin(running)
    await peer.send(HINTS)
    await read_answer_head(client)
    await client.close()
    assert await peer.rest() == b""
