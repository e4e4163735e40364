"""One worker's place is never left empty for long, and never for ever."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.supervisor.process import Job, WorkerFailedError
from gateway.supervisor.slot import Names, Slot
from tests.support.fake_workers import GOOD, Notes, job
from tests.support.serving import until

SLOW = """
draining = asyncio.Event()
asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, draining.set)
await channel.send(READY)
while not draining.is_set():
    await asyncio.sleep(0.01)
await channel.send({"kind": "draining"})
await asyncio.sleep(STUCK)
"""
"""Drains when it gets SIGTERM, and has a client that never ends."""
STUBBORN = "await channel.send(READY)\nawait said()\nawait asyncio.sleep(STUCK)"


def slot_of(what: Job, notes: Notes | None = None, end_s: float = 10.0) -> Slot:
    return Slot(what, Names(), notes or Notes(), end_s)


@asynccontextmanager
async def opened(slot: Slot) -> AsyncIterator[Slot]:
    """A slot whose first worker is ready."""
    try:
        await slot.open()
        yield slot
    finally:
        await slot.close()
    assert slot.living == []


def pid_of(slot: Slot) -> int:
    """The process of its only worker."""
    (worker,) = slot.living
    return worker.pid


def test_names_of_the_dead_are_used_again() -> None:
    """So that metrics have few labels, however often workers are replaced."""
    names = Names()
    assert [names.take() for _ in range(3)] == ["0", "1", "2"]
    names.free("1")
    assert [names.take(), names.take()] == ["1", "3"]


async def test_a_dead_worker_is_followed_by_another(caplog: pytest.LogCaptureFixture) -> None:
    """Told in the log with its end; its counts are kept."""
    notes = Notes()
    async with opened(slot_of(job(), notes)) as slot:
        dead = pid_of(slot)
        assert slot.is_ready
        os.kill(dead, signal.SIGKILL)
        await until(lambda: slot.is_ready and pid_of(slot) != dead, "no new worker")
        assert notes.retired == ["0"]
        assert f"worker 0 (pid {dead}) died: killed by SIGKILL" in caplog.text
    assert notes.retired == ["0", "0"]


async def test_a_worker_is_replaced_by_one_that_is_ready() -> None:
    """Beside it, under another name; then the old one ends."""
    notes = Notes()
    async with opened(slot_of(job(), notes)) as slot:
        old = pid_of(slot)
        await slot.replace()
        assert slot.is_ready
        assert pid_of(slot) != old
        assert notes.retired == ["0"]
        assert [worker.name for worker in slot.living] == ["1"]


def once(folder: Path, then: str, first: str = GOOD) -> str:
    """A good worker the first time it is started, something else from then on."""
    mark = str(folder / "mark")
    begin = "".join(f"    {line}\n" for line in first.strip().splitlines())
    first_only = f"if not os.path.exists({mark!r}):\n    open({mark!r}, 'w').close()\n{begin}"
    return f"{first_only}    return\n{then.strip()}"


async def test_where_no_new_worker_starts_the_old_one_goes_on(tmp_path: Path) -> None:
    """A replacement that fails changes nothing."""
    async with opened(slot_of(job(once(tmp_path, "sys.exit(1)")))) as slot:
        old = pid_of(slot)
        with pytest.raises(WorkerFailedError):
            await slot.replace()
        await until(lambda: len(slot.living) == 1, "the failed one lives")
        assert slot.is_ready
        assert pid_of(slot) == old


async def test_a_first_worker_that_does_not_start_is_told() -> None:
    """And nothing of it is left."""
    failing = job('await channel.send({"kind": "failed", "reason": "no port"})')
    with pytest.raises(WorkerFailedError, match="no port"):
        async with opened(slot_of(failing)):
            pass


async def test_it_is_tried_until_a_worker_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With pauses, and each failure in the log."""
    gone = tmp_path / "gone"
    then = f"if not os.path.exists({str(gone)!r}):\n    sys.exit(1)\n{GOOD.strip()}"
    async with opened(slot_of(job(once(tmp_path, then)))) as slot:
        os.kill(pid_of(slot), signal.SIGKILL)
        await until(lambda: caplog.text.count("no worker in its place") >= 2, "not tried again")
        assert not slot.is_ready
        gone.touch()
        await until(lambda: slot.is_ready, "no new worker")


