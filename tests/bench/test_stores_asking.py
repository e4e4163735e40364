"""How the measures ask: one connection, many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.stores.asking import Answer, Asker, asking, at_once, bearer, post


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[int]:
    """A service that gives each connection these answers in turn, whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not (await reader.read(1000)):
                break
            writer.write(answer)
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)  # what is left of its connections ends
        await server.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GONE = b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_answers_are_read_one_after_another() -> None:
    """With a body, with an empty one, and without."""
    async with answering(OK, EMPTY, GONE) as port, asking(port) as asker:
        found = [await asker.ask(b"?") for _ in range(3)]
    assert found == [Answer(200, b"ok"), Answer(204, b""), Answer(401, b"")]


async def test_each_item_is_asked_once() -> None:
    """On as many connections as there may be."""
    asked: list[int] = []

    async def each(asker: Asker, number: int) -> None:
        await asker.ask(b"?")
        asked.append(number)

    async with answering(*[OK] * 9) as port:
        await at_once(port, 3, range(9), each)
    assert sorted(asked) == list(range(9))


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        pytest.param(post("/p"), b"POST /p HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"),
        pytest.param(
            post("/p", b"{}", bearer("t")),
            b"POST /p HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer t\r\nContent-Length: 2\r\n\r\n{}",
        ),
    ],
    ids=["empty", "with a body and a token"],
)
def test_a_post_is_written_as_it_goes_out(request_bytes: bytes, expected: bytes) -> None:
    """Byte for byte."""
    assert request_bytes == expected
