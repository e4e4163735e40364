"""Whatever is done to sessions in whatever order, both stores agree with one simple model.

The model knows no store, cache, tombstone or token: a list of sessions and the rules of design
section 5. What is driven is a whole `SessionService` on a real store, restarted now and then.
"""

import asyncio
import itertools
import math
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.errors import GatewayError
from gateway.sessions.issuing import Issued
from gateway.sessions.keyring import KeyRing
from gateway.sessions.memory import CachePolicy
from gateway.sessions.service import NewLogin, SessionPolicy, SessionService
from gateway.sessions.store import SESSION_KEYS_KEPT, Block
from gateway.sessions.stores import open_store
from gateway.sessions.token import TokenSigner
from tests.support.redis_server import RedisServer
from tests.support.sessions import HandClock, make_subject

LIFETIME_S, MAX_LIFETIME_S, IDLE_S, MAX_SESSIONS = 1000, 1100, 400, 3
TOUCH_AFTER_S = IDLE_S / 10
OVERLAP_S = 60
RENEWALS_PER_MINUTE = 10
SUBJECTS = {name: make_subject(f"o-{name}") for name in ("alice", "bob")}
INDICES = st.integers(0, 60)
SELDOM = st.integers(0, 5).map(lambda number: number == 5)
USERS = st.sampled_from(sorted(SUBJECTS))
ENDED = "session_revoked"
EXPIRED = "session_expired"

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Known:
    """A session as the model knows it, and the last token its client got."""

    user: str
    issued: Issued
    signing_key: str
    created_at: float
    expires_at: float
    signed_at: float
    used_at: float
    family: list["Known"]
    successor: "Known | None" = None
    has_ended: bool = False

    def outcome(self, now: float, ring: list[str]) -> set[str]:
        """What a use of its token may come to."""
        if self.signing_key not in ring:
            return {"session_invalid"}
        if int(self.signed_at) + LIFETIME_S < now:
            return {EXPIRED}
        return self.state(now)

    def state(self, now: float) -> set[str]:
        """What the session itself may be said to be."""
        if self.has_ended:
            return {ENDED} if now <= self.expires_at else {ENDED, EXPIRED}
        if now > self.expires_at or now > self.used_at + IDLE_S:
            return {EXPIRED}
        return {"good"}

    def lives(self, now: float) -> bool:
        """Whether an ending tells of it."""
        return not self.has_ended and now <= self.expires_at

    def counts(self, now: float) -> bool:
        """Whether it takes one of its subject's places."""
        return not self.has_ended and self.successor is None and now <= self.expires_at


@dataclass(slots=True)
class Login:
    """What a subject has: blocks, and `session_key`s with the moments they may be forgotten."""

    blocked_until: float = -math.inf
    session_keys: list[tuple[str, float]] = field(default_factory=list)


