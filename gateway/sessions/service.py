"""What may be done with sessions, and when one is good: the core behind every door.

Decides: alive, expired, idle too long, ended. It must not know requests, HTTP or which kind of
store there is. Design section 5. It opens and closes the store it is given.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.sessions.assertions import Assertions
from gateway.sessions.blocks import Blocks
from gateway.sessions.cache import Ages, Recall
from gateway.sessions.endings import Endings
from gateway.sessions.issuing import Issued, Issuer, SessionPolicy, as_held
from gateway.sessions.keyring import KeyRing
from gateway.sessions.memory import CachePolicy, SessionMemory
from gateway.sessions.minute_limit import MinuteLimit
from gateway.sessions.model import Session, Subject
from gateway.sessions.renewal import RENEWALS_PER_MINUTE, Renewals
from gateway.sessions.sealing import RenewedNote, SealingNote
from gateway.sessions.session_keys import SessionKey, SessionKeys
from gateway.sessions.standing import Standing
from gateway.sessions.store import (
    LOGOUT,
    MAX_PAGE,
    REVOKED,
    Page,
    SessionStore,
    Wanted,
)
from gateway.sessions.token import TokenSigner, session_key_of
from gateway.sessions.upkeep import INTERVAL_S, LastUses, Upkeep

__all__ = ["Issued", "NewLogin", "SessionKey", "SessionPolicy", "SessionService"]

_TOUCH_AFTER_S = 600.0
"""A last use younger than this is not written again: of many sessions in use at once, each costs
the store a write so often."""
_TOUCHES_PER_IDLE = 10
"""A short idle time-out is measured finer: at least this often within it."""


@dataclass(frozen=True, slots=True)
class NewLogin:
    """Who has just logged in, as the platform says; `app` is the app's name in the settings."""

    app: str
    subject: Subject
    openid: str | None = None
    unionid: str | None = None
    anonymous_openid: str | None = None
    session_key: str | None = field(default=None, repr=False)


