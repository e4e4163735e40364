"""The session service, on both stores: from a login to an end."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.errors import GatewayError
from gateway.sessions.keyring import KeyRing
from gateway.sessions.model import Session, Subject
from gateway.sessions.redis.links import open_link
from gateway.sessions.redis.store import RedisStore
from gateway.sessions.service import (
    Issued,
    NewLogin,
    SessionKey,
    SessionPolicy,
    SessionService,
)
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SessionStore
from gateway.sessions.token import TokenSigner
from tests.support.endings import until
from tests.support.redis_server import RedisServer
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

DAY_S = 86400.0
POLICY = SessionPolicy(
    lifetime_s=30 * DAY_S, max_lifetime_s=180 * DAY_S, idle_timeout_s=7 * DAY_S, max_per_subject=3
)
SIGNING_KEY, ENCRYPTION_KEY = "k" * 32, b"e" * 32
ALICE = make_subject("o-alice")
LOGIN = NewLogin(
    app="shop", subject=ALICE, openid="o-alice", unionid="u-alice", session_key="secret-key"
)


def build(
    store: SessionStore,
    clock: HandClock,
    policy: SessionPolicy = POLICY,
    *,
    signing_keys: tuple[str, ...] = (SIGNING_KEY,),
    encryption_keys: tuple[bytes, ...] = (ENCRYPTION_KEY,),
) -> SessionService:
    """A service; its background work never comes by itself within a test."""
    return SessionService(
        store,
        TokenSigner(signing_keys),
        KeyRing(encryption_keys),
        clock,
        policy,
        secrets.token_bytes,
        upkeep_interval_s=3600,
    )


@pytest.fixture
async def service(store: SessionStore, clock: HandClock) -> AsyncIterator[SessionService]:
    """A service that is open, on each kind of store."""
    service = build(store, clock)
    await service.open()
    yield service
    await service.close()


@pytest.fixture
async def absent(clock: HandClock) -> AsyncIterator[SessionService]:
    """A service whose store does not exist: whatever reaches it fails."""
    service = build(RedisStore(open_link("redis://127.0.0.1:1"), clock), clock)
    await service.open()
    yield service
    await service.close()


async def code_of(service: SessionService, token: str) -> str:
    with pytest.raises(GatewayError) as caught:
        await service.authenticate(token)
    return caught.value.code


# Login


async def test_login(service: SessionService) -> None:
    """A login gives a token, and the token gives the session."""
    issued = await service.create(LOGIN)
    session = issued.session
    assert issued.token.startswith("gw1.")
    assert session == Session(
        key=session.key,
        subject=ALICE,
        app="shop",
        openid="o-alice",
        unionid="u-alice",
        anonymous_openid=None,
        created_at=START_AT,
        expires_at=int(START_AT) + 30 * DAY_S,
        last_used_at=START_AT,
    )
    assert await service.authenticate(issued.token) == session


async def test_guest(service: SessionService) -> None:
    """A guest has a session too."""
    guest = make_subject("a-1", "douyin", "tt1", "anonymous")
    issued = await service.create(NewLogin("shop-tt", guest, anonymous_openid="a-1"))
    session = await service.authenticate(issued.token)
    assert session.is_anonymous
    assert session.openid is None
    assert await service.session_keys(guest) == ()


async def test_every_login_is_new(service: SessionService) -> None:
    """S9: each login has a session id and token of its own, and the earlier one stays good."""
    first, second = await service.create(LOGIN), await service.create(LOGIN)
    assert first.token != second.token
    assert first.session.key != second.session.key
    assert await service.authenticate(first.token) == first.session


async def test_max_lifetime(store: SessionStore, clock: HandClock) -> None:
    """A lifetime is never longer than the longest allowed."""
    service = build(store, clock, replace(POLICY, max_lifetime_s=DAY_S))
    session = (await service.create(LOGIN)).session
    assert session.expires_at == int(START_AT) + DAY_S


async def test_nothing_secret_is_shown(service: SessionService) -> None:
    """S17: neither token nor session_key appears when a value is printed."""
    issued = await service.create(LOGIN)
    (key,) = await service.session_keys(ALICE)
    for value in (issued, LOGIN, key, service):
        assert issued.token not in repr(value)
        assert "secret-key" not in repr(value)


# The end of a session


async def test_expiry(service: SessionService, clock: HandClock) -> None:
    """S4: a session is good to the end of its lifetime, and a second later it is not."""
    issued = await service.create(LOGIN)
    for _ in range(5):
        clock.forward(6 * DAY_S)
        if clock() > issued.session.expires_at:
            break
        await service.authenticate(issued.token)
    clock.now = issued.session.expires_at
    assert await service.authenticate(issued.token) == issued.session
    clock.forward(1)
    assert await code_of(service, issued.token) == "session_expired"


async def test_session_expiry_is_checked_too(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """Where a token's date would allow more than the session, the session decides."""
    service = build(sqlite_store, clock, replace(POLICY, max_lifetime_s=DAY_S))
    issued = await service.create(LOGIN)
    clock.forward(DAY_S + 1)
    assert await code_of(service, issued.token) == "session_expired"


