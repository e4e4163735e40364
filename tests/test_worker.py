"""A worker obeys its parent, drains when told or left alone, and says why it does not start."""

import asyncio
import os
import pickle
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.metrics.counts import Counts
from gateway.settings import Listen, Settings
from gateway.sockets import open_sockets
from gateway.supervisor.channel import Channel
from gateway.supervisor.process import Job, WorkerFailedError, WorkerProcess, worker_command
from gateway.worker import Worker
from tests.support.fake_workers import Notes
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import RawClient, ask, connect
from tests.support.wire import Peer, Service

GET = b"GET /hello.txt HTTP/1.1\r\nHost: gw\r\n\r\n"
PROXIED = b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n"

# -- obeying, in this process ---------------------------------------------------------------------


class Told:
    """A worker that runs over the running gateway's listener, and the parent's end of it."""

    def __init__(self, parent: Channel, work: asyncio.Task[None], stop: asyncio.Event) -> None:
        self.parent = parent
        self.work = work
        self.stop = stop

    async def says(self, kind: str) -> dict[str, object]:
        """Wait for a message of this kind; return the first."""
        async with asyncio.timeout(10):
            while True:
                message = await self.parent.receive()
                assert message is not None, f"it ended before it said {kind}"
                if message["kind"] == kind:
                    return message


@asynccontextmanager
async def working(running: RunningGateway) -> AsyncIterator[Told]:
    """A worker that is ready."""
    ours, theirs = socket.socketpair()
    channel, stop = await Channel.open(theirs), asyncio.Event()
    worker = Worker(channel, running.gateway.listener, Counts(), stop)
    told = Told(await Channel.open(ours), asyncio.create_task(worker.run()), stop)
    try:
        await told.says("ready")
        yield told
        async with asyncio.timeout(10):
            await told.work
    finally:
        told.parent.close()
        channel.close()


async def test_it_drains_when_it_is_told(running: RunningGateway) -> None:
    """It says so, finishes, and tells its last counts."""
    async with working(running) as told:
        await told.parent.send({"kind": "drain"})
        await told.says("draining")
        await told.work
        assert (await told.says("snapshot"))["snapshot"] is not None
        with pytest.raises(ConnectionRefusedError):
            await connect(running.port)


async def test_it_answers_with_its_counts(running: RunningGateway) -> None:
    """To each question; and unasked from time to time."""
    async with working(running) as told:
        assert "id" not in await told.says("snapshot")
        await told.parent.send({"kind": "ask", "id": 5})
        while (answer := await told.says("snapshot")).get("id") != 5:
            pass
        assert answer["snapshot"] == {}
        told.stop.set()


async def begin(running: RunningGateway) -> tuple[RawClient, Peer]:
    """A request that its service has, and does not answer."""
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(PROXIED)
    peer = await service.accept()
    await peer.head()
    return client, peer


async def test_a_parent_that_is_gone_is_a_reason_to_drain(
    running: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody would ever tell it to; what is under way is finished all the same."""
    client, peer = await begin(running)
    async with working(running) as told:
        told.parent.close()
        await asyncio.sleep(0.2)
        assert not told.work.done()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await client.answer()).body == b"ok"
        await client.close()
    assert "the parent process is gone" in caplog.text


async def test_a_parent_that_cannot_be_understood_is_as_good_as_gone(
    running: RunningGateway,
) -> None:
    """A worker that nobody can end does not serve on."""
    async with working(running) as told:
        await told.parent.send_bytes(b"no message", 10)
        await told.says("draining")


async def test_a_parent_that_goes_while_it_drains_is_a_reason_to_end(tmp_path: Path) -> None:
    """An operator has asked twice."""
    async with run_gateway(tmp_path, {"server": {"timeouts": {"shutdown": "1h"}}}) as running:
        client, _ = await begin(running)
        async with working(running) as told:
            told.stop.set()
            await told.says("draining")
            told.parent.close()
            async with asyncio.timeout(10):
                await told.work
            assert await client.is_closed()
            await client.close()


# -- starting, as a process -----------------------------------------------------------------------


@asynccontextmanager
async def started(settings: Settings, listening: socket.socket) -> AsyncIterator[WorkerProcess]:
    """A real worker on this socket."""
    job = Job(pickle.dumps(settings), [listening], worker_command())
    process = await WorkerProcess.start("0", job, Notes().update)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_it_serves_what_its_parent_listens_on(running: RunningGateway) -> None:
    """With the settings it is sent; SIGTERM is an order to drain, SIGINT is not for it."""
    sockets = await open_sockets(Listen("127.0.0.1", 0))
    async with started(running.settings, sockets.of(0)[0]) as process:
        await process.ready()
        sockets.close()
        os.kill(process.pid, signal.SIGINT)
        assert (await ask(sockets.port, GET)).status == 200
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == "exit status 0"
    with pytest.raises(ConnectionRefusedError):
        await connect(sockets.port)


async def test_it_says_why_it_does_not_start(running: RunningGateway, tmp_path: Path) -> None:
    """In one line, which its parent tells; nothing of its own on stderr."""
    logs = running.settings.logs.model_copy(update={"access": tmp_path / "no" / "access.log"})
    settings = running.settings.model_copy(update={"logs": logs})
    sockets = await open_sockets(Listen("127.0.0.1", 0))
    async with started(settings, sockets.of(0)[0]) as process:
        with pytest.raises(WorkerFailedError, match=r"access\.log: No such file or directory"):
            await process.ready()
        assert await process.wait() == "exit status 1"
    sockets.close()


async def test_without_settings_it_ends() -> None:
    """A parent that died before it sent them."""
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        *worker_command(), str(theirs.fileno()), pass_fds=[theirs.fileno()]
    )
    theirs.close()
    ours.close()
    async with asyncio.timeout(20):
        assert await process.wait() == 1
