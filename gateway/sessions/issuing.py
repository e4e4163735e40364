"""How a session id is made, its token signed, and how long it lasts. Design section 5.

It must not know stores or requests. Whoever holds an `Issued` shows its token to its client and to
nobody else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.clock import Clock
from gateway.sessions.model import Session, Subject
from gateway.sessions.store import subject_key_of
from gateway.sessions.token import TokenSigner, new_session_id


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How long sessions last, and how many a subject may have. `idle_timeout_s` None: no limit."""

    lifetime_s: float
    max_lifetime_s: float
    idle_timeout_s: float | None
    max_per_subject: int

    def expires_at(self, created_at: float, now: float) -> float:
        """Return when a session that begins or is renewed now expires; `created_at`: its login.

        Counted as the token is, which is dated in whole seconds: both end at one moment.
        """
        return min(int(now) + self.lifetime_s, int(created_at) + self.max_lifetime_s)


@dataclass(frozen=True, slots=True)
class Issued:
    """A session as its token's holder has it (`as_held`), and the token, shown to nobody else."""

    token: str = field(repr=False)
    session: Session
    session_id: str = field(repr=False)


def as_held(session: Session, signed_at: float, lifetime_s: float) -> Session:
    """Return a session that expires no later than a token of it, signed then, is refused.

    The record may say more: `lifetime` was longer when it was written, here or elsewhere.
    """
    ends_at = signed_at + lifetime_s
    return session if session.expires_at <= ends_at else replace(session, expires_at=ends_at)


class Issuer:
    """Makes session ids and their tokens, which are good for `lifetime_s`.

    `random_bytes` returns that many of them.
    """

    def __init__(
        self,
        signer: TokenSigner,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        lifetime_s: float,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._signer = signer
        self._clock = clock
        self._random_bytes = random_bytes

    def new_id(self, subject: Subject) -> str:
        """Make a session id, which nobody has had before."""
        return new_session_id(self._random_bytes, subject_key_of(subject))

    def issue(self, session_id: str, session: Session) -> Issued:
        """Sign a token for a session, dated now."""
        now = self._clock()
        held = as_held(session, int(now), self._lifetime_s)
        return Issued(self._signer.sign(session_id, now), held, session_id)
