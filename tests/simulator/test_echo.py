"""The echo service: it says what it got."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.simulator.echo import build_echo
from gateway.simulator.server import Running, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def echo() -> AsyncIterator[Running]:
    """A running echo service."""
    running = await start(build_echo(), "127.0.0.1", 0)
    yield running
    await running.close()


async def send(echo: Running, request: bytes) -> Any:
    """Send bytes, read the answer's JSON."""
    reader, writer = await asyncio.open_connection(echo.host, echo.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return json.loads(body)


async def test_headers_come_back_in_order(echo: Running) -> None:
    """Names keep their case, order and repetition; the identity is picked out."""
    told = await send(
        echo,
        b"GET /a/./b%2Fc//d?x=1&x=%20 HTTP/1.1\r\nHost: h\r\nx-B: 2\r\nX-OpenId: o1\r\n"
        b"X-b: 1\r\nX-Platform: wechat\r\nConnection: close\r\n\r\n",
    )
    assert told == {
        "method": "GET",
        "path": "/a/./b%2Fc//d?x=1&x=%20",
        "headers": [
            ["Host", "h"],
            ["x-B", "2"],
            ["X-OpenId", "o1"],
            ["X-b", "1"],
            ["X-Platform", "wechat"],
            ["Connection", "close"],
        ],
        "identity": {"X-OpenId": "o1", "X-Platform": "wechat"},
        "body_bytes": 0,
    }


@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(b"PURGE /any", id="any method"),
        pytest.param(b"OPTIONS *", id="the asterisk form"),
        pytest.param(b"DELETE //", id="an empty segment"),
        pytest.param(b"GET /_sim/calls", id="no path is special"),
    ],
)
async def test_any_request_is_answered(echo: Running, request_line: bytes) -> None:
    """No method and no path is refused."""
    told = await send(echo, request_line + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    method, path = request_line.decode().split()
    assert (told["method"], told["path"]) == (method, path)


async def test_chunked_bodies_are_counted(echo: Running) -> None:
    """A body without a length is counted as it passes, and what is encoded stays so."""
    told = await send(
        echo,
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"
        b"Connection: close\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    )
    assert told["body_bytes"] == 7


async def test_large_bodies_are_counted(echo: Running) -> None:
    """Nothing limits the size of a body."""
    size = 3 * 1024 * 1024
    head = f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    told = await send(echo, head.encode() + b"x" * size)
    assert told["body_bytes"] == size


async def test_odd_header_bytes_are_shown(echo: Running) -> None:
    """A value that is no UTF-8 is shown with escapes; a repeated identity shows both."""
    told = await send(
        echo,
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Odd: \xff\r\nX-OpenId: a\r\nX-OpenId: b\r\n"
        b"Connection: close\r\n\r\n",
    )
    assert ["X-Odd", "\\xff"] in told["headers"]
    assert told["identity"] == {"X-OpenId": "a, b"}