async def test_idle(service: SessionService, clock: HandClock) -> None:
    """A session unused for longer than the idle time-out has expired."""
    issued = await service.create(LOGIN)
    clock.forward(7 * DAY_S)
    await service.authenticate(issued.token)
    clock.forward(7 * DAY_S)  # the use above waits in memory, and counts
    await service.authenticate(issued.token)
    clock.forward(7 * DAY_S + 1)
    assert await code_of(service, issued.token) == "session_expired"


async def test_no_idle_timeout(store: SessionStore, clock: HandClock) -> None:
    """Without an idle time-out only the lifetime counts."""
    service = build(store, clock, replace(POLICY, idle_timeout_s=None))
    issued = await service.create(LOGIN)
    clock.forward(29 * DAY_S)
    assert await service.authenticate(issued.token) == issued.session


async def test_logout(service: SessionService) -> None:
    """S5: after a logout the token is revoked, and other sessions of the subject live on."""
    ended, other = await service.create(LOGIN), await service.create(LOGIN)
    assert await service.end(ended.session.key) == (ended.session.key,)
    assert await code_of(service, ended.token) == "session_revoked"
    assert await service.authenticate(other.token) == other.session
    assert await service.end(ended.session.key) == ()


async def test_confirm(store: SessionStore, service: SessionService) -> None:
    """A session looked up beside all requests is told as ended where it is dead."""
    told: list[str] = []
    service.on_ended(told.append)
    living, ended = await service.create(LOGIN), await service.create(LOGIN)
    await store.end(ended.session.key, "revoked")
    service.confirm(living.session.key)
    service.confirm(ended.session.key)
    await until(lambda: told)
    assert set(told) == {ended.session.key}


async def test_confirm_while_the_store_is_away(absent: SessionService) -> None:
    """It changes nothing, and is no fault of who asked."""
    told: list[str] = []
    absent.on_ended(told.append)
    absent.confirm(make_session(1).key)
    await asyncio.sleep(0.05)
    assert told == []


async def test_logout_everywhere(service: SessionService) -> None:
    """S5: after a logout everywhere all tokens of the subject are revoked."""
    issued = [await service.create(LOGIN) for _ in range(3)]
    assert await service.end_subject(ALICE) == 3
    for one in issued:
        assert await code_of(service, one.token) == "session_revoked"
    assert await service.end_subject(ALICE) == 0


async def test_pushed_out(service: SessionService) -> None:
    """The session that one login too many pushes out is revoked; the newest stay."""
    issued = [await service.create(LOGIN) for _ in range(4)]
    codes = []
    for one in issued:
        try:
            await service.authenticate(one.token)
        except GatewayError as error:
            codes.append(error.code)
    assert codes == ["session_revoked"]
    assert await service.authenticate(issued[3].token) == issued[3].session


