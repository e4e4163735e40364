"""One worker's place: its listening sockets, and always a worker that serves them.

Decides when a worker is started again. A worker that follows another takes over the same sockets,
so what waits in their queue is served by whoever comes first; it is never lost with a process. The
kernel sends clients there all the time, so a worker that drains by itself is followed at once.
"""

import asyncio
import itertools
import logging
from typing import Protocol

from gateway.supervisor.backoff import Backoff
from gateway.supervisor.process import Job, WorkerFailedError, WorkerProcess

logger = logging.getLogger(__name__)


class Ledger(Protocol):
    """Where the workers' snapshots are kept, by the worker's name."""

    def update(self, worker: str, snapshot: dict[str, object]) -> None:
        """Take a worker's newest snapshot."""

    def retire(self, worker: str) -> None:
        """Keep the counts of a worker that has ended, and forget its state."""


class Names:
    """Names of living processes, used again: the lowest free number, so metrics have few labels."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> str:
        """Give a name that no living process has."""
        number = next(each for each in itertools.count() if each not in self._taken)
        self._taken.add(number)
        return str(number)

    def free(self, name: str) -> None:
        """Take a name back."""
        self._taken.remove(int(name))


class Slot:
    """Keeps one worker. `end_s` is how long a worker that is told to end may take."""

    def __init__(self, job: Job, names: Names, ledger: Ledger, end_s: float) -> None:
        self._job = job
        self._names = names
        self._ledger = ledger
        self._end_s = end_s
        self._backoff = Backoff()
        self._lock = asyncio.Lock()  # one start at a time
        self._current: WorkerProcess | None = None
        self._missed: WorkerProcess | None = None  # the last that was, and is, followed by another
        self._living: dict[WorkerProcess, asyncio.Task[None]] = {}
        self._revival: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def living(self) -> list[WorkerProcess]:
        """Its worker, and those that still finish what they have begun."""
        return list(self._living)

    @property
    def is_ready(self) -> bool:
        return self._current is not None and self._current.is_ready

    async def open(self) -> None:
        """Start the first worker. Raises: WorkerFailedError, OSError."""
        async with self._lock:
            self._current = await self._start()

    async def replace(self) -> None:
        """Start a worker beside the one there is, then let that one finish and end.

        Raises: WorkerFailedError, OSError; then the old one goes on.
        """
        async with self._lock:
            new = await self._start()
            old, self._current = self._current, new
        if old is not None:
            await self._end(old)

    async def close(self) -> None:
        """Let its workers finish and end."""
        self._is_closing = True
        if self._revival is not None:
            self._revival.cancel()
            await asyncio.wait([self._revival])
        await asyncio.gather(*map(self._end, self.living))

    # -- a worker's life ------------------------------------------------------------------------

    async def _start(self) -> WorkerProcess:
        name = self._names.take()
        try:
            worker = await WorkerProcess.start(name, self._job, self._ledger.update)
        except BaseException:
            self._names.free(name)
            raise
        self._living[worker] = asyncio.create_task(self._watch(worker), name=f"watch {name}")
        try:
            await worker.ready()
        except BaseException:
            worker.kill()
            raise
        if not worker.is_ready:
            raise WorkerFailedError("it stopped as soon as it was ready")
        logger.info("worker %s serves (pid %d)", name, worker.pid)
        return worker

    async def _end(self, worker: WorkerProcess) -> None:
        """Let a worker finish and end, and wait until it is collected."""
        watching = self._living.get(worker)
        if watching is not None:
            await worker.end(self._end_s)
            await asyncio.wait([watching])

    async def _watch(self, worker: WorkerProcess) -> None:
        """Wait until a worker stops serving, have it missed, and collect it."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await worker.leaving()
        if worker.is_draining:
            self._miss(worker, "drains by itself", loop.time() - began_s)
            await worker.end(self._end_s)  # it knows, but it may not take for ever
        how = await worker.wait()
        self._living.pop(worker)
        self._ledger.retire(worker.name)
        self._names.free(worker.name)
        self._miss(worker, f"died: {how}", loop.time() - began_s)

    def _miss(self, worker: WorkerProcess, what: str, lived_s: float) -> None:
        """Have another started, once, in the place of a worker that nobody told to end."""
        if worker is not self._current or worker is self._missed or self._is_closing:
            return
        logger.error("worker %s (pid %d) %s", worker.name, worker.pid, what)
        self._missed = worker
        if self._revival is not None:
            self._revival.cancel()  # one for a worker before this one: it has nothing left to do
        self._revival = asyncio.create_task(self._revive(worker, lived_s), name="revive")

    async def _revive(self, gone: WorkerProcess, lived_s: float) -> None:
        """Start a worker in the place of one that serves no more, however often it takes."""
        while True:
            pause_s = self._backoff.after(lived_s)
            await asyncio.sleep(pause_s)
            async with self._lock:
                if self._current is not gone:
                    return  # it was replaced meanwhile
                try:
                    self._current = await self._start()
                    return
                except (WorkerFailedError, OSError) as error:
                    logger.error("no worker in its place: %s", error)  # noqa: TRY400 - its text says all
            lived_s = 0.0
