"""How long an ending takes to reach another process: to its requests, and to its WebSockets.

Two gateways of one worker each on one store. The session is known to the second, and a WebSocket
is open through it; the first is told to end the session. The clock starts when its 204 is here.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from bench.peers.base import SMALL_PATH
from bench.sockets import handshake
from bench.stores.asking import Asker, asking, bearer, post
from bench.stores.filling import Made, make_sessions
from bench.stores.found import Delays, Revocation
from bench.stores.own import Setting, run_gateway
from bench.warm import request_bytes

GIVE_UP_S = 10.0
_PAUSE_S = 0.002
"""Between two questions whether it is refused: the least that is told apart."""
_APART_MS = 500
"""An ending waits up to so long, at random: else all would come right after a poll of SQLite's."""
_HEAD_END = b"\r\n\r\n"
_CLOSE, _SESSION_ENDED = 0x88, 4401


def measure_revocation(setting: Setting, count: int) -> Revocation:
    """End so many sessions. Raises: ValueError, OSError, TimeoutError for one that is missed."""
    made = make_sessions(setting.store, setting.keys, count)
    with run_gateway(setting) as here, run_gateway(setting) as there:
        return uvloop.run(_measure(here.port, there.port, made))


async def _measure(here_port: int, there_port: int, made: Sequence[Made]) -> Revocation:
    refused, closed = [], []
    async with asking(here_port) as here, asking(there_port) as there:
        for one in made:
            async with asyncio.timeout(GIVE_UP_S):
                times = await _end_one(here, there, there_port, one.token)
            refused.append(times[0])
            closed.append(times[1])
    return Revocation(Delays(refused), Delays(closed))


async def _end_one(here: Asker, there: Asker, there_port: int, token: str) -> tuple[float, float]:
    """End one session here; return how long it took there, in seconds."""
    question = request_bytes(SMALL_PATH, token)
    if (await there.ask(question)).status != 200:
        raise ValueError("a new session was refused")
    async with _socket(there_port, token) as reader:
        closing = asyncio.create_task(closed_at(reader))
        await asyncio.sleep(secrets.randbelow(_APART_MS) / 1000)
        if (await here.ask(post("/logout", b"", bearer(token)))).status != 204:
            raise ValueError("a session could not be ended")
        ended_at = time.perf_counter()
        while (status := (await there.ask(question)).status) == 200:  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(_PAUSE_S)
        refused_at = time.perf_counter()
        if status != 401:
            raise ValueError(f"an ended session was answered by {status}")
        was_closed_at = await closing
    return refused_at - ended_at, max(was_closed_at - ended_at, 0.0)


@asynccontextmanager
async def _socket(port: int, token: str) -> AsyncIterator[asyncio.StreamReader]:
    """Open a WebSocket. Raises: ValueError where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(handshake(SMALL_PATH, token))
        head = await reader.readuntil(_HEAD_END)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ValueError(f"no socket: {head[:40]!r}")
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def closed_at(reader: asyncio.StreamReader) -> float:
    """Wait for the Close that an ended session brings (RFC 6455 5.5.1)."""
    first, length = await reader.readexactly(2)
    payload = await reader.readexactly(length)
    at = time.perf_counter()
    if first != _CLOSE or int.from_bytes(payload[:2], "big") != _SESSION_ENDED:
        raise ValueError("a WebSocket got something else than Close 4401")
    return at
