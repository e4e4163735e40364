"""Logins, look-ups and endings on a store whose servers are being lost, and what stood after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.store import SessionStore, Tombstone
from tests.support.endings import until
from tests.support.sessions import make_session, make_subject

_LANES = 4
_STEP_S = 0.005


class Load:
    """What is known of each session: `living` and `ended` were acknowledged."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._numbers = count()
        self.living: dict[str, Session] = {}
        self.ended: set[str] = set()
        self.refused: list[GatewayError] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Go on with it for as long as the block lasts."""
        lanes = [asyncio.create_task(self._lane()) for _ in range(_LANES)]
        try:
            yield
        finally:
            for lane in lanes:
                lane.cancel()
            outcomes = await asyncio.gather(*lanes, return_exceptions=True)
        faults = [one for one in outcomes if not isinstance(one, asyncio.CancelledError)]
        assert not faults, faults

    async def made_progress(self, more: int, within_s: float = 12.0) -> None:
        """Wait until so many more logins were acknowledged."""
        so_far = len(self.living) + len(self.ended)
        await until(lambda: len(self.living) + len(self.ended) >= so_far + more, within_s)

    async def check(self) -> None:
        """Every acknowledged login is there, and every acknowledged ending stands."""
        for key, session in self.living.items():
            assert await self._store.get(key) == session
        for key in self.ended:
            assert isinstance(await self._store.get(key), Tombstone)
        assert {error.code for error in self.refused} <= {"store_unavailable"}

    async def _lane(self) -> None:
        while True:
            await asyncio.sleep(_STEP_S)
            try:
                await self._step(next(self._numbers))
            except GatewayError as error:
                self.refused.append(error)

    async def _step(self, number: int) -> None:
        session = make_session(number, make_subject(f"o-{number}"))
        await self._store.create(session, b"sealed", 10)
        if number % 3:
            self.living[session.key] = session
            assert await self._store.get(session.key) == session, (
                "no answer, rather than a wrong one"
            )
            return
        await self._store.end(session.key, "logout")
        self.ended.add(session.key)


@asynccontextmanager
async def following(store: SessionStore, listener: object) -> AsyncIterator[None]:
    """Follow again and again, as the feed does."""

    async def follow() -> None:
        while True:
            with suppress(GatewayError):
                await store.follow(listener)  # type: ignore[arg-type]  # a Told, which is a Listener
            await asyncio.sleep(0.05)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
