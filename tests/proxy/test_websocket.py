"""A third-party library's client and service say and hear the same through the gateway as without.

Each case is played twice, directly and through the gateway; what both ends noted must be equal.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Data, Subprotocol

from tests.support.gateway import run_gateway
from tests.support.websocket import until

MIB = 1024 * 1024
WAIT_S = 30.0
MANY = [str(number) for number in range(3000)]
TEXT = "四海之内皆兄弟也 " * 4000
CODES = [(1000, ""), (1000, "done"), (1001, "leaving"), (3000, "一二三"), (4999, "r" * 123)]

Notes = list[object]
Part = Callable[[Connection, Notes], Awaitable[None]]


# -- what an end does -----------------------------------------------------------------------------


async def listen(ws: Connection, notes: Notes) -> None:
    """Note each message, in its fragments, until the end."""
    try:
        while True:
            notes.append([fragment async for fragment in ws.recv_streaming()])
    except ConnectionClosed:
        pass


async def echo(ws: Connection, notes: Notes) -> None:
    """Send back each message, in the fragments it came in."""
    try:
        while True:
            fragments = [fragment async for fragment in ws.recv_streaming()]
            notes.append(fragments)
            await ws.send(fragments if len(fragments) > 1 else fragments[0])
    except ConnectionClosed:
        pass


def say(*messages: Data | list[Data], then: tuple[int, str] = (1000, "")) -> Part:
    """Send messages one by one and note what comes back, then close."""

    async def part(ws: Connection, notes: Notes) -> None:
        for message in messages:
            await ws.send(message)
            notes.append([fragment async for fragment in ws.recv_streaming()])
        await ws.close(*then)

    return part


def pour(*messages: Data, then: tuple[int, str] = (1000, "")) -> Part:
    """Send messages without waiting for anything, then close."""

    async def part(ws: Connection, notes: Notes) -> None:
        for message in messages:
            await ws.send(message)
        await ws.close(*then)

    return part


def shut(code: int, reason: str) -> Part:
    """Close at once."""

    async def part(ws: Connection, notes: Notes) -> None:
        await ws.close(code, reason)

    return part


async def ping(ws: Connection, notes: Notes) -> None:
    """Ping with and without data; the library ends the wait for the pong to just that ping."""
    for data in (b"", b"data", b"x" * 125):
        await (await ws.ping(data))
        notes.append("pong")
    await ws.close()


async def pong(ws: Connection, notes: Notes) -> None:
    """A pong nobody asked for is heard by nobody, and does no harm."""
    await ws.pong(b"unasked")
    await ws.send("after")
    notes.append(await ws.recv())
    await ws.close()


async def broken_text(ws: Connection, notes: Notes) -> None:
    """Send as text what is no text."""
    await ws.send(b"\xff\xfe", text=True)
    await listen(ws, notes)


async def too_much(ws: Connection, notes: Notes) -> None:
    """Send more than the service takes; it may say so while we still send."""
    with contextlib.suppress(ConnectionClosed):
        await ws.send(bytes(2 * MIB))
    await listen(ws, notes)


async def abort(ws: Connection, notes: Notes) -> None:
    """Say something, and once it is answered, drop the connection without a Close."""
    await ws.send("going")
    await ws.recv()
    ws.transport.abort()


async def answer_and_listen(ws: Connection, notes: Notes) -> None:
    """Answer the first message, then listen."""
    notes.append(await ws.recv())
    await ws.send("heard")
    await listen(ws, notes)


# -- the stage ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """What both ends do, and how they are set up."""

    client: Part
    service: Part
    compression: Literal["deflate"] | None = "deflate"
    offered: tuple[str, ...] = ()
    spoken: tuple[str, ...] = ()
    max_bytes: int | None = 17 * MIB


@dataclass(slots=True)
class Service:
    """A service of the library's, and what its ends of connections noted."""

    play: Play
    port: int = 0
    notes: Notes = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, ws: ServerConnection) -> None:
        await perform(ws, self.play.service, self.notes)
        self.ended.set()


async def perform(ws: Connection, part: Part, notes: Notes) -> None:
    """Play a part, then note what was agreed upon and how it ended."""
    await part(ws, notes)
    await ws.wait_closed()
    notes.append(ws.subprotocol)
    notes.append([repr(extension) for extension in ws.protocol.extensions])
    notes.append((ws.close_code, ws.close_reason))


@asynccontextmanager
async def serving(play: Play) -> AsyncIterator[Service]:
    """Run the service."""
    service = Service(play)
    spoken = [Subprotocol(name) for name in play.spoken] or None
    async with serve(
        service.handle,
        "127.0.0.1",
        0,
        compression=play.compression,
        subprotocols=spoken,
        max_size=play.max_bytes,
        ping_interval=None,
        close_timeout=WAIT_S,
    ) as server:
        service.port = next(iter(server.sockets)).getsockname()[1]
        yield service


def connecting(port: int, play: Play) -> connect:
    """Connect as this play's client."""
    return connect(
        f"ws://127.0.0.1:{port}/public/chat?room=1",
        compression=play.compression,
        subprotocols=[Subprotocol(name) for name in play.offered] or None,
        max_size=play.max_bytes,
        ping_interval=None,
        close_timeout=WAIT_S,
        proxy=None,
    )


