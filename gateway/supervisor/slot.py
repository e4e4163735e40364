"""One worker's place: its listening sockets, and always a worker that serves them.

Decides when a worker is started again. A worker that follows another takes over the same sockets,
so what waits in their queue is served by whoever comes first; it is never lost with a process.
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
            await old.end(self._end_s)

    async def close(self) -> None:
        """Let its workers finish and end."""
        self._is_closing = True
        if self._revival is not None:
            self._revival.cancel()
            await asyncio.wait([self._revival])
        watching = list(self._living.values())
        await asyncio.gather(*(worker.end(self._end_s) for worker in self.living))
        await asyncio.gather(*watching)

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
        if worker not in self._living:
            raise WorkerFailedError("it ended as soon as it was ready")
        logger.info("worker %s serves (pid %d)", name, worker.pid)
        return worker

    async def _watch(self, worker: WorkerProcess) -> None:
        """Wait for a worker's end; where it was wanted, start another."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        how = await worker.wait()
        self._living.pop(worker)
        self._ledger.retire(worker.name)
        self._names.free(worker.name)
        if worker is self._current and not self._is_closing:
            lived_s = loop.time() - began_s
            logger.error("worker %s (pid %d) died: %s", worker.name, worker.pid, how)
            self._revival = asyncio.create_task(self._revive(worker, lived_s), name="revive")

    async def _revive(self, dead: WorkerProcess, lived_s: float) -> None:
        """Start a worker in a dead one's place, however often it takes."""
        while True:
            pause_s = self._backoff.after(lived_s)
            await asyncio.sleep(pause_s)
            async with self._lock:
                if self._current is not dead:
                    return  # it was replaced while it died
                try:
                    self._current = await self._start()
                    return
                except (WorkerFailedError, OSError) as error:
                    logger.error("no worker in its place: %s", error)  # noqa: TRY400 - its text says all
            lived_s = 0.0
