"""What tests of endings share: who is told of them, a store that can be held, and waiting."""

import asyncio
import time
from collections.abc import Callable, Iterable

from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import Tombstone


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.renewals: list[tuple[str, str]] = []
        self.ages_s: list[float] = []

    def ended(self, keys: Iterable[str]) -> None:
        self.keys += keys

    def renewed(self, key: str, successor: str) -> None:
        self.renewals.append((key, successor))

    def heard(self, age_s: float) -> None:
        self.ages_s.append(age_s)


class HeldStore(SqliteStore):
    """A real store whose look-ups are counted, and can be held up or made to fail."""

    asked = 0
    at_once = 0
    most_at_once = 0
    is_away = False
    gate: asyncio.Event | None = None

    async def get(self, key: str) -> Session | Tombstone | None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            record = await super().get(key)  # first: what is held up is an answer that grows old
            if self.gate is not None:
                await self.gate.wait()
            if self.is_away:
                raise GatewayError("store_unavailable", "made to fail")
            return record
        finally:
            self.at_once -= 1


async def until(condition: Callable[[], object], within_s: float = 5.0) -> float:
    """Wait for what a real server does, and return how long it took, in seconds."""
    begun_at = time.monotonic()
    while not condition():
        assert time.monotonic() - begun_at < within_s, "it did not come in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - begun_at