async def perform_both(play: Play, service: Service, port: int) -> tuple[Notes, Notes]:
    """Play once, over this port; return what client and service noted."""
    service.notes, service.ended = [], asyncio.Event()
    notes: Notes = []
    async with asyncio.timeout(WAIT_S):
        ws: ClientConnection = await connecting(port, play)
        await perform(ws, play.client, notes)
        await service.ended.wait()
    return notes, service.notes


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(Play(say("hello", "你好", "", TEXT), echo), id="text"),
        pytest.param(Play(say(b"\0\xff", b"", bytes(70_000)), echo), id="binary"),
        pytest.param(Play(say("a", b"b", TEXT), echo, compression=None), id="not compressed"),
        pytest.param(Play(say(["one", "two", "", "three"]), echo), id="fragments of text"),
        pytest.param(Play(say([b"1" * 126, b"", b"2" * 65536]), echo), id="fragments of bytes"),
        pytest.param(Play(say([b"1", b"2"], "a"), echo, compression=None), id="plain fragments"),
        pytest.param(Play(echo, say("s", ["x", "y"])), id="the service begins"),
        pytest.param(Play(say(bytes(16 * MIB)), echo), id="16 MiB compressed"),
        pytest.param(Play(say(bytes(16 * MIB)), echo, compression=None), id="16 MiB"),
        pytest.param(Play(say("x" * 16 * MIB), echo, compression=None), id="16 MiB of text"),
        pytest.param(Play(pour(*MANY), listen), id="many from the client"),
        pytest.param(Play(listen, pour(*MANY)), id="many from the service"),
        pytest.param(Play(ping, listen), id="the client pings"),
        pytest.param(Play(listen, ping), id="the service pings"),
        pytest.param(Play(pong, echo), id="a pong unasked"),
        pytest.param(Play(broken_text, listen), id="1007: broken text"),
        pytest.param(Play(broken_text, listen, compression=None), id="1007 not compressed"),
        pytest.param(Play(listen, broken_text), id="1007 by the client"),
        pytest.param(Play(too_much, listen, compression=None, max_bytes=MIB), id="1009: too much"),
        pytest.param(Play(abort, answer_and_listen), id="1006: the client drops it"),
        pytest.param(Play(answer_and_listen, abort), id="1006: the service drops it"),
        pytest.param(Play(say("x"), echo, offered=("a", "b"), spoken=("b",)), id="sub-protocol"),
        pytest.param(Play(say("x"), echo, offered=("a", "b"), spoken=("b", "a")), id="two of them"),
        pytest.param(Play(say("x"), echo, offered=("json",)), id="a sub-protocol not spoken"),
        *(
            pytest.param(Play(shut(*code), listen), id=f"the client closes {code[0]} {code[1]:.4}")
            for code in CODES
        ),
        *(
            pytest.param(Play(listen, shut(*code)), id=f"the service closes {code[0]} {code[1]:.4}")
            for code in CODES
        ),
    ],
)
async def test_the_same_through_the_gateway_as_without(tmp_path: Path, play: Play) -> None:
    """Every message in its fragments, what was agreed upon, code and reason of the end."""
    async with serving(play) as service:
        directly = await perform_both(play, service, service.port)
        changes = {"upstreams": {"main": {"targets": [f"http://127.0.0.1:{service.port}"]}}}
        async with run_gateway(tmp_path, changes) as gateway:
            through = await perform_both(play, service, gateway.port)
    assert through == directly
    assert directly[0]


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND])
async def test_a_refusal_is_the_service_s_own(tmp_path: Path, status: HTTPStatus) -> None:
    """The library's client meets the status and the page the service sent."""

    def refuse(ws: ServerConnection, request: Request) -> Response:
        return ws.respond(status, "not here\n")

    async def never(ws: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        changes = {"upstreams": {"main": {"targets": [f"http://127.0.0.1:{port}"]}}}
        async with run_gateway(tmp_path, changes) as gateway:
            for each in (port, gateway.port):
                with pytest.raises(InvalidStatus) as refused:
                    await connecting(each, Play(listen, listen))
                response = refused.value.response
                assert (response.status_code, response.body) == (status, b"not here\n")


async def test_the_library_understands_our_closes(tmp_path: Path) -> None:
    """Both ends of it hear 1001 at the drain, with its reason, and count it as a clean end."""
    play = Play(listen, listen)
    async with serving(play) as service:
        changes = {"upstreams": {"main": {"targets": [f"http://127.0.0.1:{service.port}"]}}}
        async with run_gateway(tmp_path, changes) as gateway:
            notes: Notes = []
            ws = await connecting(gateway.port, play)
            await ws.send("hello")
            listening = asyncio.create_task(perform(ws, listen, notes))
            async with asyncio.timeout(WAIT_S):
                await until(lambda: bool(service.notes))
                await gateway.gateway.listener.close()
                await listening
                await service.ended.wait()
    assert notes[-1] == (1001, "going away")
    assert service.notes[-1] == (1001, "going away")
