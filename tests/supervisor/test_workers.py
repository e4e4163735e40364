"""All workers together: who is ready, who is asked, who is replaced."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.settings import Listen
from gateway.sockets import ListeningSockets, open_sockets
from gateway.supervisor.process import Job, WorkerFailedError
from gateway.supervisor.slot import Names, Slot
from gateway.supervisor.workers import Workers
from tests.support.fake_workers import Notes, job
from tests.support.serving import until

HERE = Listen("127.0.0.1", 0)
SILENT = "await channel.send(READY)\nwhile (await said())['kind'] == 'ask':\n    pass"


def slots_of(jobs: Sequence[Job], notes: Notes) -> list[Slot]:
    names = Names()
    return [Slot(each, names, notes, 10.0) for each in jobs]


@asynccontextmanager
async def opened(
    jobs: Sequence[Job], notes: Notes, sockets: ListeningSockets | None = None
) -> AsyncIterator[tuple[Workers, list[Slot]]]:
    """Workers that are all ready."""
    slots = slots_of(jobs, notes)
    workers = Workers(sockets or await open_sockets(HERE, len(jobs)), slots)
    try:
        await workers.open()
        yield workers, slots
    finally:
        await workers.close()


def pids(slots: list[Slot]) -> set[int]:
    return {worker.pid for slot in slots for worker in slot.living}


async def test_all_are_started_and_ended() -> None:
    """Each under a name of its own; the port is free again."""
    notes, sockets = Notes(), await open_sockets(HERE, 3)
    port = sockets.port
    async with opened([job()] * 3, notes, sockets) as (workers, slots):
        assert workers.are_ready
        assert len(pids(slots)) == 3
    assert sorted(notes.retired) == ["0", "1", "2"]
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


async def test_one_that_does_not_start_fails_the_start() -> None:
    """The others are ended too."""
    failing = job('await channel.send({"kind": "failed", "reason": "no file"})')
    notes = Notes()
    with pytest.raises(WorkerFailedError, match="no file"):
        async with opened([job(), failing], notes):
            pass
    assert sorted(notes.retired) == ["0", "1"]


async def test_one_worker_is_enough_to_be_ready() -> None:
    """None is not."""
    async with opened([job(), job()], Notes()) as (workers, slots):
        first, second = slots[0].living[0].pid, slots[1].living[0].pid
        os.kill(first, signal.SIGSTOP)  # it lives, so no other is started
        os.kill(second, signal.SIGKILL)
        await until(lambda: not slots[1].is_ready, "a dead worker is ready")
        assert workers.are_ready
        os.kill(first, signal.SIGCONT)


async def test_all_are_asked_at_once_and_none_is_waited_for_long() -> None:
    """Of one that is silent the last snapshot stands."""
    notes = Notes()
    async with opened([job(), job(SILENT), job()], notes) as (workers, _):
        began_s = asyncio.get_running_loop().time()
        await workers.refresh(within_s=0.3)
        assert asyncio.get_running_loop().time() - began_s < 5
        assert len(notes.snapshots) == 2


async def test_a_dead_worker_is_not_waited_for() -> None:
    """Its question ends with it."""
    dying = job("await channel.send(READY)\nawait said()\nos.kill(os.getpid(), signal.SIGKILL)")
    notes = Notes()
    async with opened([job(), dying], notes) as (workers, _):
        async with asyncio.timeout(10):
            await workers.refresh(within_s=3600)
        assert len(notes.snapshots) == 1


async def test_all_are_replaced_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    """Names do not grow with the number of replacements."""
    notes = Notes()
    async with opened([job(), job()], notes) as (workers, slots):
        before = pids(slots)
        for _ in range(2):
            await workers.replace()
        assert len(pids(slots)) == 2
        assert not before & pids(slots)
    assert set(notes.retired) <= {"0", "1", "2"}
    assert caplog.text == ""


async def test_a_replacement_that_fails_leaves_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Settings or code that no longer start must not take the gateway down."""
    mark = tmp_path / "mark"
    dies_later = f"if os.path.exists({str(mark)!r}):\n    sys.exit(1)"
    first_only = f"{dies_later}\nawait channel.send(READY)\nawait said()"
    async with opened([job(first_only), job()], Notes()) as (workers, slots):
        before = pids(slots)
        mark.touch()
        await workers.replace()
        await until(lambda: len(pids(slots)) == 2, "the failed one lives")
        assert pids(slots) == before
        assert "the old ones go on: it ended before it was ready" in caplog.text
