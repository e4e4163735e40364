"""Client connections: deadlines, bounds, and what is answered to bytes that are no request."""

import asyncio
from pathlib import Path

import pytest

from gateway.protocol import MAX_FIELDS
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.raw import OK, connect
from tests.support.wire import Service, read_rest

GET = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"
SECRET = b"gw1.s3cr3t"


# -- deadlines ------------------------------------------------------------------------------------

HASTY = {"server": {"timeouts": {"headers": "80ms", "keepalive": "10s"}}}


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /public/x HT", id="half a line"),
        pytest.param(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n", id="half a head"),
        pytest.param(b"\r\n", id="an empty line"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
async def test_a_head_has_a_deadline(tmp_path: Path, sent: bytes, is_first: bool) -> None:
    """From the connection, or from a next request's first byte, to a whole head (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        client = await connect(gateway.port)
        if not is_first:
            await client.send(GET)
            assert (await client.answer()).status == 200
            sent = sent or b"G"
        await client.send(sent)
        async with asyncio.timeout(2):
            assert await client.is_closed()
        await client.close()


async def test_a_head_begun_behind_a_request_has_a_deadline(tmp_path: Path) -> None:
    """Also when both came in the same bytes; its time runs while the request is under way (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        await client.send(GET + b"GET /pub")
        peer = await service.accept()
        await peer.head()
        await asyncio.sleep(0.12)
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        async with asyncio.timeout(2):
            assert await client.is_closed()
        await client.close()


async def test_dribbling_does_not_extend_the_deadline(tmp_path: Path) -> None:
    """Each byte is not a new beginning, and others are served meanwhile (D1)."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        client = await connect(gateway.port)

        async def dribble() -> None:
            for byte in GET * 100:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.03)

        dribbling = asyncio.create_task(dribble())
        assert (await gateway.get("/public/x")).status == 200
        async with asyncio.timeout(2):
            await read_rest(client)
        dribbling.cancel()
        await asyncio.wait({dribbling})
        await client.close()


async def test_the_deadline_does_not_hold_for_the_request(tmp_path: Path) -> None:
    """A body and an answer may take longer than a head."""
    async with run_gateway(tmp_path, HASTY) as gateway:
        service, client = Service(gateway.upstream), await connect(gateway.port)
        head = b"POST /public/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\n"
        await client.send(head + b"ha")
        peer = await service.accept()
        await asyncio.sleep(0.12)
        await client.send(b"lf")
        await peer.head()
        assert await peer.exactly(4) == b"half"
        await asyncio.sleep(0.12)
        await peer.send(OK)
        assert (await client.answer()).body == b"ok"
        await client.close()


async def test_an_unused_connection_ends(tmp_path: Path) -> None:
    """`keepalive` after the last answer, and no sooner."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"keepalive": "100ms"}}}) as gateway:
        client = await connect(gateway.port)
        for _ in range(3):
            await client.send(GET)
            assert (await client.answer()).status == 200
            await asyncio.sleep(0.05)
        assert await client.is_closed()
        await client.close()


# -- bounds ---------------------------------------------------------------------------------------


def head_of(*fields: bytes, target: bytes = b"/public/x") -> bytes:
    """A GET with these fields."""
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: gw", *fields]) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(head_of(b"X-A: " + b"a" * 32000), 200, None, id="just below in one field"),
        pytest.param(head_of(b"X-A: " + b"a" * 33000), 431, "headers_too_large", id="one field"),
        pytest.param(
            head_of(*[b"X-A: " + b"a" * 10000] * 4), 431, "headers_too_large", id="several"
        ),
        pytest.param(
            head_of(*[b"X-A: " + b"a" * 10000] * 100), 431, "headers_too_large", id="a MB"
        ),
        pytest.param(head_of(b"X" * 40000 + b": a"), 431, "headers_too_large", id="a name"),
        pytest.param(head_of(*[b"X-A: a"] * (MAX_FIELDS - 1)), 200, None, id="as many as allowed"),
        pytest.param(
            head_of(*[b"X-A: a"] * MAX_FIELDS), 431, "headers_too_large", id="one too many"
        ),
        pytest.param(
            head_of(*[b"X-A: a"] * 20000), 431, "headers_too_large", id="thousands of fields"
        ),
        pytest.param(head_of(target=b"/public/" + b"a" * 8184), 200, None, id="the longest target"),
        pytest.param(
            head_of(target=b"/public/" + b"a" * 8185), 414, "target_too_long", id="a byte more"
        ),
        pytest.param(
            head_of(target=b"/public/?" + b"a" * 9000), 414, "target_too_long", id="a query"
        ),
        pytest.param(
            head_of(target=b"/" + b"a" * 500000), 414, "target_too_long", id="half a MB of target"
        ),
        pytest.param(
            head_of(target=b"http://gw/public/" + b"a" * 9000),
            414,
            "target_too_long",
            id="absolute form",
        ),
    ],
)
async def test_heads_are_bounded(
    running: RunningGateway, sent: bytes, status: int, code: str | None
) -> None:
    """Above a limit the client reads why, however much it still sends (D3)."""
    client = await connect(running.port)
    sending = asyncio.create_task(client.send(sent))
    answer = await client.answer()
    assert (answer.status, answer.value("X-Gateway-Error")) == (status, code)
    await asyncio.wait({sending})
    sending.exception()
    if code is not None:
        assert answer.value("Connection") == "close"
        assert running.upstream.requests == []
    await client.close()


@pytest.mark.parametrize("piece", [1000, 20000])
async def test_a_head_without_end_is_bounded(running: RunningGateway, piece: int) -> None:
    """It is refused before its end has come, in whatever pieces (D3)."""
    client = await connect(running.port)
    await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n")
    for _ in range(60000 // piece):
        await client.send(b"X-A: " + b"a" * (piece - 7) + b"\r\n")
        await asyncio.sleep(0)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (431, "headers_too_large")
    assert await client.is_closed()
    await client.close()


async def test_a_second_head_without_end_is_bounded(running: RunningGateway) -> None:
    """While the first request is still being answered, too; its answer goes out first."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n")
    for _ in range(60):
        await client.send(b"X-A: " + b"a" * 993 + b"\r\n")
        await asyncio.sleep(0)
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    assert problem(await client.answer())["code"] == "headers_too_large"
    assert await client.is_closed()
    await client.close()


async def test_too_many_connections_are_closed_unanswered(tmp_path: Path) -> None:
    """The ones there are go on; a place that is free is given again (D4)."""
    async with run_gateway(tmp_path, {"server": {"limits": {"connections": 2}}}) as gateway:
        first, second, third = [await connect(gateway.port) for _ in range(3)]
        assert await third.is_closed()
        for client in (first, second):
            await client.send(GET)
            assert (await client.answer()).status == 200
        await first.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await first.answer()).status == 200
        assert await first.is_closed()
        assert (await gateway.get("/public/x")).status == 200
        for client in (first, second, third):
            await client.close()


async def test_one_address_has_its_share(tmp_path: Path) -> None:
    """`connections_per_ip`; another address is not concerned (D4)."""
    async with run_gateway(tmp_path, {"server": {"limits": {"connections_per_ip": 1}}}) as gateway:
        first = await connect(gateway.port)
        await first.send(GET)
        assert (await first.answer()).status == 200
        second = await connect(gateway.port)
        assert await second.is_closed()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.port, local_addr=("127.0.0.2", 0)
        )
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        for each in (first.writer, second.writer, writer):
            each.close()


async def test_a_trusted_proxy_may_bring_many_clients(tmp_path: Path) -> None:
    """Its address stands for many; only the total bounds it."""
    server = {"limits": {"connections_per_ip": 1}, "trusted_proxies": ["127.0.0.0/8"]}
    async with run_gateway(tmp_path, {"server": server}) as gateway:
        clients = [await connect(gateway.port) for _ in range(4)]
        for client in clients:
            await client.send(GET)
            assert (await client.answer()).status == 200
            await client.close()


# -- what is no request ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /x\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /x HTTP/0.9\r\n\r\n", id="HTTP/0.9, said"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECRET, id="HTTP/2 preface"),
        pytest.param(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + SECRET,
            id="TLS hello",
        ),
        pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET, id="PROXY line"),
        pytest.param(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + GET, id="PROXY v2"),
        pytest.param(SECRET + b"\r\n\r\n", id="one word"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(b"EHLO " + SECRET + b"\r\n", id="mail"),
        pytest.param(b"GET /x HTTP/1.9\r\nHost: gw\r\n\r\n", id="HTTP/1.9"),
        pytest.param(b"GET /x HTTP/2.0\r\nHost: gw\r\n\r\n", id="HTTP/2.0 in text"),
        pytest.param(b"GET /x HTTP/1.1x\r\nHost: gw\r\n\r\n", id="HTTP/1.1x"),
        pytest.param(b"GET /x HTTP/\r1.1\r\nHost: gw\r\n\r\n", id="CR in the version"),
        pytest.param(b"get /x HTTP/1.1\r\nHost: gw\r\n\r\n", id="a method in lower case"),
        pytest.param(b"GET /x y HTTP/1.1\r\nHost: gw\r\n\r\n", id="a space in the target"),
        pytest.param(b"GET /x HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(head_of(b"Authorization: Bearer " + SECRET + b"\x00"), id="NUL in a token"),
        pytest.param(head_of(b"Authorization : Bearer " + SECRET), id="a space before the colon"),
        pytest.param(head_of(b"Authorization\t: Bearer " + SECRET), id="a tab before the colon"),
        pytest.param(head_of(b" Authorization: Bearer " + SECRET), id="a space before the name"),
        pytest.param(head_of(b"A: b", b" " + SECRET), id="a folded line"),
        pytest.param(head_of(b"A: b\n" + SECRET + b": c"), id="a bare LF"),
        pytest.param(head_of(b"A: b\r" + SECRET + b": c"), id="a bare CR"),
        pytest.param(head_of(SECRET), id="a line without a colon"),
        pytest.param(head_of(b": " + SECRET), id="no name"),
        pytest.param(head_of("X-OpenİD: ".encode() + SECRET), id="a name outside ASCII"),
        pytest.param(head_of(b"Host: other"), id="two hosts"),
    ],
)
async def test_what_is_no_request_is_a_400_that_repeats_nothing(
    running: RunningGateway, sent: bytes
) -> None:
    """Our own problem, no byte of theirs, no product name; then the end (L3, L5)."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(sent)
    answer = await client.answer()
    assert (answer.status, problem(answer)["code"]) == (400, "bad_request")
    assert SECRET not in answer.raw_head + answer.body
    assert (answer.value("Server"), answer.value("Connection")) == (None, "close")
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()
    assert SECRET not in (running.folder / "access.log").read_bytes()


async def test_empty_lines_before_a_request_are_passed_over(running: RunningGateway) -> None:
    """A few are usual behind a body (RFC 9112 2.2)."""
    client = await connect(running.port)
    await client.send(b"\r\n\r\n" + GET)
    assert (await client.answer()).status == 200
    await client.close()


async def test_a_bad_request_behind_a_good_one(running: RunningGateway) -> None:
    """The good one is answered as if it were alone, then comes the 400, then the end."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(GET)
    peer = await service.accept()
    await peer.head()
    await client.send(b"GE T\r\n\r\n" + GET)
    await peer.send(OK)
    assert (await client.answer()).body == b"ok"
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    assert running.upstream.connections == 1
    await client.close()


async def test_nothing_behind_a_bad_request_is_read(running: RunningGateway) -> None:
    """Where the framing is broken, the next bytes may be anybody's."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\nContent-Length: x\r\n\r\n")
    await client.send(GET * 10)
    assert problem(await client.answer())["code"] == "bad_request"
    assert await client.is_closed()
    assert service.is_quiet
    await client.close()


async def test_a_product_name_is_never_told(running: RunningGateway) -> None:
    """Neither on our answers nor added to a service's (L5)."""
    for path in ("/public/x", "/orders/x", "/nothing", "/hello.txt", "/login"):
        answer = await running.get(path)
        assert (answer.value("Server"), answer.value("Via")) == (None, None)