async def test_signed_but_unknown(service: SessionService, clock: HandClock) -> None:
    """A well-signed token of a session nobody knows is expired."""
    token = TokenSigner([SIGNING_KEY]).sign("a" * 24, clock())
    assert await code_of(service, token) == "session_expired"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("*", "a pattern"),
        ("x" * 44, "too long"),
        ("a\r\nFLUSHALL\r\n", "X2: a command"),
        ("' OR 1=1 --", "X2: SQL"),
    ],
)
async def test_end_of_no_key(absent: SessionService, key: str, reason: str) -> None:
    """X2: what cannot be a key never reaches the store."""
    assert await absent.end(key) == (), reason


# Forged tokens


async def test_forged_tokens_stay_outside(absent: SessionService, clock: HandClock) -> None:
    """Forged, outlived and malformed tokens are answered without the store."""
    old = TokenSigner([SIGNING_KEY]).sign("a" * 24, clock() - 31 * DAY_S)
    foreign = TokenSigner(["x" * 32]).sign("a" * 24, clock())
    assert await code_of(absent, old) == "session_expired"
    assert await code_of(absent, foreign) == "session_invalid"
    assert await code_of(absent, "gw1.") == "session_invalid"


# The store is away


async def test_store_away(absent: SessionService, clock: HandClock) -> None:
    """A store that is away is 503 for everybody, never a log-out."""
    token = TokenSigner([SIGNING_KEY]).sign("a" * 24, clock())
    assert await code_of(absent, token) == "store_unavailable"
    for call in (
        absent.create(LOGIN),
        absent.end(make_session(1).key),
        absent.end_subject(ALICE),
        absent.find(),
        absent.session_keys(ALICE),
        absent.check_ready(),
    ):
        with pytest.raises(GatewayError) as caught:
            await call
        assert caught.value.code == "store_unavailable"


async def test_store_returns(own_redis: RedisServer, clock: HandClock) -> None:
    """A session lives through a store that hung, without a restart of ours."""
    service = build(RedisStore(open_link(own_redis.url), clock), clock)
    await service.open()
    issued = await service.create(LOGIN)
    own_redis.freeze()
    assert await code_of(service, issued.token) == "store_unavailable"
    own_redis.thaw()
    assert await service.authenticate(issued.token) == issued.session
    await service.check_ready()
    await service.close()


# Last use


async def last_use(store: SessionStore, issued: Issued) -> float:
    record = await store.get(issued.session.key)
    assert isinstance(record, Session)
    return record.last_used_at


