"""SIGHUP does what it is for, once at a time."""

import asyncio
import os
import signal

from gateway.supervisor.hangup import on_hangup


async def test_each_hangup_does_it_once_at_a_time() -> None:
    """Those that come meanwhile are one more; after the block nothing happens."""
    begun: asyncio.Queue[int] = asyncio.Queue()
    go_on = asyncio.Semaphore(0)
    count = 0

    async def do() -> None:
        nonlocal count
        count += 1
        begun.put_nowait(count)
        await go_on.acquire()

    async with on_hangup(do):
        hang_up()
        assert await begun.get() == 1
        for _ in range(3):
            hang_up()
        await asyncio.sleep(0.05)
        assert begun.empty(), "the first is not done"
        go_on.release()
        assert await begun.get() == 2
        go_on.release()
        await asyncio.sleep(0.05)
        assert begun.empty()
        hang_up()
        assert await begun.get() == 3
    hang_up()
    await asyncio.sleep(0.05)
    assert count == 3


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)
