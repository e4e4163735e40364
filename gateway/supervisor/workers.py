"""All workers together: started at once, replaced one by one, asked at once, ended at once."""

import asyncio
import contextlib
import logging

from gateway.sockets import ListeningSockets
from gateway.supervisor.channel import ChannelError
from gateway.supervisor.process import WorkerFailedError, WorkerProcess
from gateway.supervisor.slot import Slot

logger = logging.getLogger(__name__)
ASK_S = 1.0
"""How long workers may take to send a snapshot; then the last one has to do."""


class Workers:
    """A slot for each share of the listening sockets, which are ours to close."""

    def __init__(self, sockets: ListeningSockets, slots: list[Slot]) -> None:
        self._sockets = sockets
        self._slots = slots
        self._replacing = asyncio.Lock()

    @property
    def are_ready(self) -> bool:
        """Whether at least one serves."""
        return any(slot.is_ready for slot in self._slots)

    async def open(self) -> None:
        """Start them all. Raises: WorkerFailedError, OSError where one does not start."""
        opening = [slot.open() for slot in self._slots]
        results = await asyncio.gather(*opening, return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure

    async def replace(self) -> None:
        """Replace them one by one; where a new one does not start, the old ones go on."""
        async with self._replacing:
            for slot in self._slots:
                try:
                    await slot.replace()
                except (WorkerFailedError, OSError) as error:
                    logger.error("the workers are not replaced, the old ones go on: %s", error)  # noqa: TRY400 - its text says all
                    return
        logger.info("all workers are replaced")

    async def refresh(self, within_s: float = ASK_S) -> None:
        """Have all send their snapshots; of one that does not in time, the last one stands."""
        living = [worker for slot in self._slots for worker in slot.living]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await asyncio.gather(*map(_ask, living))

    async def close(self) -> None:
        """Let them finish and end.

        Our copies of the sockets close first: each worker serves what waits in its queue and closes
        the last copy. A queue that nobody will serve would keep clients waiting for nothing.
        """
        self._sockets.close()
        await asyncio.gather(*(slot.close() for slot in self._slots))
        self._sockets.remove_file()


async def _ask(worker: WorkerProcess) -> None:
    with contextlib.suppress(ChannelError):  # it is ending, or busy: its last snapshot stands
        await worker.ask()
