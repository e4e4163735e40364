"""An idle connection that its service resets in the very turn in which a request would take it."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.flights import pools_of
from tests.support.gateway import run_gateway
from tests.support.raw import OK, connect

REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
BODY = b"secret-body!"
POST = b"POST /public/y HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A service's socket, served by the test byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


async def take(listening: socket.socket) -> socket.socket:
    """Accept one connection."""
    accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
    return accepted


async def read_until(peer: socket.socket, end: bytes) -> bytes:
    """Read what the gateway sends, until it ends so."""
    found = b""
    while not found.endswith(end):
        piece = await asyncio.get_running_loop().sock_recv(peer, 65536)
        assert piece, found
        found += piece
    return found


def reset(peer: socket.socket) -> None:
    """Close with an RST (socket(7), SO_LINGER)."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.mark.parametrize("times", range(3))
async def test_a_reset_takes_no_body_along(
    tmp_path: Path, listening: socket.socket, times: int
) -> None:
    """The request goes out whole on another connection, so nothing stays owed on that one."""
    loop = asyncio.get_running_loop()
    target = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with run_gateway(tmp_path, {"upstreams": {"main": {"targets": [target]}}}) as running:
        client = await connect(running.port)
        await client.send(b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n")
        first = await take(listening)
        await read_until(first, b"\r\n\r\n")
        await loop.sock_sendall(first, OK)
        assert (await client.answer()).status == 200
        reset(first)
        await client.send(POST)  # both are there before the gateway's next turn
        second = await take(listening)
        assert (await read_until(second, BODY)).endswith(b"\r\n\r\n" + BODY), times
        await loop.sock_sendall(second, REFUSED)
        assert (await client.answer()).status == 401
        assert [pool.in_use for pool in pools_of(running)] == [0]
        await client.close()
        second.close()
