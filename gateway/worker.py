"""A worker process: the public side on sockets that its parent opened. `python -m gateway.worker`.

It decides when it ends: told by its parent or by SIGTERM, or when its parent is gone, for nobody
would ever end it then. It finishes what is under way first. A parent that goes away meanwhile (a
second Ctrl-C) wants it to end at once. The arguments are descriptors: the control channel, then the
listening sockets.
"""

import asyncio
import contextlib
import gc
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from time import perf_counter

import uvloop

from gateway.build import build_counted_store, build_sessions
from gateway.clock import now
from gateway.errors import GatewayError
from gateway.listener import Listener
from gateway.metrics.counts import Counts
from gateway.observe import set_up_logging
from gateway.public_side import open_public_side
from gateway.sessions.opening import open_sessions
from gateway.settings import Settings
from gateway.supervisor.channel import MAX_SETTINGS_BYTES, Channel, ChannelError, Message
from gateway.supervisor.open_files import fit, raise_limit
from gateway.supervisor.telling import addresses_of, tell

logger = logging.getLogger("gateway.worker")  # here `__name__` is `__main__`
YOUNG_OBJECTS = 20_000
"""New objects, less freed ones, between two looks of the garbage collector (CPython: 700)."""
REPORT_S = 1.0
"""How often the parent is told the counts unasked; what a killed worker counted since is lost."""


REPORT_SHARE = 0.01
"""The most of a worker's time that reporting may take; many counters are reported less often."""


class Worker:
    """Serves until it is told to drain, then drains."""

    def __init__(
        self, channel: Channel, listener: Listener, counts: Counts, stop: asyncio.Event
    ) -> None:
        self._channel = channel
        self._listener = listener
        self._counts = counts
        self._stop = stop

    async def run(self) -> None:
        """Serve; return when nothing is left to do."""
        await self._tell({"kind": "ready"})
        obeying = asyncio.create_task(self._obey(), name="obey")
        reporting = asyncio.create_task(self._report(), name="report")
        await self._stop.wait()
        await self._tell({"kind": "draining"})
        await self._drain(obeying)
        await self._tell_counts()
        for task in (obeying, reporting):
            task.cancel()
        await asyncio.wait([obeying, reporting])

    async def _obey(self) -> None:
        """Do what the parent says, until it is gone."""
        with contextlib.suppress(ChannelError):  # who cannot be understood is as good as gone
            while (message := await self._channel.receive()) is not None:
                match message:
                    case {"kind": "drain"}:
                        self._stop.set()
                    case {"kind": "ask", "id": number}:
                        await self._tell_counts(id=number)
        if not self._stop.is_set():
            logger.error("the parent process is gone, so this worker ends (pid %d)", os.getpid())
        self._stop.set()

    async def _drain(self, obeying: asyncio.Task[None]) -> None:
        """Finish what is under way, unless the parent goes away while waiting for it."""
        draining = asyncio.create_task(self._listener.close(), name="drain")
        if not obeying.done():
            await asyncio.wait([draining, obeying], return_when=asyncio.FIRST_COMPLETED)
            if not draining.done():
                draining.cancel()
                await asyncio.wait([draining])
                await self._listener.close(0.0)
                return
        await draining

    # -- what the parent is told ----------------------------------------------------------------

    async def _report(self) -> None:
        """Tell the counts unasked, so that nearly all of them outlive this process."""
        while True:
            began_s = perf_counter()
            await self._tell_counts()
            took_s = perf_counter() - began_s
            await asyncio.sleep(max(REPORT_S, took_s / REPORT_SHARE))

    async def _tell_counts(self, **about: object) -> None:
        await self._tell({"kind": "snapshot", "snapshot": self._counts.snapshot(), **about})

    async def _tell(self, message: Message) -> None:
        with contextlib.suppress(ChannelError):  # the parent is gone or stuck: `_obey` sees to it
            await self._channel.send(message)


async def run(control: socket.socket, listening: Sequence[socket.socket]) -> int:
    """Take the settings from the parent, serve, and return the exit status."""
    channel = await Channel.open(control)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    data = await channel.receive_bytes(MAX_SETTINGS_BYTES)
    if data is None:
        return 1
    settings: Settings = pickle.loads(data)  # noqa: S301 - from our parent, over a socket of our own
    set_up_logging(settings.logs.level, settings.logs.format)
    settings = _within_files(settings)
    async with AsyncExitStack() as stack:
        try:
            counts = Counts()
            listener = await _open(settings, counts, listening, stack)
        except (OSError, GatewayError) as error:
            await channel.send({"kind": "failed", "reason": tell(error, addresses_of(settings))})
            return 1
        _calm_collector()
        await Worker(channel, listener, counts, stop).run()
    channel.close()
    return 0


def _within_files(settings: Settings) -> Settings:
    """Take as many files as we may have, and no more connections than they do for."""
    files = raise_limit()
    fitting = fit(settings, files)
    wanted, taken = (each.server.limits.connections for each in (settings, fitting))
    if taken < wanted:
        # What fits into the files by its number alone is no mistake of the operator's.
        level = logging.WARNING if files < wanted else logging.DEBUG
        words = "this process may open %d files, so it takes %d connections instead of %d"
        logger.log(level, words, files, taken, wanted)
    return fitting


async def _open(
    settings: Settings,
    counts: Counts,
    listening: Sequence[socket.socket],
    stack: AsyncExitStack,
) -> Listener:
    store = build_counted_store(settings, now, counts)
    sessions = await stack.enter_async_context(open_sessions(build_sessions(settings, now, store)))
    public = await stack.enter_async_context(
        open_public_side(settings, now, sessions, store, counts)
    )
    await public.listener.open(listening)
    for each in listening:
        each.close()  # the listener has copies
    return public.listener


def _calm_collector() -> None:
    """Look for reference cycles seldom: requests leave none, and there are many sessions to pass.

    What stands by now stays to the end, and is never looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def main(arguments: Sequence[str]) -> int:
    """Run a worker on inherited descriptors; return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    control, *listening = [socket.socket(fileno=int(each)) for each in arguments]
    return uvloop.run(run(control, listening))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
