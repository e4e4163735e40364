"""One worker process, seen from its parent."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.supervisor.channel import ChannelError
from gateway.supervisor.process import (
    Job,
    WorkerFailedError,
    WorkerProcess,
    describe_exit,
    worker_command,
)
from tests.support.fake_workers import SETTINGS, Notes, job


@asynccontextmanager
async def started(what: Job, notes: Notes | None = None) -> AsyncIterator[WorkerProcess]:
    """A process that is killed at the end, if it lives."""
    worker = await WorkerProcess.start("7", what, (notes or Notes()).update)
    try:
        yield worker
    finally:
        worker.kill()
        await worker.wait()


async def test_a_worker_is_ready_asked_and_ended() -> None:
    """Its whole life, and what it says last is heard."""
    notes = Notes()
    async with started(job(), notes) as worker:
        seen = [worker.is_ready]
        await worker.ready()
        seen.append(worker.is_ready)
        await worker.ask()
        assert notes.snapshots == {"7": {"pid": worker.pid}}
        notes.snapshots.clear()
        await worker.end(within_s=10)
        assert [*seen, worker.is_ready] == [False, True, False]
        assert await worker.wait() == "exit status 0"
    assert notes.snapshots == {"7": {"pid": worker.pid}}


async def test_it_gets_its_settings_and_its_sockets() -> None:
    """The settings by the channel only; the sockets are the parent's own."""
    body = """
listening = socket.socket(fileno=int(sys.argv[3]))
assert settings.decode() not in " ".join([*sys.argv[2:], *os.environ.values()])
name = [settings.decode(), listening.getsockname()[1]]
await channel.send({"kind": "snapshot", "snapshot": {"name": name}})
await channel.send(READY)
await said()
"""
    notes = Notes()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with started(job(body, [listening]), notes) as worker:
            await worker.ready()
        port = listening.getsockname()[1]
    assert notes.snapshots["7"] == {"name": [SETTINGS.decode(), port]}


async def test_a_terminal_s_signals_do_not_reach_it() -> None:
    """It is in a session of its own: Ctrl-C is for the parent."""
    async with started(job()) as worker:
        await worker.ready()
        assert os.getsid(worker.pid) == worker.pid != os.getsid(0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('await channel.send({"kind": "failed", "reason": "no such file"})', "no such file"),
        ("sys.exit(3)", "it ended before it was ready"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it ended before it was ready"),
        ("await asyncio.sleep(STUCK)", "it was not ready within"),
        ("os.write(int(sys.argv[2]), b'\\xff' * 9)", "it ended before it was ready"),
    ],
)
async def test_why_it_did_not_become_ready_is_told(body: str, said: str) -> None:
    """Its own words where it had any."""
    async with started(job(body)) as worker:
        with pytest.raises(WorkerFailedError, match=said):
            await worker.ready(0.3 if "STUCK" in body else 10)


async def test_a_program_that_is_not_there(tmp_path: object) -> None:
    """Cannot be started."""
    with pytest.raises(FileNotFoundError):
        await WorkerProcess.start("0", Job(b"", (), (f"{tmp_path}/nothing",)), Notes().update)


async def test_one_that_does_not_end_is_killed() -> None:
    """In time."""
    body = "await channel.send(READY)\nawait asyncio.sleep(STUCK)"
    async with started(job(body)) as worker:
        await worker.ready()
        await worker.end(within_s=0.1)
        assert await worker.wait() == "killed by SIGKILL"


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",  # it dies
        "os.write(int(sys.argv[2]), b'\\0\\0\\0\\4nope')\nawait asyncio.sleep(STUCK)",  # it errs
    ],
)
async def test_who_ends_does_not_answer(end: str) -> None:
    """Nobody waits for it."""
    async with started(job(f"await channel.send(READY)\nawait said()\n{end}")) as worker:
        await worker.ready()
        with pytest.raises(ChannelError, match="before it answered"):
            await worker.ask()
        assert not worker.is_ready
        assert await worker.wait() == "killed by SIGKILL"


async def test_a_late_answer_is_still_heard() -> None:
    """Though it is nobody's any more."""
    body = """
await channel.send(READY)
first = await said()
await said()
await channel.send(counted(id=first["id"]))
await channel.send(counted(id="odd"))
await said()
"""
    notes = Notes()
    async with started(job(body), notes) as worker:
        await worker.ready()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await worker.ask()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await worker.ask()
        assert notes.snapshots["7"] == {"pid": worker.pid}


async def test_one_that_drains_by_itself_is_not_ready() -> None:
    """As it says."""
    body = 'await channel.send(READY)\nawait channel.send({"kind": "draining"})\nawait said()'
    notes = Notes()
    async with started(job(body), notes) as worker:
        await worker.ready()
        await worker.leaving()
        assert worker.is_draining
        assert not worker.is_ready


async def test_one_that_dies_leaves_without_draining() -> None:
    """Whoever waits for either hears of it."""
    async with started(job()) as worker:
        await worker.ready()
        worker.kill()
        await worker.leaving()
        assert not worker.is_draining


def test_a_job_does_not_print_its_settings() -> None:
    """They hold secrets."""
    assert SETTINGS.decode() not in repr(job())


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-signal.SIGKILL, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
    ],
)
def test_an_end_is_described(status: int, said: str) -> None:
    """As the shell and the kernel count."""
    assert describe_exit(status) == said


def test_the_working_directory_is_searched_only_where_we_are_from_there(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file `json.py` in an operator's folder is not imported."""
    assert worker_command() == (sys.executable, "-m", "gateway.worker")
    monkeypatch.chdir(str(tmp_path))
    assert worker_command() == (sys.executable, "-P", "-m", "gateway.worker")