async def test_last_use_is_written_later(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """A use is noted in memory, and written by the time the service is closed."""
    service = build(sqlite_store, clock)
    await service.open()
    issued = await service.create(LOGIN)
    clock.forward(DAY_S)
    await service.authenticate(issued.token)
    assert await last_use(sqlite_store, issued) == START_AT
    await service.close()
    await sqlite_store.open()
    assert await last_use(sqlite_store, issued) == START_AT + DAY_S


async def test_closed_whatever_fails(
    sqlite_store: SqliteStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault while one part ends keeps no other from its end, and is told."""
    service = build(sqlite_store, clock)
    await service.open()

    async def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service._assertions, "stop", fail)
    issued = await service.create(LOGIN)
    clock.forward(DAY_S)
    await service.authenticate(issued.token)
    with pytest.raises(ZeroDivisionError):
        await service.close()
    monkeypatch.undo()
    await service._assertions.stop()
    with pytest.raises(GatewayError):
        await sqlite_store.ping()
    await sqlite_store.open()
    assert await last_use(sqlite_store, issued) == START_AT + DAY_S


async def test_upkeep_is_as_fine_as_uses_and_hears_of_the_store_s_return(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """With a short idle time-out no other process shall take a session for unused."""
    service = build(sqlite_store, clock, replace(POLICY, idle_timeout_s=100))
    assert service._upkeep._interval_s == 10
    assert service._upkeep.new_stretch in service._memory._on_new_stretch


@pytest.mark.parametrize(
    ("idle_timeout_s", "age_s", "is_noted", "reason"),
    [
        (7 * DAY_S, 599, False, "younger than ten minutes"),
        (7 * DAY_S, 600, True, "ten minutes old"),
        (None, 599, False, "the same without an idle time-out"),
        (None, 600, True, "the same without an idle time-out"),
        (3600, 359, False, "a shorter time-out, measured in tenths"),
        (3600, 360, True, "a shorter time-out, measured in tenths"),
        (100, 9, False, "a short time-out, measured in tenths"),
        (100, 10, True, "a short time-out, measured in tenths"),
    ],
)
async def test_fresh_uses_are_not_written(
    sqlite_store: SqliteStore,
    clock: HandClock,
    idle_timeout_s: float | None,
    age_s: float,
    is_noted: bool,
    reason: str,
) -> None:
    """A last use that is fresh enough is not written again."""
    service = build(sqlite_store, clock, replace(POLICY, idle_timeout_s=idle_timeout_s))
    await service.open()
    issued = await service.create(LOGIN)
    clock.forward(age_s)
    await service.authenticate(issued.token)
    await service.close()
    await sqlite_store.open()
    expected = START_AT + age_s if is_noted else START_AT
    assert await last_use(sqlite_store, issued) == expected, reason


# session_keys


async def test_session_keys(service: SessionService, clock: HandClock) -> None:
    """The last three are opened, newest first."""
    for number in range(4):
        await service.create(replace(LOGIN, session_key=f"key-{number}"))
        clock.forward(1)
    assert await service.session_keys(ALICE) == (
        SessionKey("key-3", START_AT + 3),
        SessionKey("key-2", START_AT + 2),
        SessionKey("key-1", START_AT + 1),
    )


async def test_session_keys_are_sealed(service: SessionService, store: SessionStore) -> None:
    """S17: the store never sees a session_key."""
    await service.create(LOGIN)
    (sealed,) = await store.session_keys(ALICE)
    assert b"secret-key" not in sealed.sealed
    assert "secret-key" not in repr(sealed)


async def test_unreadable_session_keys(store: SessionStore, clock: HandClock) -> None:
    """What no key opens is skipped: sealed with a lost key, or moved from another subject."""
    await build(store, clock, encryption_keys=(b"o" * 32,)).create(LOGIN)
    service = build(store, clock)
    await service.create(replace(LOGIN, session_key="new"))
    bob = make_subject("o-bob")
    (stolen, *_) = await store.session_keys(ALICE)
    await store.create(make_session(1, bob), stolen.sealed, 3)
    assert [key.value for key in await service.session_keys(ALICE)] == ["new"]
    assert await service.session_keys(bob) == ()


async def test_key_rotation(store: SessionStore, clock: HandClock) -> None:
    """S6: new first keys log nobody out and lose no session_key."""
    issued = await build(store, clock).create(LOGIN)
    rotated = build(
        store,
        clock,
        signing_keys=("n" * 32, SIGNING_KEY),
        encryption_keys=(b"n" * 32, ENCRYPTION_KEY),
    )
    assert await rotated.authenticate(issued.token) == issued.session
    assert [key.value for key in await rotated.session_keys(ALICE)] == ["secret-key"]
    removed = build(store, clock, signing_keys=("n" * 32,))
    assert await code_of(removed, issued.token) == "session_invalid"


# Finding


async def test_find(service: SessionService) -> None:
    """Living sessions are found by platform, app and openid; the limit is brought into bounds."""
    alice = (await service.create(LOGIN)).session
    bob_subject = Subject("douyin", "tt1", "user", "o-bob")
    bob = (await service.create(NewLogin("shop-tt", bob_subject, openid="o-bob"))).session
    assert set((await service.find(limit=10**9)).sessions) == {alice, bob}
    assert len((await service.find(limit=-1)).sessions) == 1
    assert (await service.find(platform="douyin")).sessions == (bob,)
    assert (await service.find(app="shop")).sessions == (alice,)
    assert (await service.find(openid="o-bob")).sessions == (bob,)


async def test_ready(service: SessionService) -> None:
    """A service whose store answers is ready."""
    await service.check_ready()
