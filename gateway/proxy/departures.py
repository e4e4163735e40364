"""When what lives of sessions has to go, since the store was silent for longer than `grace`.

Decides: how fast. Not all at once, or all its clients would come back at once; and none any more
as soon as the store is heard again. It must not know why the store is away, nor what it closes.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable

from gateway.proxy.live import LiveSessions

SPREAD_S = 5.0
"""How long it takes until the last is told."""
_STEPS = 50
_LOG = logging.getLogger(__name__)


class Departures:
    """One task while something goes, else nothing. `is_out_of_grace` is asked before each step."""

    def __init__(self, live: LiveSessions, is_out_of_grace: Callable[[], bool]) -> None:
        self._live = live
        self._is_out_of_grace = is_out_of_grace
        self._task: asyncio.Task[None] | None = None
        self._has_stopped = False

    def begin(self) -> None:
        """Have all that lives of sessions now end soon; told again meanwhile, it does nothing."""
        is_under_way = self._task is not None and not self._task.done()
        keys = [] if is_under_way or self._has_stopped else self._live.keys()
        if keys:
            _LOG.warning(
                "the store is away for longer than session.grace: what is open of %d sessions is"
                " closed",
                len(keys),
            )
            self._task = asyncio.create_task(self._run(keys), name="departures")

    async def close(self) -> None:
        """End; what is still open stays so, and nothing begins any more."""
        self._has_stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, keys: list[str]) -> None:
        """Tell a part of them at each step; which part is the first is drawn, for each process."""
        first = secrets.randbelow(_STEPS)
        for step in range(first, first + _STEPS):
            await asyncio.sleep(SPREAD_S / _STEPS)
            if not self._is_out_of_grace():
                return
            for key in keys[step % _STEPS :: _STEPS]:
                self._live.let_go(key)
