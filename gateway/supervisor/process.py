"""One worker process as its parent sees it: started, ready, asked, drained, ended.

It decides nothing about when a worker is wanted. A fresh interpreter is started, not forked: the
parent has threads. The worker gets its listening sockets and its end of the channel by descriptor,
its settings over the channel: a command line and an environment can be read by others.
"""

import asyncio
import contextlib
import itertools
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import gateway
from gateway.supervisor.channel import MAX_SETTINGS_BYTES, Channel, ChannelError, Message

START_S = 60.0
"""How long a worker may take to be ready; an interpreter takes about a second."""
LAST_WORDS_S = 1.0
"""How long what a worker said last may take to be read, once it has ended."""

Heard = Callable[[str, dict[str, object]], None]
"""Takes a worker's name and its snapshot."""


class WorkerFailedError(Exception):
    """A worker did not become ready; the text says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is started with; `settings` is pickled, and secret."""

    settings: bytes = field(repr=False)
    listening: Sequence[socket.socket]
    command: Sequence[str]


def worker_command() -> tuple[str, ...]:
    """Run the same package as ours; the working directory is searched only if it is from there."""
    is_from_here = Path(gateway.__file__).parents[1] == Path.cwd()
    return (sys.executable, *(() if is_from_here else ("-P",)), "-m", "gateway.worker")


class WorkerProcess:
    """A process that runs, with the parent's end of its channel."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, channel: Channel, heard: Heard
    ) -> None:
        self.name = name
        self.is_ready = False
        self._draining = asyncio.Event()
        self._process = process
        self._channel = channel
        self._heard = heard
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._started: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(), name=f"worker {name}")

    @classmethod
    async def start(cls, name: str, job: Job, heard: Heard) -> Self:
        """Start a process and hand it its job; `ready` waits for it. Raises: OSError."""
        ours, theirs = socket.socketpair()
        try:
            descriptors = [theirs.fileno(), *(each.fileno() for each in job.listening)]
            process = await asyncio.create_subprocess_exec(
                *job.command,
                *map(str, descriptors),
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which then tells its workers
            )
            worker = cls(name, process, await Channel.open(ours), heard)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        with contextlib.suppress(ChannelError):  # it is gone already: `ready` says so
            await worker._channel.send_bytes(job.settings, MAX_SETTINGS_BYTES)
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_draining(self) -> bool:
        """Whether it has said that it takes no more clients."""
        return self._draining.is_set()

    # -- what it says ---------------------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            while (message := await self._channel.receive()) is not None:
                self._hear(message)
        except ChannelError:
            self.kill()  # it is broken: its death is dealt with as any other
        finally:
            self.is_ready = False
            self._tell_started("it ended before it was ready")
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ChannelError("it ended before it answered"))

    def _hear(self, message: Message) -> None:
        match message:
            case {"kind": "ready"}:
                self.is_ready = True
                self._tell_started(None)
            case {"kind": "failed", "reason": str(reason)}:
                self._tell_started(reason)
            case {"kind": "draining"}:
                self.is_ready = False
                self._draining.set()
            case {"kind": "snapshot", "snapshot": dict(snapshot), **rest}:
                self._heard(self.name, snapshot)
                self._answer(rest.get("id"))

    def _answer(self, number: object) -> None:
        answer = self._asked.pop(number, None) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _tell_started(self, failure: str | None) -> None:
        if not self._started.done():
            self._started.set_result(failure)

    async def ready(self, within_s: float = START_S) -> None:
        """Wait until it serves. Raises: WorkerFailedError."""
        try:
            async with asyncio.timeout(within_s):
                failure = await asyncio.shield(self._started)
        except TimeoutError:
            failure = f"it was not ready within {within_s:.0f} s"
        if failure is not None:
            raise WorkerFailedError(failure)

    async def leaving(self) -> None:
        """Wait until it takes no more clients: it drains, or it has ended."""
        draining = asyncio.create_task(self._draining.wait(), name=f"draining {self.name}")
        ended = asyncio.create_task(self._process.wait(), name=f"ended {self.name}")
        try:
            await asyncio.wait([draining, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()
            ended.cancel()

    # -- what it is told ------------------------------------------------------------------------

    async def ask(self) -> None:
        """Have it send its snapshot, and wait until it is heard. Raises: ChannelError."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            await self._channel.send({"kind": "ask", "id": number})
            await answer
        finally:
            self._asked.pop(number, None)

    async def end(self, within_s: float) -> None:
        """Have it finish what is under way and end; kill it if it has not by then."""
        self.is_ready = False
        try:
            async with asyncio.timeout(within_s):
                with contextlib.suppress(ChannelError):
                    await self._channel.send({"kind": "drain"})
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> str:
        """Wait for its end; return how it ended, after its last words were heard."""
        status = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await asyncio.shield(self._listening)
        self._listening.cancel()
        self._channel.close()
        return describe_exit(status)


def describe_exit(status: int) -> str:
    """Say how a process ended; a negative status is the signal that killed it."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"