async def test_a_dead_worker_may_be_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Then it is not followed by a second one."""
    caplog.set_level(logging.INFO)
    async with opened(slot_of(job())) as slot:
        os.kill(pid_of(slot), signal.SIGKILL)
        await slot.replace()
        await until(lambda: slot.is_ready and len(slot.living) == 1, "not one worker")
        await asyncio.sleep(0.3)  # a second one would be started after a tenth of it
        assert len(slot.living) == 1


async def test_the_end_comes_in_time_and_whatever_is_under_way() -> None:
    """A worker that does not end is killed; a start under way is given up."""
    async with asyncio.timeout(20):
        async with opened(slot_of(job(STUBBORN), end_s=0.2)) as slot:
            replacing = asyncio.create_task(slot.replace())
            await until(lambda: len(slot.living) == 2, "no second worker")
        with contextlib.suppress(WorkerFailedError):
            await replacing


async def test_a_revival_ends_with_the_slot(tmp_path: Path) -> None:
    """Nothing is started after the end."""
    stuck = once(tmp_path, "await asyncio.sleep(STUCK)")
    async with asyncio.timeout(20), opened(slot_of(job(stuck), end_s=0.2)) as slot:
        dead = pid_of(slot)
        os.kill(dead, signal.SIGKILL)
        await until(lambda: slot.living and pid_of(slot) != dead, "no revival")


# -- one that drains by itself ---------------------------------------------------------------


def drain(slot: Slot) -> int:
    """Send SIGTERM to its newest worker; return its process."""
    pid = slot.living[-1].pid
    os.kill(pid, signal.SIGTERM)
    return pid


async def test_one_that_drains_by_itself_is_followed_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not when it has ended: its sockets get clients. Its own end is only collected."""
    notes = Notes()
    async with opened(slot_of(job(once(tmp_path, GOOD, first=SLOW)), notes)) as slot:
        old = drain(slot)
        await until(lambda: len(slot.living) == 2 and slot.is_ready, "no other beside it")
        assert notes.retired == []
        os.kill(old, signal.SIGKILL)
        await until(lambda: notes.retired == ["0"], "it is not collected")
        await asyncio.sleep(0.3)  # a second one would be started after two tenths of it
        assert slot.is_ready
        assert [worker.name for worker in slot.living] == ["1"]
        assert f"worker 0 (pid {old}) drains by itself" in caplog.text
        assert "died" not in caplog.text


async def test_one_that_dies_while_it_drains_is_followed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the other has not been started yet."""
    async with opened(slot_of(job(once(tmp_path, GOOD, first=SLOW)))) as slot:
        old = drain(slot)
        await until(lambda: "drains by itself" in caplog.text, "it does not drain")
        os.kill(old, signal.SIGKILL)
        await until(lambda: slot.is_ready and pid_of(slot) != old, "no other")
        await asyncio.sleep(0.3)
        assert slot.is_ready
        assert len(slot.living) == 1
        assert "died" not in caplog.text


async def test_one_that_drains_by_itself_may_be_replaced(tmp_path: Path) -> None:
    """Then it is followed by that one only."""
    what = job(once(tmp_path, GOOD, first=SLOW))
    async with asyncio.timeout(20), opened(slot_of(what, end_s=0.5)) as slot:
        drain(slot)
        await slot.replace()
        await asyncio.sleep(0.3)
        assert slot.is_ready
        assert [worker.name for worker in slot.living] == ["1"]


async def test_one_that_drains_by_itself_may_not_take_for_ever() -> None:
    """It is killed as one that was told to end: processes must not pile up."""
    notes = Notes()
    async with asyncio.timeout(20), opened(slot_of(job(SLOW), notes, end_s=0.5)) as slot:
        drain(slot)
        await until(lambda: notes.retired == ["0"], "it lives")
        await until(lambda: slot.is_ready, "no other")


async def test_the_end_comes_in_time_while_one_drains_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before another is started, and while it is."""
    async with asyncio.timeout(20):
        async with opened(slot_of(job(SLOW), end_s=0.5)) as slot:
            drain(slot)
            await until(lambda: "drains by itself" in caplog.text, "it does not drain")
        stuck = job(once(tmp_path, "await asyncio.sleep(STUCK)", first=SLOW))
        async with opened(slot_of(stuck, end_s=0.5)) as slot:
            drain(slot)
            await until(lambda: len(slot.living) == 2, "no other")


async def test_those_that_drain_as_soon_as_they_are_ready_are_started_with_pauses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is longer, whether it is heard before they count as the worker or after."""
    at_once = 'await channel.send(READY)\nawait channel.send({"kind": "draining"})'
    said = ("it stopped as soon as it was ready", "drains by itself")
    async with opened(slot_of(job(once(tmp_path, at_once, first=SLOW)), end_s=0.5)) as slot:
        began_s = asyncio.get_running_loop().time()
        drain(slot)
        await until(lambda: sum(map(caplog.text.count, said)) >= 4, "not tried again")
        assert asyncio.get_running_loop().time() - began_s >= 0.1 + 0.2 + 0.4 - 0.05
