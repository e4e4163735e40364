"""Messages between parent and worker: whole, bounded, and never waited for without end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.supervisor.channel import HEADER, Channel, ChannelError


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Channel, socket.socket]]:
    """One end as a channel, the other as a bare socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    channel = await Channel.open(ours, patience_s=0.05)
    yield channel, theirs
    channel.close()
    theirs.close()


async def put(end: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(end, data)


def framed(data: bytes) -> bytes:
    return HEADER.pack(len(data)) + data


async def test_messages_arrive_as_they_were_sent() -> None:
    """In order, each whole, however they are cut on the way; then the end is told."""
    ours, theirs = map(Channel.open, socket.socketpair())
    one, other = await ours, await theirs
    messages: list[dict[str, object]] = [
        {"kind": "ready"},
        {"kind": "snapshot", "snapshot": {"rows": [[["小程序"], [1.5]]] * 10_000}},
        {},
    ]
    sending = asyncio.create_task(send_all(one, messages))
    assert [await other.receive() for _ in messages] == messages
    await sending
    one.close()
    assert await other.receive() is None
    other.close()


async def send_all(channel: Channel, messages: list[dict[str, object]]) -> None:
    for each in messages:
        await channel.send(each)


async def test_a_message_may_come_byte_by_byte(pair: tuple[Channel, socket.socket]) -> None:
    """A stream has no borders."""
    channel, end = pair
    receiving = asyncio.create_task(channel.receive())
    for byte in framed(b'{"kind":"ask","id":1}'):
        await put(end, bytes([byte]))
        await asyncio.sleep(0)
    assert await receiving == {"kind": "ask", "id": 1}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (framed(b"no json"), "no JSON"),
        (framed(b"[1]"), "JSON, but no message"),
        (framed(b"\xff\xfe"), "no text"),
        (HEADER.pack(2**31), "larger than any message of ours"),
    ],
)
async def test_what_is_no_message_is_refused(
    pair: tuple[Channel, socket.socket], data: bytes, why: str
) -> None:
    """Nothing is read into memory by a length alone."""
    channel, end = pair
    await put(end, data)
    with pytest.raises(ChannelError):
        await channel.receive()
    assert why


async def test_a_message_that_breaks_off_is_refused(pair: tuple[Channel, socket.socket]) -> None:
    """It is not taken for the other's regular end."""
    channel, end = pair
    await put(end, framed(b"{}")[:-1])
    end.close()
    with pytest.raises(ChannelError, match="broke off"):
        await channel.receive()


async def test_the_rest_of_a_message_is_not_waited_for_long(
    pair: tuple[Channel, socket.socket],
) -> None:
    """A beginning may be waited for as long as it takes, a rest may not."""
    channel, end = pair
    await put(end, framed(b"{}")[:-1])
    with pytest.raises(ChannelError, match="broke off"):
        await channel.receive()


async def test_who_takes_nothing_holds_nobody_up(
    pair: tuple[Channel, socket.socket],
) -> None:
    """Sending is given up, and what waits stays bounded."""
    channel, _ = pair
    for _ in range(2):
        with pytest.raises(ChannelError):
            await channel.send_bytes(b"x" * 5_000_000, 5_000_000)
    with pytest.raises(ChannelError, match="takes nothing"):
        await channel.send_bytes(b"x", 1)


async def test_a_message_that_is_too_large_is_not_sent(pair: tuple[Channel, socket.socket]) -> None:
    """The other end would break the channel off."""
    channel, _ = pair
    with pytest.raises(ChannelError, match="too large"):
        await channel.send_bytes(b"xx", 1)


async def test_to_send_to_nobody_is_an_error(pair: tuple[Channel, socket.socket]) -> None:
    """Of ours, not the event loop's; however often."""
    channel, end = pair
    end.close()
    for _ in range(3):
        with pytest.raises(ChannelError):  # the first may still go into the buffer
            await send_all(channel, [{"kind": "ready"}] * 3)
    assert await channel.receive() is None
