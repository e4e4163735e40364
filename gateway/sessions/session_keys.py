"""The platforms' `session_key`s: sealed on their way into the store, opened on their way out.

It must not know requests or what is decrypted with them. Design section 5.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.sessions.keyring import KeyRing, SealedError
from gateway.sessions.model import Subject
from gateway.sessions.store import SessionStore, subject_key_of


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A platform's `session_key` in the clear, and when it came."""

    value: str = field(repr=False)
    created_at: float


class SessionKeys:
    """The `session_key`s of all subjects; `note_seal` is told of each use of the newest key.

    One is good for `life_s` from its login, as no login lasts longer; a store may keep it longer,
    for a later login of the same subject.
    """

    def __init__(
        self,
        store: SessionStore,
        keyring: KeyRing,
        note_seal: Callable[[], None],
        clock: Clock,
        life_s: float,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._note_seal = note_seal
        self._clock = clock
        self._life_s = life_s

    def seal(self, subject: Subject, value: str | None) -> bytes | None:
        """Encrypt what a login brought for its subject, if it brought any."""
        if value is None:
            return None
        self._note_seal()
        return self._keyring.seal(value, _context(subject))

    async def of(self, subject: Subject) -> tuple[SessionKey, ...]:
        """Return a subject's last ones, newest first, without too old ones and those no key opens.

        Raises: GatewayError store_unavailable.
        """
        found = []
        oldest = self._clock() - self._life_s
        for record in await self._store.session_keys(subject):
            if record.created_at < oldest:
                continue
            try:
                value = self._keyring.open(record.sealed, _context(subject))
            except SealedError:
                continue
            found.append(SessionKey(value, record.created_at))
        return tuple(found)


def _context(subject: Subject) -> str:
    return f"session_key.v1:{subject_key_of(subject)}"
