"""A WebSocket's handshake on the wire, played from both ends; and its frames."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tests.support.gateway import RunningGateway
from tests.support.raw import WAIT_S, RawClient, connect
from tests.support.wire import Peer, Service, read_answer_head, read_exactly

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 1.3


def handshake(path: bytes = b"/public/ws", *fields: bytes) -> bytes:
    """A client's handshake (RFC 6455 4.1)."""
    lines = [
        b"GET " + path + b" HTTP/1.1",
        b"Host: gw",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY,
        *fields,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def switch(*fields: bytes, accept: bytes = ACCEPT) -> bytes:
    """A service's 101."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept,
        *fields,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def opened(
    gateway: RunningGateway, path: bytes = b"/public/ws", *fields: bytes
) -> tuple[RawClient, Peer]:
    """A tunnel that stands."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    await client.send(handshake(path, *fields))
    peer = await service.accept()
    await peer.head()
    await peer.send(switch())
    assert (await read_answer_head(client)).status == 101
    return client, peer


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the other side does, where nobody tells us."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


async def logged(gateway: RunningGateway, path: str, count: int = 1) -> list[dict[str, object]]:
    """Wait for so many lines of this path: the log is written by a thread, which tells nobody."""
    lines: list[dict[str, object]] = []

    def has_lines() -> bool:
        lines[:] = [line for line in gateway.log_lines() if line["path"] == path]
        return len(lines) >= count

    await until(has_lines)
    return lines


# -- frames ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came: its payload unmasked."""

    opcode: int
    payload: bytes
    is_masked: bool

    @property
    def close(self) -> tuple[int, str]:
        """Code and reason of a Close (RFC 6455 5.5.1)."""
        assert self.opcode == 0x8, self
        return int.from_bytes(self.payload[:2], "big"), self.payload[2:].decode()


def frame(opcode: int, payload: bytes, *, masked: bool = False, bits: int = 0x80) -> bytes:
    """A frame in its shortest form (RFC 6455 5.2); `bits` are FIN and the reserved ones.

    The mask is all zeros: masked or not, the payload reads the same.
    """
    mark, length = (0x80 if masked else 0), len(payload)
    if length < 126:
        head = bytes((bits | opcode, mark | length))
    elif length < 2**16:
        head = bytes((bits | opcode, mark | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((bits | opcode, mark | 127)) + length.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload


async def client_frame(client: RawClient) -> Frame:
    """Read one short frame that came to the client."""
    return await read_frame(partial(read_exactly, client))


async def service_frame(peer: Peer) -> Frame:
    """Read one short frame that came to the service."""
    return await read_frame(peer.exactly)


async def read_frame(exactly: Callable[[int], Awaitable[bytes]]) -> Frame:
    """Read one short frame; `exactly` reads so many bytes."""
    first, second = await exactly(2)
    mask = await exactly(4) if second & 0x80 else b""
    payload = await exactly(second & 0x7F)
    if mask:
        payload = bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
    return Frame(first & 0x0F, payload, bool(mask))
