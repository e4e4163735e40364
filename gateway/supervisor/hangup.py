"""SIGHUP asks for something to be done, once at a time; it never ends the process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def on_hangup(do: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do this at SIGHUP while the block lasts; several signals while it is done are one more.

    The block's end cancels it. SIGHUP does nothing from then on: whoever drains, goes on draining.
    """
    asked = asyncio.Event()

    async def obey() -> None:
        while True:
            await asked.wait()
            asked.clear()
            await do()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    obeying = asyncio.create_task(obey(), name="hangup")
    try:
        yield
    finally:
        obeying.cancel()
        await asyncio.wait([obeying])
