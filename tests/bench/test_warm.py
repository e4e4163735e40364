"""The raw client that warms the sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.warm import read_answer, read_length, request_bytes


def test_a_request_bears_its_token() -> None:
    """Nothing else depends on the token."""
    head = b"GET /a HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer gw1.x\r\n\r\n"
    assert request_bytes("/a", "gw1.x") == head


def test_the_length_is_read_whatever_its_case() -> None:
    """Servers spell it differently."""
    assert read_length(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\n\r\n") == 12


def test_an_answer_without_a_length_is_refused() -> None:
    """The next one could not be found."""
    with pytest.raises(ValueError, match="length"):
        read_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


@asynccontextmanager
async def fed(data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A reader that holds these bytes."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    yield reader


async def test_an_answer_is_read_to_its_end() -> None:
    """And not beyond."""
    async with fed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP") as reader:
        await read_answer(reader)
        assert await reader.readexactly(4) == b"HTTP"


async def test_a_refusal_is_no_warming() -> None:
    """A cache warmed with 401s would be measured as a fast one."""
    async with fed(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n") as reader:
        with pytest.raises(ValueError, match="401"):
            await read_answer(reader)
