"""Client connections: which of two ways a request takes, when it comes early."""

import asyncio
from typing import cast

import pytest

from gateway.protocol import GatewayProtocol
from tests.support.endings import until
from tests.support.flights import connected, server_of, warm
from tests.support.gateway import RunningGateway
from tests.support.own import head

GET = head("GET /public/x")


class Eager:
    """A client's transport behind which the next request lies before the answer is out."""

    def __init__(self, protocol: GatewayProtocol, pieces: list[bytes]) -> None:
        assert protocol.transport is not None
        self._protocol, self._pieces = protocol, pieces
        self._transport = protocol.transport
        protocol.transport = cast("asyncio.Transport", self)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._transport.write(data)
        while self._pieces:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._protocol.data_received, self._pieces.pop(0))


@pytest.mark.parametrize("cut", [0, 10, len(GET)])
async def test_who_asks_again_at_once_is_taken(running: RunningGateway, cut: int) -> None:
    """Though the task that has just answered is not back yet; else it would get one for ever."""
    watched = await warm(running)
    async with connected(running) as client:
        (protocol,) = server_of(running).connections
        Eager(cast("GatewayProtocol", protocol), [GET[:cut], GET[cut:]])
        await client.send(head("POST /public/y", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
        assert [(await client.answer()).body for _ in range(2)] == [b"ok", b"ok"]
    assert watched.took[-1:] == [True]
    assert [each.line[:14] for each in running.upstream.requests] == [
        "POST /public/y",
        "GET /public/x ",
    ]


async def test_what_comes_early_on_a_connection_that_closes(running: RunningGateway) -> None:
    """It is not answered, and keeps nothing busy."""
    watched = await warm(running)
    async with connected(running) as client:
        (protocol,) = server_of(running).connections
        Eager(cast("GatewayProtocol", protocol), [GET])
        await client.send(head("GET /public/y", "Connection: close"))
        assert (await client.answer()).body == b"ok"
        assert await client.is_closed()
    await until(lambda: not server_of(running).open_connections)
    assert not any(watched.took)
