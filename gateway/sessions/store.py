"""What a session store promises; one contract suite holds every kind to it (design section 5).

It must not know tokens, keys that decrypt, or requests. A store keeps what it is given and judges
nothing but the moment a record ends: whether a session may still be used is the service's decision.

Calls but `open`, `close`, `follow`, `touch` are given up after `STORE_TIMEOUT_S`. Whatever goes
wrong in a store leaves it as GatewayError `store_unavailable`, never as "no such session".
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from itsdangerous.encoding import base64_encode

from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject

STORE_TIMEOUT_S = 1.0
MAX_PAGE = 1000
SESSION_KEYS_KEPT = 3
"""`session_key`s per subject: a client may hold data encrypted before its latest login."""

RENEWED_KEPT_S = 600.0
"""A renewed session's record outlasts it: whoever ends it late still ends its successor."""

MAX_NOTE_BYTES = 4096
"""Values of short-lived notes are ours and small; a larger one is a fault of ours."""

BEAT_S = 0.25
"""How often a store says that it has told every ending: four times within the second allowed."""

REVOKED = "revoked"
LOGOUT = "logout"
BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a session that was ended before its time."""

    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """A subject that may not log in: why, for operators, and until when (None: for good)."""

    reason: str
    until: float | None


class UnconfirmedError(GatewayError):
    """Sessions were ended where writes go, but no replica has said that it knows.

    `keys` are theirs. A failover may bring them back, so their ending is to be asserted again.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__("store_unavailable", "no replica has confirmed it in time; try again")
        self.keys = tuple(keys)


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A `session_key` as the store sees it, and when it came."""

    sealed: bytes = field(repr=False)
    created_at: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions are looked for; None means any. `app` is the app's name in the settings."""

    platform: str | None = None
    app: str | None = None
    openid: str | None = None

    def fits(self, session: Session) -> bool:
        return (
            (self.platform is None or session.platform == self.platform)
            and (self.app is None or session.app == self.app)
            and (self.openid is None or session.openid == self.openid)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions, and where to go on. It may be short, even empty, while `after` is not None."""

    sessions: tuple[Session, ...]
    after: str | None


class Listener(Protocol):
    """Who is told of endings. Both return at once."""

    def ended(self, keys: Iterable[str]) -> None:
        """These sessions have ended, here or elsewhere; a key may be told more than once."""
        ...

    def renewed(self, key: str, successor: str) -> None:
        """This session has a successor and ends soon; it may be told more than once."""
        ...

    def heard(self, age_s: float) -> None:
        """Every ending until `age_s` ago has been told; the first time: since then, none before."""
        ...


class SessionStore(Protocol):
    """Where sessions are kept. Keys are `session_key_of` values, never text from a client.

    Raises: GatewayError store_unavailable, from every method but `close`.
    """

    async def open(self) -> None:
        """Make ready for use; a store on this machine also checks its file."""
        ...

    async def open_as_is(self) -> bool:
        """Make ready for reading alone, and leave all as it is; False: nothing is kept yet."""
        ...

    async def close(self) -> None:
        """Give up connections and threads; a store that was never opened may be closed."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        """Keep a new session; return the keys it pushed out, which leave tombstones `revoked`.

        The subject keeps this session and its newest others, `max_per_subject` in all; one that
        has a successor is not counted, and goes with it. A login that no replica confirms leaves
        no session. Raises: GatewayError user_blocked, while a block of the subject lasts.
        """
        ...

    async def renew(
        self, key: str, successor: Session, sealed_id: bytes, until: float
    ) -> bytes | None:
        """Give a living session a successor, once; return the sealed id of the one it has.

        That is `sealed_id`, or what an earlier call left. The session goes on until `until`, or
        its own end where that is sooner. `successor` has its subject and origin. None: no such
        session lives.
        """
        ...

    async def get(self, key: str) -> Session | Tombstone | None:
        """Return what is known of a key. An expired session may be returned, or be forgotten."""
        ...

    async def end(self, key: str, reason: str) -> tuple[str, ...]:
        """End a session and its family, each with a tombstone until it would have expired.

        Whatever is kept ends, expired or not: clocks may be wrong. Returns the keys of those that
        lived. Said again of one that has ended, it is written again, for replicas to hear.
        Raises: UnconfirmedError.
        """
        ...

    async def end_subject(self, subject: Subject, reason: str) -> tuple[str, ...]:
        """End all sessions of a subject; return their keys. Raises: UnconfirmedError."""
        ...

    async def block(self, subject: Subject, block: Block) -> tuple[str, ...]:
        """Let a subject log in no more, and end its sessions (`BLOCKED`); return their keys.

        A later block replaces an earlier one. Raises: UnconfirmedError.
        """
        ...

    async def unblock(self, subject: Subject) -> bool:
        """Take a block away; False: none lasted."""
        ...

    async def block_of(self, subject: Subject) -> Block | None:
        """Return the block that lasts."""
        ...

    async def follow(self, listener: Listener) -> NoReturn:
        """Tell of every ending and renewal by anybody, and say `heard` every `BEAT_S`.

        One call is one unbroken stretch: where an ending may have been missed, it raises, and its
        successor tells only of later ones. An ending is told within `2 * BEAT_S` of its commit.
        """
        ...

    async def find(self, wanted: Wanted, limit: int, after: str | None) -> Page:
        """Look through the unexpired sessions, at most `limit`, from where `after` points.

        Raises: GatewayError bad_request where `after` is not from an earlier page.
        """
        ...

    async def touch(self, last_used_at: Mapping[str, float]) -> None:
        """Record last uses by key; never backwards, nor of an ended one; each part is bounded."""
        ...

    async def session_keys(self, subject: Subject) -> tuple[SealedKey, ...]:
        """Return the subject's last `session_key`s, newest first, at most `SESSION_KEYS_KEPT`."""
        ...

    async def purge(self, now: float) -> int:
        """Remove a batch of what has expired; 0: nothing is left to remove."""
        ...

    # Notes: small values that live shortly, such as tickets. Names are `session_key_of` values.

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        """Keep a note where none lives under this name; return the one that does, else None."""
        ...

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool:
        """Replace a living note whose value is `old`; False: it is not, or is no more."""
        ...

    async def read_note(self, name: str) -> bytes | None:
        """Return the value of a living note."""
        ...

    async def take_note(self, name: str) -> bytes | None:
        """Return the value of a living note and remove it: of many who take it, one gets it."""
        ...

    # Which encryption keys are needed: ids of `KeyRing`, until the last record they seal expires.

    async def note_sealing_key(self, key_id: str, until: float) -> None:
        """Remember that records sealed with this key may live until then; never shortened."""
        ...

    async def sealing_keys(self) -> Mapping[str, float]:
        """Return the ids whose time is not over, and until when records may need them."""
        ...

    async def forget_sealing_key(self, key_id: str) -> None:
        """Forget one, whatever it still seals."""
        ...


def not_from_a_page() -> GatewayError:
    """Say that `after` was made up."""
    return GatewayError("bad_request", "`after` is not from an earlier page")


def subject_blocked() -> GatewayError:
    """Say that a block of the subject lasts, but not why: reasons are for operators."""
    return GatewayError("user_blocked", "this user may not log in here")


def check_note(value: bytes) -> None:
    """Raises: ValueError, for a note over `MAX_NOTE_BYTES`."""
    if len(value) > MAX_NOTE_BYTES:
        raise ValueError(f"a note of {len(value)} bytes, of {MAX_NOTE_BYTES}")


def subject_key_of(subject: Subject) -> str:
    """Return a name of fixed length for a subject, 43 characters of base64url.

    Not made from `str(subject)`: ids may hold colons, so a user's id could read as a guest's.
    """
    parts = json.dumps([subject.platform, subject.app_id, subject.kind, subject.id])
    return base64_encode(hashlib.sha256(parts.encode("ascii")).digest()).decode("ascii")


@asynccontextmanager
async def store_call(*faults: type[Exception]) -> AsyncIterator[None]:
    """Bound a call to a store and turn its `faults`, and the system's, into one outcome.

    Raises: GatewayError store_unavailable.
    """
    async with store_faults(*faults), asyncio.timeout(STORE_TIMEOUT_S):
        yield


@asynccontextmanager
async def store_faults(*faults: type[Exception]) -> AsyncIterator[None]:
    """Turn `faults`, the system's and time-outs into one outcome.

    Raises: GatewayError store_unavailable.
    """
    expected: tuple[type[Exception], ...] = (OSError, *faults)
    try:
        yield
    except TimeoutError as error:
        raise GatewayError("store_unavailable", "the session store did not answer") from error
    except expected as error:
        raise GatewayError("store_unavailable", "the session store cannot be used") from error
