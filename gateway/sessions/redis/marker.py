"""Whether a Redis still has the data it had: a marker that each stretch looks at.

A server that was emptied, or came back without its data, keeps its connections or gets new ones as
if nothing had happened. The marker is a random value which nothing of ours ever removes or changes:
missing, or another than before, it says that endings and sessions may have gone with it.
It must not know where the marker lies.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

from redis.exceptions import RedisError

from gateway.sessions.store import STORE_TIMEOUT_S

LOOK_S = 0.5
"""How often it is looked at: with the 0.9 s for which an answer is believed, under 1.5 s."""
# Where the first characters of keys are, in a Cluster, on different servers, each has a marker.
TAGS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Read = Callable[[Sequence[str]], Awaitable[Sequence[object]]]
Place = Callable[[str, str], Awaitable[None]]


class LostDataError(RedisError):
    """Redis does not have the data it had."""


class Marker:
    """The markers of `names` in one stretch. `read` is GET of many; `place` is SET with NX."""

    def __init__(self, names: Sequence[str], read: Read, place: Place) -> None:
        self._names = names
        self._read = read
        self._place = place
        self._known: list[object] = []

    async def begin(self) -> None:
        """See what is there, and place what is missing. Raises: RedisError."""
        values = await self._read(self._names)
        missing = [name for name, value in zip(self._names, values, strict=True) if value is None]
        await asyncio.gather(*(self._place(name, secrets.token_hex(16)) for name in missing))
        # Read back: of several processes that place one at once, the first has.
        self._known = list(await self._read(self._names) if missing else values)
        if None in self._known:
            raise LostDataError("a marker does not stay")

    async def watch(self) -> NoReturn:
        """Look again and again. Raises: LostDataError: one is not as it was; TimeoutError."""
        while True:
            await asyncio.sleep(LOOK_S)
            async with asyncio.timeout(STORE_TIMEOUT_S):
                values = list(await self._read(self._names))
            if values != self._known:
                raise LostDataError("a marker is missing or another")


def marker_name(tag: str) -> str:
    return f"gw:{{{tag}}}:marker"
