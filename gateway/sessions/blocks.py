"""Subjects that may not log in: how they are kept out, and let in again (design sections 5, 12).

Decides when a block can be meant. It must not know who asks or why. That a login of such a subject
is refused is the store's promise: there it cannot be passed by a login made at the same moment.
"""

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.sessions.endings import Endings
from gateway.sessions.model import Subject
from gateway.sessions.store import BLOCKED, Block, SessionStore


class Blocks:
    """The blocks there are. Raises, each call: GatewayError store_unavailable."""

    def __init__(self, store: SessionStore, endings: Endings, clock: Clock) -> None:
        self._store = store
        self._endings = endings
        self._clock = clock

    async def block(self, subject: Subject, block: Block) -> int:
        """Keep a subject out from now on; end its sessions and return how many lived.

        A later block replaces an earlier one. Raises: GatewayError bad_request (a block that is
        over), store_unavailable: then its sessions have ended here all the same, but a login may
        still succeed.
        """
        if block.until is not None and block.until <= self._clock():
            raise GatewayError("bad_request", "`until` is over already")
        call = self._store.block(subject, block)
        return len(await self._endings.carry(call, subject, BLOCKED))

    async def unblock(self, subject: Subject) -> bool:
        """Let a subject log in again; False: nothing kept it out."""
        return await self._store.unblock(subject)

    async def of(self, subject: Subject) -> Block | None:
        """Return what keeps a subject out."""
        return await self._store.block_of(subject)