def machine_on(
    url: str, folder: Path, fresh: "itertools.count[int]"
) -> type[RuleBasedStateMachine]:
    """Build the machine; each run of it gets a store of its own."""

    class Sessions(RuleBasedStateMachine):
        """Rules are what happens; each compares what it came to with the model."""

        @initialize()
        def begin(self) -> None:
            """A service on an empty store."""
            number = next(fresh)
            self.url = url if url.startswith("redis") else f"sqlite:{folder / f'{number}.db'}"
            self.app = f"shop-{number}"  # on a Redis that all share, each run has its own subjects
            self.loop = asyncio.new_event_loop()
            self.clock = HandClock()
            self.known: list[Known] = []
            self.logins = {name: Login() for name in SUBJECTS}
            self.subjects = {name: make_subject(f"o-{name}", app_id=self.app) for name in SUBJECTS}
            self.signing = ["s" * 32]
            self.sealing = [b"e" * 32]
            self.start()

        def teardown(self) -> None:
            """Close what a run has left."""
            if hasattr(self, "loop"):
                self.run(self.service.close())
                self.loop.run_until_complete(self.loop.shutdown_asyncgens())
                self.loop.close()

        # -- the service under test ---------------------------------------------------------------

        def run(self, work: Coroutine[object, object, T]) -> T:
            return self.loop.run_until_complete(work)

        def start(self) -> None:
            self.service = SessionService(
                open_store(self.url, self.clock),
                TokenSigner(self.signing),
                KeyRing(self.sealing),
                self.clock,
                SessionPolicy(LIFETIME_S, MAX_LIFETIME_S, IDLE_S, MAX_SESSIONS),
                secrets.token_bytes,
                cache=CachePolicy(100, 60.0),
                monotonic=self.clock,
            )
            self.run(self.service.open())

        def code_of(self, work: Coroutine[object, object, object]) -> str:
            """`good`, or the error's code."""
            try:
                self.run(work)
            except GatewayError as error:
                return error.code
            return "good"

        # -- rules --------------------------------------------------------------------------------

        @rule(user=USERS, has_key=st.booleans())
        def login(self, user: str, has_key: bool) -> None:
            """A new session; the oldest too many are pushed out, a blocked subject gets none."""
            self.clock.forward(1)  # so that one is older
            now, session_key = self.clock(), secrets.token_hex(8) if has_key else None
            new = NewLogin("shop", self.subjects[user], openid="o", session_key=session_key)
            if now <= self.logins[user].blocked_until:
                assert self.code_of(self.service.create(new)) == "user_blocked"
                return
            issued = self.run(self.service.create(new))
            expires_at = int(now) + LIFETIME_S
            if session_key is not None:
                self.logins[user].session_keys.insert(0, (session_key, expires_at))
            made = Known(user, issued, self.signing[0], now, expires_at, now, now, [])
            made.family.append(made)
            self.known.append(made)
            self.push_out(user, now)

        def push_out(self, user: str, now: float) -> None:
            living = [one for one in self.known if one.user == user and one.counts(now)]
            living.sort(key=lambda one: one.created_at, reverse=True)
            for one in living[MAX_SESSIONS:]:
                end(one.family)

        def pick(self, index: int) -> Known:
            """A session, twice in three times one that lives."""
            now = self.clock()
            living = [one for one in self.known if one.outcome(now, self.signing) == {"good"}]
            among = living if living and index % 3 else self.known
            return among[index // 3 % len(among)]

        @precondition(lambda self: self.known)
        @rule(index=INDICES)
        def use(self, index: int) -> None:
            """The token is good or refused as the model says."""
            self.use_one(self.pick(index))

        def use_one(self, one: Known) -> None:
            now = self.clock()
            expected = one.outcome(now, self.signing)
            got = self.code_of(self.service.authenticate(one.issued.token))
            assert got in expected
            if got == "good" and now - one.used_at >= TOUCH_AFTER_S:
                one.used_at = now

        @precondition(lambda self: self.known)
        @rule(index=INDICES)
        def renew(self, index: int) -> None:
            """A successor with the same login; asked again within the overlap, the same one."""
            now, one = self.clock(), self.pick(index)
            if one.outcome(now, self.signing) != {"good"}:
                return
            self.use_one(one)
            session = self.run(self.service.authenticate(one.issued.token))
            try:
                issued = self.run(self.service.renew(session))
            except GatewayError as error:
                self.not_renewed(one, error.code)
                return
            assert issued.session.created_at == one.created_at
            if one.successor is not None:
                assert issued.session.key == one.successor.issued.session.key
                self.new_token(one.successor, issued)
                return
            expires_at = min(int(now) + LIFETIME_S, int(one.created_at) + MAX_LIFETIME_S)
            assert issued.session.expires_at == expires_at
            made = Known(
                *(one.user, issued, self.signing[0], one.created_at, expires_at, now, now),
                one.family,
            )
            one.family.append(made)
            one.successor, one.expires_at = made, min(one.expires_at, now + OVERLAP_S)
            self.known.append(made)

        def not_renewed(self, one: Known, code: str) -> None:
            """Too often in a minute, or its successor is dead already."""
            if code == "rate_limited":
                recent = [each for each in one.family if each.signed_at > self.clock() - 60]
                assert len(recent) >= 1
                return
            assert one.successor is not None
            assert code in one.successor.state(self.clock())

        def new_token(self, one: Known, issued: Issued) -> None:
            one.issued, one.signed_at, one.signing_key = issued, self.clock(), self.signing[0]

        @precondition(lambda self: self.known)
        @rule(index=INDICES)
        def log_out(self, index: int) -> None:
            """The session and all of its login have ended."""
            now, one = self.clock(), self.pick(index)
            ended = self.run(self.service.end(one.issued.session.key))
            lived = {each.issued.session.key: each.lives(now) for each in one.family}
            # Of one that has expired the store may have kept what its family is known by, or not.
            assert bool(ended) in {lived[one.issued.session.key], any(lived.values())}
            if ended or not any(lived.values()):
                end(one.family)

        @rule(user=USERS, is_seldom=SELDOM)
        def log_out_everywhere(self, user: str, is_seldom: bool) -> None:
            """All sessions of a subject have ended."""
            if not is_seldom:
                return
            now = self.clock()
            living = [one for one in self.known if one.user == user and one.lives(now)]
            assert self.run(self.service.end_subject(self.subjects[user])) == len(living)
            end([one for one in self.known if one.user == user])

        @rule(user=USERS, for_s=st.sampled_from([30, 500]), is_seldom=SELDOM)
        def block(self, user: str, for_s: int, is_seldom: bool) -> None:
            """No login for a while, and no session of before."""
            if not is_seldom:
                return
            now = self.clock()
            self.run(self.service.blocks.block(self.subjects[user], Block("a test", now + for_s)))
            self.logins[user].blocked_until = now + for_s
            end([one for one in self.known if one.user == user])

        @rule(user=USERS)
        def unblock(self, user: str) -> None:
            """Logins are let in again."""
            lasted = self.clock() <= self.logins[user].blocked_until
            assert self.run(self.service.blocks.unblock(self.subjects[user])) == lasted
            self.logins[user].blocked_until = -math.inf

        @rule(seconds=st.sampled_from([1, 30, 41, 61]))
        def wait(self, seconds: int) -> None:
            """Time goes by."""
            self.clock.forward(seconds)

        @rule(seconds=st.sampled_from([200, 399, 399, 900]), is_seldom=SELDOM)
        def wait_long(self, seconds: int, is_seldom: bool) -> None:
            """Time goes by; what is in use stays in use."""
            if is_seldom:
                self.clock.forward(seconds)
                return
            for _ in range(seconds // 100):
                self.clock.forward(100)
                for one in self.known:
                    self.use_one(one)

        @rule()
        def hear(self) -> None:
            """Let the background tasks have a turn: the store tells, the cache is believed."""
            self.run(asyncio.sleep(0.03))

        @rule()
        def restart(self) -> None:
            """Nothing but the store is left."""
            self.run(self.service.close())
            self.start()

        @rule()
        def rotate(self) -> None:
            """A new first key of each kind; nobody is logged out by it."""
            self.signing.insert(0, secrets.token_hex(16))
            self.sealing.insert(0, secrets.token_bytes(32))
            self.restart()

        @precondition(lambda self: len(self.signing) > 1)
        @rule(is_seldom=SELDOM)
        def retire(self, is_seldom: bool) -> None:
            """The oldest signing key is taken away: what it signed is invalid."""
            if not is_seldom:
                return
            self.signing.pop()
            self.restart()

        # -- what always holds --------------------------------------------------------------------

        @invariant()
        def every_session_is_what_the_model_says(self) -> None:
            """Without using it, and whatever became of its tokens."""
            for one in getattr(self, "known", ()):
                got = self.code_of(self.service.living(one.issued.session.key))
                assert got in one.state(self.clock())

        @invariant()
        def session_keys_are_the_latest(self) -> None:
            """The newest first, at most so many, and none that is still needed is missing."""
            for name, login in getattr(self, "logins", {}).items():
                kept = login.session_keys[:SESSION_KEYS_KEPT]
                found = [
                    one.value for one in self.run(self.service.session_keys(self.subjects[name]))
                ]
                assert found == [value for value, _ in kept if value in found]
                needed = [value for value, expires_at in kept if expires_at >= self.clock()]
                assert set(needed) <= set(found)

    return Sessions


def end(sessions: list[Known]) -> None:
    """End these and their families."""
    for one in sessions:
        for each in one.family:
            each.has_ended = True


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_store_does_what_the_model_does(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Logins, uses, renewals, endings, blocks, time, restarts and rotations, in any order."""
    url = "sqlite"
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        url = server.url
    run_state_machine_as_test(
        machine_on(url, tmp_path, itertools.count()),
        settings=settings(
            max_examples=30,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
