"""How a session is renewed: a new session id and token, the old one good for a short while beside.

Decides: how long the new one lasts, who gets it, and how often. It must not know requests or which
kind of store there is. Design section 5, "Windows".

Who asks again within the overlap, since the answer was lost or two requests crossed, gets the same
successor: its id is kept in the store, sealed for the old session's key, and its token is signed
anew. The store decides between processes whose successor it is.
"""

from dataclasses import replace

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.issuing import Issued, Issuer, SessionPolicy
from gateway.sessions.keyring import KeyRing, SealedError
from gateway.sessions.memory import SessionMemory
from gateway.sessions.minute_limit import MinuteLimit
from gateway.sessions.model import Session
from gateway.sessions.store import SessionStore
from gateway.sessions.token import session_key_of

RENEW_OVERLAP_S = 60.0
"""How long a renewed session goes on: requests under way, a lost answer, a client's own queue."""
RENEWALS_PER_MINUTE = 10
"""Of one login: a client renews once in days, one in a loop would write to the store each time."""


class Renewals:
    """The renewals of one process."""

    def __init__(
        self,
        store: SessionStore,
        memory: SessionMemory,
        issuer: Issuer,
        keyring: KeyRing,
        clock: Clock,
        policy: SessionPolicy,
        limit: MinuteLimit,
    ) -> None:
        self._store = store
        self._memory = memory
        self._issuer = issuer
        self._keyring = keyring
        self._clock = clock
        self._policy = policy
        self._limit = limit

    async def renew(self, session: Session) -> Issued:
        """Give a living session a successor, once, and return it with a token of now.

        Raises: GatewayError rate_limited, session_expired, session_revoked, store_unavailable.
        """
        self._limit.take(session.origin)
        try:
            return await self._renew(session)
        except GatewayError as error:
            if error.code == "store_unavailable":
                self._limit.give_back(session.origin)  # nothing was done, and we say: try again
            raise

    async def _renew(self, session: Session) -> Issued:
        session_id = self._issuer.new_id(session.subject)
        successor = self._successor(session, session_key_of(session_id))
        kept_id = await self._keep(session, session_id, successor)
        kept_key = session_key_of(kept_id)
        self._memory.renewed(session.key, kept_key)
        if kept_id != session_id:
            self._memory.outdate(kept_key)  # it may have a successor itself, not told here yet
            successor = await self._living(kept_key)
        return self._issuer.issue(kept_id, successor)

    def _successor(self, session: Session, key: str) -> Session:
        now = self._clock()
        expires_at = self._policy.expires_at(session.created_at, now)
        if expires_at < now:  # `max_lifetime` was longer when it began
            raise GatewayError("session_expired", "the login is too long ago; log in again")
        return replace(session, key=key, expires_at=expires_at, last_used_at=now, successor=None)

    async def _keep(self, session: Session, session_id: str, successor: Session) -> str:
        """Return the id of the successor the store knows: this one, or an earlier one."""
        context = f"successor.v1:{session.key}"
        sealed = self._keyring.seal(session_id, context)
        until = self._clock() + RENEW_OVERLAP_S
        kept = await self._store.renew(session.key, successor, sealed, until)
        if kept is None:
            raise await self._refusal(session.key)
        try:
            return self._keyring.open(kept, context)
        except SealedError:
            # Another process may have a newer key than this one: nobody is logged out for that.
            raise GatewayError("store_unavailable", "the successor cannot be read here") from None

    async def _refusal(self, key: str) -> GatewayError:
        """Say why a session that was known to live cannot be renewed."""
        self._memory.outdate(key)
        try:
            await self._living(key)
        except GatewayError as error:
            return error
        return GatewayError("session_expired", "the session has expired; log in again")

    async def _living(self, key: str) -> Session:
        return (await self._memory.find(key, self._clock())).session
