"""A real store whose endings are recorded, and can fail: before they are done, or after."""

import asyncio
from typing import Literal

from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.store import Tombstone, UnconfirmedError
from tests.support.endings import HeldStore


class DoubtfulStore(HeldStore):
    """`fault`: endings do not reach it (`away`), or no replica hears of them (`unconfirmed`).

    `bad`: these alone fail. `forgets`: it answers that an ending is done, and does nothing.
    `hang`: it answers after that.
    """

    fault: Literal["away", "unconfirmed"] | None = None
    forgets = False
    bad: frozenset[str] = frozenset()
    hang: asyncio.Event | None = None

    @property
    def said(self) -> list[str | Subject]:
        """What was ended, in order."""
        found: list[str | Subject] = self.__dict__.setdefault("_said", [])
        return found

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        self.said.append(key)
        self._fail_if_away(key)
        if self.hang is not None:
            await self.hang.wait()
        return self._judged(() if self.forgets else await super().end(key, reason))

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        self.said.append(subject)
        self._fail_if_away()
        return self._judged(await super().end_subject(subject, reason))

    async def lives(self, key: str) -> bool:
        """Whether the store has a living session under this key."""
        found: Session | Tombstone | None = await super().get(key)
        return isinstance(found, Session)

    def _fail_if_away(self, key: str = "") -> None:
        if self.fault == "away" or key in self.bad:
            raise GatewayError("store_unavailable", "made to fail")

    def _judged(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        if self.fault == "unconfirmed":
            raise UnconfirmedError(keys)
        return keys
