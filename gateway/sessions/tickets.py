"""Tickets: leave for one request to enter where no header can be set (design sections 4 and 5).

Decides what a ticket looks like, what it is good for, and that it is good once. It must not know
requests, routes or which kind of store there is.

The store never sees a ticket: its note's name is the ticket's hash, its value the session's key and
the path's hash, whose length does not depend on what a client asks for.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from itsdangerous.encoding import base64_encode

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.token import is_session_key, session_key_of

PREFIX = "gwt1."
"""Not a token's: neither is ever taken for the other."""
TICKET_S = 30
"""How long a ticket is good: as long as a phone may need to open a connection."""

_RANDOM_BYTES = 18  # 144 bits, 24 characters
_TICKET = re.compile(r"gwt1\.[A-Za-z0-9_-]{24}")

_Ask = Callable[[str], Awaitable[bytes | None]]


class Notes(Protocol):
    """Where tickets are kept; `SessionStore` is one. Raises: GatewayError store_unavailable."""

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None: ...

    async def read_note(self, name: str) -> bytes | None: ...

    async def take_note(self, name: str) -> bytes | None: ...


class Living(Protocol):
    """Who knows which sessions live; `SessionService` does."""

    async def living(self, key: str) -> Session:
        """Raises: GatewayError session_expired, session_revoked, store_unavailable."""
        ...


class Tickets:
    """Gives tickets and takes them. `new_id` returns that many random bytes."""

    def __init__(
        self, notes: Notes, sessions: Living, clock: Clock, new_id: Callable[[int], bytes]
    ) -> None:
        self._notes = notes
        self._sessions = sessions
        self._clock = clock
        self._new_id = new_id

    async def issue(self, session: Session, path: str) -> str:
        """Return a ticket for one request of a session to this path, within `TICKET_S`.

        `path` is canonical, as `Target.path`. Raises: GatewayError store_unavailable.
        """
        ticket = PREFIX + base64_encode(self._new_id(_RANDOM_BYTES)).decode("ascii")
        value = f"{session.key}.{session_key_of(path)}".encode("ascii")
        until = self._clock() + TICKET_S
        if await self._notes.keep_note(session_key_of(ticket), value, until) is not None:
            raise GatewayError("internal_error", "a random number came twice")
        return ticket

    async def redeem(self, ticket: str, path: str) -> Session:
        """Use a ticket up, wherever it was tried, and return its session.

        Raises: GatewayError session_invalid (unknown, used, too old, or of another path: one answer
        for all), session_expired, session_revoked, store_unavailable.
        """
        return await self._open(ticket, path, self._notes.take_note)

    async def look(self, ticket: str, path: str) -> Session:
        """Say what `redeem` would, and leave the ticket as it is. Raises: as `redeem`."""
        return await self._open(ticket, path, self._notes.read_note)

    async def _open(self, ticket: str, path: str, ask: _Ask) -> Session:
        # What is no ticket of ours never reaches the store.
        value = await ask(session_key_of(ticket)) if _TICKET.fullmatch(ticket) else None
        key, _, path_hash = (value or b"").decode("ascii", "replace").partition(".")
        if not is_session_key(key) or path_hash != session_key_of(path):
            raise GatewayError("session_invalid", "the ticket is not good here: ask for a new one")
        return await self._sessions.living(key)
