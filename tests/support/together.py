"""Several gateways, or several workers, on one store: who serves a connection, what is open."""

import asyncio
import contextlib
from pathlib import Path

from tests.support.own import bearer, head
from tests.support.raw import OK, Message, RawClient, RawUpstream, connect, read_head
from tests.support.serving import Serving
from tests.support.websocket import client_frame, handshake, switch
from tests.support.wire import read_answer_head

MAX_TRIES = 200


async def serve_both(
    _: RawUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A service that answers requests without bodies, and speaks WebSocket by saying nothing."""
    while True:
        request = await read_head(reader)
        if request.value("Upgrade") is None:
            writer.write(OK)
            continue
        writer.write(switch())
        await reader.read()
        return


def worker_of(serving: Serving, client: RawClient) -> int | None:
    """The worker that has this connection, as the kernel knows; None: not accepted yet."""
    host, port = client.writer.get_extra_info("sockname")[:2]
    assert host == "127.0.0.1"
    here = f"0100007F:{serving.port:04X}"
    there = f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1:3] == [here, there] and words[9] != "0":
            return _holder(serving.workers, f"socket:[{words[9]}]")
    return None


def _holder(pids: set[int], link: str) -> int | None:
    for pid in pids:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(each.readlink()) == link:
                    return pid
    return None


async def connect_to(serving: Serving, worker: int | None) -> RawClient:
    """Connect until this worker has the connection; None: to any."""
    for _ in range(MAX_TRIES):
        client = await connect(serving.port)
        if worker is None or await _accepted_by(serving, client) == worker:
            return client
        await client.close()
    raise AssertionError("this worker takes no connection")


async def _accepted_by(serving: Serving, client: RawClient) -> int:
    await client.send(head("GET /public/who"))
    assert (await client.answer()).status == 200
    worker = worker_of(serving, client)
    assert worker is not None, "answered, so somebody has it"
    return worker


async def get(client: RawClient, token: str) -> Message:
    """Ask for something that needs a session."""
    await client.send(head("GET /orders/1", bearer(token)))
    return await client.answer()


async def open_socket(client: RawClient, token: str) -> None:
    """Open a WebSocket on this connection."""
    await client.send(handshake(b"/orders/ws", bearer(token).encode()))
    assert (await read_answer_head(client)).status == 101


async def close_code(client: RawClient, within_s: float) -> int:
    """Wait for the gateway's Close."""
    async with asyncio.timeout(within_s):
        return (await client_frame(client)).close[0]
