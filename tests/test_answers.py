"""Writing to a client: whole answers, counted bytes, waiting, cutting off."""

import asyncio
import socket

import pytest
from aiohttp import web

from gateway.answers import (
    Written,
    connection_field,
    cut_off,
    drain,
    status_line,
    write,
    write_answer,
    write_continue,
)
from gateway.errors import Answer
from tests.support.bare import bare_server
from tests.support.raw import RawClient, connect
from tests.support.wire import read_answer_head, read_rest

GET = b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n"
ANSWER = Answer(200, (("X-A", "1"),), b"hello")


@pytest.mark.parametrize(
    ("method", "status", "length", "body"),
    [
        pytest.param("GET", 200, "5", b"hello", id="a body"),
        pytest.param("HEAD", 200, "5", b"", id="HEAD tells the length only"),
        pytest.param("GET", 204, None, b"", id="204 has neither"),
        pytest.param("GET", 304, "5", b"", id="304 tells the length only"),
        pytest.param("GET", 404, "5", b"hello", id="a refusal"),
    ],
)
async def test_an_answer_is_written_whole(
    method: str, status: int, length: str | None, body: bytes
) -> None:
    """Status, fields, length, date; a second request may follow."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = Answer(status, ANSWER.headers, ANSWER.body)
        written = write_answer(request, answer, keep_alive=True)
        assert request.writer.output_size > 0
        assert written.sent_bytes == len(body)
        return written

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        for _ in range(2):
            await client.send(GET.replace(b"GET", method.encode()))
            answer = await client.answer(of=method)
            assert (answer.status, answer.value("X-A"), answer.body) == (status, "1", body)
            assert answer.value("Content-Length") == length
            assert str(answer.value("Date")).endswith(" GMT")
            assert (answer.value("Server"), answer.value("Connection")) == (None, None)
        await client.close()


@pytest.mark.parametrize(
    ("version", "keep_alive", "field"),
    [
        pytest.param(b"1.1", True, "", id="the default of 1.1"),
        pytest.param(b"1.1", False, "Connection: close\r\n", id="1.1, the end"),
        pytest.param(b"1.0", True, "Connection: keep-alive\r\n", id="1.0 must be told"),
        pytest.param(b"1.0", False, "Connection: close\r\n", id="1.0, the end"),
    ],
)
async def test_the_connection_field_says_what_the_version_does_not(
    version: bytes, keep_alive: bool, field: str
) -> None:
    """RFC 9112 9.3."""
    fields: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        fields.append(connection_field(request, keep_alive=keep_alive))
        return write_answer(request, ANSWER, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET.replace(b"1.1", version))
        assert (await client.answer()).status == 200
        assert fields == [field]
        await client.close()


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, None, "HTTP/1.1 200 OK\r\n"),
        (200, "Fine", "HTTP/1.1 200 Fine\r\n"),
        (799, None, "HTTP/1.1 799 \r\n"),
    ],
)
def test_a_status_line(status: int, reason: str | None, line: str) -> None:
    """The usual phrase, the service's own, or none (RFC 9112 4)."""
    assert status_line(status, reason) == line


async def test_a_100_does_not_count_as_an_answer() -> None:
    """What follows may still become a refusal."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        write_continue(request)
        assert request.writer.output_size == 0
        return write_answer(request, ANSWER, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET)
        assert (await read_answer_head(client)).line == "HTTP/1.1 100 Continue"
        assert (await client.answer()).body == b"hello"
        await client.close()


async def test_writing_to_nobody_says_so() -> None:
    """A client that is gone is a ConnectionError; a 100 to nobody is nothing."""
    outcomes: list[bool] = []
    done = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        write_continue(request)
        with pytest.raises(ConnectionResetError):
            write(request, b"x")
        outcomes.append(True)
        done.set()
        cut_off(request)
        return Written(200, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET)
        await done.wait()
        assert outcomes == [True]
        await client.close()


async def test_cutting_off_is_a_reset() -> None:
    """The client cannot take what it has for the whole, whatever was in its way."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        write(request, b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await request.content.read(1)
        cut_off(request)
        raise ConnectionAbortedError

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n"))
        await read_answer_head(client)
        await client.reader.readexactly(4)
        await client.send(b"x")
        assert await read_rest(client) == (b"", True)
        await client.close()


# -- waiting for the client -----------------------------------------------------------------------

SIZE = 8 * 1024 * 1024


async def deaf_client(port: int) -> RawClient:
    """A client that asks and does not read."""
    client = await connect(port)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
    await client.send(GET)
    return client


async def test_draining_waits_until_the_client_has_read() -> None:
    """It returns when most is taken, not before; with nothing waiting, at once."""
    drained = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await drain(request, 5.0)
        write(request, bytes(SIZE))
        await drain(request, 5.0)
        drained.set()
        return Written(200, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await deaf_client(bare.port)
        waiting = asyncio.create_task(drained.wait())
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        client.writer.transport.resume_reading()  # type: ignore[attr-defined] # it has it
        assert len((await read_rest(client))[0]) == SIZE
        await waiting
        await client.close()


async def test_draining_waits_for_a_client_that_reads_slowly() -> None:
    """Much longer than `idle_s`, as long as it takes some."""
    idle_s = 0.2
    took_s: list[float] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        write(request, bytes(SIZE))
        began_s = loop.time()
        await drain(request, idle_s)
        took_s.append(loop.time() - began_s)
        return Written(200, keep_alive=False)

    async with bare_server(handle) as bare:
        with slow_socket() as sock:
            sock.connect(("127.0.0.1", bare.port))
            sock.sendall(GET)
            left = SIZE
            while left:
                await asyncio.sleep(0.01)
                left -= len(await asyncio.to_thread(sock.recv, 256 * 1024))
    assert took_s[0] > idle_s


def slow_socket() -> socket.socket:
    """A socket with a small buffer: what its owner does not read stays with the sender."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    return sock


async def test_draining_gives_a_deaf_client_up() -> None:
    """After `idle_s` without a byte taken."""
    given_up = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        write(request, bytes(SIZE))
        with pytest.raises(TimeoutError):
            await drain(request, 0.05)
        given_up.set()
        cut_off(request)
        return Written(200, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await deaf_client(bare.port)
        await given_up.wait()
        client.writer.transport.abort()


async def test_draining_ends_with_the_client() -> None:
    """A client that goes away while we wait for it is a ConnectionError, or just the end."""
    written, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        write(request, bytes(SIZE))
        written.set()
        try:
            await drain(request, 5.0)
        except ConnectionError:
            pass
        finally:
            ended.set()
        return Written(200, keep_alive=False)

    async with bare_server(handle) as bare:
        client = await deaf_client(bare.port)
        await written.wait()
        client.writer.transport.abort()
        async with asyncio.timeout(2):
            await ended.wait()


# -- the end of an answer -------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_an_unread_body_half_closes_at_once(keep_alive: bool) -> None:
    """The client sees the end while its body is still read (RFC 9112 9.6)."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return write_answer(request, ANSWER, keep_alive=keep_alive)

    async with bare_server(handle) as bare:
        client = await connect(bare.port)
        await client.send(GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n"))
        assert (await client.answer()).body == b"hello"
        if keep_alive:
            await client.send(b"123456789" + GET)
            assert (await client.answer()).body == b"hello"
        else:
            async with asyncio.timeout(2):
                assert await client.is_closed()
            await client.send(b"1234")  # it is still read, not reset
        await client.close()