class SessionService:
    """Sessions of one process. `new_id` returns that many random bytes (`secrets.token_bytes`)."""

    blocks: Blocks
    recall: Recall
    """Turns a token that was verified here before into its living session, at once and without I/O,
    and notes its use. None: ask `authenticate`, which knows all the rest."""

    def __init__(
        self,
        store: SessionStore,
        signer: TokenSigner,
        keyring: KeyRing,
        clock: Clock,
        policy: SessionPolicy,
        new_id: Callable[[int], bytes],
        *,
        cache: CachePolicy | None = None,
        monotonic: Clock = time.monotonic,
        upkeep_interval_s: float = INTERVAL_S,
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._policy = policy
        self._uses = LastUses()
        sealing = SealingNote(store, keyring.key_ids[0], policy.max_lifetime_s, clock)
        self._renewed = RenewedNote(store, keyring.key_ids, policy.max_lifetime_s)
        ages = Ages(policy.lifetime_s, policy.idle_timeout_s, _touch_after_s(policy))
        self._upkeep = Upkeep(
            *(store, self._uses, clock, min(upkeep_interval_s, ages.touch_after_s)),
            sealing=sealing,
            renewed=self._renewed,
            monotonic=monotonic,
        )
        self._standing = Standing(clock, monotonic)
        self._memory = SessionMemory(
            *(store, clock, cache or CachePolicy(), ages, self._uses, self._upkeep.note),
            *(self._standing, monotonic),
        )
        self.recall = self._memory.recall
        self._assertions = Assertions(store, self._standing, self._memory.ended)
        self._memory.on_new_stretch(self._assertions.new_stretch)
        self._memory.on_new_stretch(self._upkeep.new_stretch)
        self._endings = Endings(store, self._memory, self._standing, self._assertions)
        self.blocks = Blocks(store, self._endings, clock)
        self._session_keys = SessionKeys(
            *(store, keyring, self._upkeep.sealed, clock, policy.max_lifetime_s)
        )
        self._issuer = Issuer(signer, clock, new_id, policy.lifetime_s)
        self._renewals = Renewals(
            *(store, self._memory, self._issuer, keyring, clock, policy),
            MinuteLimit(RENEWALS_PER_MINUTE, "the session is renewed too often", monotonic),
        )

    async def open(self) -> None:
        """Open the store and start the background work. Raises: GatewayError store_unavailable."""
        await self._store.open()
        self._upkeep.start()
        self._assertions.start()
        self._memory.start()

    async def close(self) -> None:
        """Write what is noted, and close the store, whichever of these fails."""
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self._store.close)
            for part in (self._upkeep, self._assertions, self._memory):
                last_first.push_async_callback(part.stop)

    @property
    def is_following(self) -> bool:
        """Whether the store tells here of endings made elsewhere; else each use is asked of it."""
        return self._memory.is_following

    @property
    def is_out_of_grace(self) -> bool:
        """Whether the store is away for longer than `grace`: nothing of any session may go on."""
        return self._memory.is_out_of_grace

    def on_ended(self, callback: Callable[[str], None]) -> None:
        """Have the key of each session that ended told, whether ended here or elsewhere.

        Also of sessions unknown to this process, and perhaps more than once. The callback returns
        at once. An expiry is not an ending.
        """
        self._memory.on_ended(callback)

    def on_renewed(self, callback: Callable[[str, str], None]) -> None:
        """Have each renewal told, as the session's key and its successor's; as `on_ended` does."""
        self._memory.on_renewed(callback)

    def on_found(self, callback: Callable[[Session], None]) -> None:
        """Have each session told, as the store has it, that `confirm` or `watch` found living."""
        self._memory.on_found(callback)

    def on_out_of_grace(self, callback: Callable[[], None]) -> None:
        """Have it told, every few seconds, while `is_out_of_grace`; it returns at once."""
        self._memory.on_out_of_grace(callback)

    def watch(self, open_keys: Callable[[], Iterable[str]]) -> None:
        """Have these sessions looked up again each time that endings may have been missed.

        `open_keys` returns the keys of sessions that something long-lived is open for; one that
        proves dead is told as ended.
        """
        self._memory.watch(open_keys)

    def confirm(self, key: str) -> None:
        """Have a session looked up soon that something long-lived has just been opened for.

        Call it once `watch`'s keys hold it: an ending up to now is found by the look-up, a later
        one is told. One that proves dead is told as ended, one renewed as renewed, a living one as
        found; a store that is away changes nothing.
        """
        self._memory.confirm(key)

    async def check_ready(self) -> None:
        """Return when sessions can be looked up. Raises: GatewayError store_unavailable."""
        await self._store.ping()

    async def create(self, login: NewLogin) -> Issued:
        """Keep a session for a login and sign its token; the oldest too many are pushed out.

        Raises: GatewayError store_unavailable; a record may be left, but nobody has its token.
        """
        session_id = self._issuer.new_id(login.subject)
        session = self._new_session(session_key_of(session_id), login)
        sealed = self._session_keys.seal(login.subject, login.session_key)
        pushed_out = await self._store.create(session, sealed, self._policy.max_per_subject)
        self._endings.done(pushed_out, REVOKED)
        return self._issuer.issue(session_id, session)

    async def renew(self, session: Session) -> Issued:
        """Give a living session a successor, and sign its token; the old one goes on for a while.

        Asked again within `RENEW_OVERLAP_S`, anywhere, it is the same one. At most
        `RENEWALS_PER_MINUTE` for one login here. `max_lifetime` is counted from the login.
        Raises: GatewayError rate_limited, session_expired, session_revoked, store_unavailable.
        """
        self._renewed.renewed(session.subject)  # first: whatever comes of it, a note does no harm
        return await self._renewals.renew(session)

    async def issue_again(self, session_id: str) -> Issued:
        """Sign a token anew for a living session.

        Raises: GatewayError session_expired, session_revoked, store_unavailable.
        """
        return self._issuer.issue(session_id, await self.living(session_key_of(session_id)))

    async def living(self, key: str) -> Session:
        """Return the living session under a key; its use is not noted.

        Raises: GatewayError session_expired, session_revoked, store_unavailable.
        """
        return (await self._memory.find(key, self._clock())).session

    async def authenticate(self, token: str) -> Session:
        """Return the living session a token names, and note that it is used.

        A forged or outlived token never reaches the store; nor does one of a session remembered.
        Raises: GatewayError session_invalid, session_expired, session_revoked, store_unavailable.
        """
        session = self.recall(token)
        if session is not None:
            return session
        now = self._clock()
        session_id, signed_at = self._signer.read_dated(token, now, self._policy.lifetime_s)
        key = session_key_of(session_id)
        entry = await self._memory.find(key, now)
        self._memory.use(entry, token, signed_at, now)
        return entry.session

    async def authenticate_shown(self, token: str) -> Session:
        """Do as `authenticate`; the session expires with this token, where that is sooner."""
        session = await self.authenticate(token)
        lifetime_s = self._policy.lifetime_s
        _, signed_at = self._signer.read_dated(token, self._clock(), lifetime_s)
        return as_held(session, signed_at, lifetime_s)

    async def end(self, key: str, reason: str = LOGOUT) -> tuple[str, ...]:
        """End a session and all of its login, here at once; return the keys of those that lived.

        Raises: GatewayError store_unavailable; it stands here all the same, and is said again
        until the store has confirmed it.
        """
        return await self._endings.end(key, reason)

    async def end_subject(self, subject: Subject, reason: str = REVOKED) -> int:
        """End all sessions of a subject and return how many lived.

        Raises: GatewayError store_unavailable; it stands here all the same, as `end` does.
        """
        return len(await self._endings.end_subject(subject, reason))

    @property
    def unconfirmed_endings(self) -> int:
        """How many endings made here wait for the store."""
        return len(self._standing)

    async def find(
        self,
        *,
        platform: str | None = None,
        app: str | None = None,
        openid: str | None = None,
        limit: int = MAX_PAGE,
        after: str | None = None,
    ) -> Page:
        """Look through the living sessions; `limit` is brought into 1 to `MAX_PAGE`.

        Raises: GatewayError bad_request (`after`), store_unavailable.
        """
        wanted = Wanted(platform=platform, app=app, openid=openid)
        return await self._store.find(wanted, min(max(limit, 1), MAX_PAGE), after)

    async def session_keys(self, subject: Subject) -> tuple[SessionKey, ...]:
        """Return a subject's last `session_key`s, newest first, without those no key opens.

        Raises: GatewayError store_unavailable.
        """
        return await self._session_keys.of(subject)

    def _new_session(self, key: str, login: NewLogin) -> Session:
        now = self._clock()
        return Session(
            key=key,
            subject=login.subject,
            app=login.app,
            openid=login.openid,
            unionid=login.unionid,
            anonymous_openid=login.anonymous_openid,
            created_at=now,
            expires_at=self._policy.expires_at(now, now),
            last_used_at=now,
        )


def _touch_after_s(policy: SessionPolicy) -> float:
    if policy.idle_timeout_s is None:
        return _TOUCH_AFTER_S
    return min(_TOUCH_AFTER_S, policy.idle_timeout_s / _TOUCHES_PER_IDLE)
