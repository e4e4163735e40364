"""How sessions are ended by somebody: at once here, and not before it is true everywhere else.

Decides what stands here where the store cannot say that it is done. It must not know why somebody
ends a session, nor how an ending is said again (`assertions`). Design section 5, "Failover".

Where the store fails, the caller is told so (503), and yet the ending stands: no request is served
here for a session whose client was told that ending it may not have worked everywhere.
"""

import asyncio
from collections.abc import Awaitable, Iterable

from gateway.errors import GatewayError
from gateway.sessions.assertions import Assertions
from gateway.sessions.memory import SessionMemory
from gateway.sessions.model import Subject
from gateway.sessions.standing import Standing
from gateway.sessions.store import SessionStore, UnconfirmedError
from gateway.sessions.token import is_session_key

_STEP = 2000
"""Sessions looked through before others have their turn: a fraction of a millisecond."""


class Endings:
    """The endings made in one process."""

    def __init__(
        self,
        store: SessionStore,
        memory: SessionMemory,
        standing: Standing,
        assertions: Assertions,
    ) -> None:
        self._store = store
        self._memory = memory
        self._standing = standing
        self._assertions = assertions

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        """End a session and its family; return the keys of those that lived.

        Raises: GatewayError store_unavailable; it has ended here all the same.
        """
        if not is_session_key(key):
            return ()
        family = self._memory.family_of(key)
        self._memory.doubt(key)  # also where the caller goes away meanwhile
        try:
            ended = await self._store.end(key, reason)
        except UnconfirmedError as error:
            self._stand({key, *error.keys}, reason)
            raise
        except GatewayError:
            self._stand(family, reason)
            raise
        self._standing.confirm(key)  # where it was said before, and waits
        if key not in ended:
            self._memory.ended(key)
        self.done(ended, reason)
        return ended

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        """End all sessions of a subject and return their keys.

        Raises: GatewayError store_unavailable; those known here have ended all the same.
        """
        return await self.carry(self._store.end_subject(subject, reason), subject, reason)

    async def carry(
        self, call: Awaitable[tuple[str, ...]], subject: Subject, reason: str
    ) -> tuple[str, ...]:
        """Await a call of the store that ends a subject's sessions, and return their keys.

        Raises: as the call; where it fails, they have ended here all the same, and a login made
        before the store is reached again may end with them.
        """
        try:
            ended = await call
        except UnconfirmedError as error:
            self._stand(error.keys, reason)
            raise
        except GatewayError as error:
            if error.code == "store_unavailable":
                await self._stand_for(subject, reason)
            raise
        self.done(ended, reason)
        return ended

    def done(self, keys: Iterable[str], reason: str) -> None:
        """Note what the store has ended: these sessions are refused here from now on."""
        keys = tuple(keys)
        self._standing.note(keys, reason)
        for key in keys:
            self._memory.ended(key)

    async def _stand_for(self, subject: Subject, reason: str) -> None:
        """Let a subject's sessions have ended here that this process knows of, or hears of."""
        self._standing.add(subject, reason)
        self._assertions.hurry()
        for number, session in enumerate(self._memory.sessions(), 1):
            if session.subject == subject and self._standing.refuses(session):
                self._stand((session.key,), reason)
            if number % _STEP == 0:
                await asyncio.sleep(0)

    def _stand(self, keys: Iterable[str], reason: str) -> None:
        keys = tuple(keys)
        for key in keys:
            self._standing.add(key, reason)
        for key in keys:
            self._memory.ended(key)
        self._assertions.hurry()
