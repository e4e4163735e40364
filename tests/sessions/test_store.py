"""The contract of every session store, run on each kind; and the parts they share."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.store import (
    BEAT_S,
    SESSION_KEYS_KEPT,
    Page,
    SealedKey,
    SessionStore,
    Tombstone,
    Wanted,
    store_call,
    subject_key_of,
)
from gateway.sessions.token import session_key_of
from tests.support.endings import Told, until
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

ALICE, BOB, GUEST = make_subject("o-alice"), make_subject("o-bob"), make_subject(kind="anonymous")
MANY = 10


async def all_pages(store: SessionStore, wanted: Wanted, limit: int) -> list[Session]:
    """Every session, page by page; no page is over the limit."""
    found: list[Session] = []
    after: str | None = None
    for _ in range(1000):
        page = await store.find(wanted, limit, after)
        assert len(page.sessions) <= limit
        found += page.sessions
        after = page.after
        if after is None:
            return found
    raise AssertionError("the pages do not end")


# One session


async def test_unknown(store: SessionStore) -> None:
    """An unknown key is nothing: not a fault, not a tombstone."""
    assert await store.get(session_key_of("nobody")) is None


@pytest.mark.parametrize(
    ("session", "reason"),
    [
        (make_session(1), "the least there is"),
        (make_session(1, GUEST), "a guest has no openid"),
        (
            Session(
                key=session_key_of("full"),
                subject=Subject("douyin", "tt:1", "user", "o:'\"\\{}*?[]"),
                app="店铺",
                openid="o:'\"\\{}*?[]",
                unionid="\x00\r\n *3\r\n$7\r\nFLUSHDB é 店 😀",
                anonymous_openid="anonymous",
                created_at=START_AT + 1 / 3,
                expires_at=START_AT + 1e9 + 1 / 3,
                last_used_at=START_AT + 2 / 3,
                user_id="",
            ),
            "X2: every field, odd characters, moments that no decimal writes exactly",
        ),
    ],
)
async def test_restored_exactly(store: SessionStore, session: Session, reason: str) -> None:
    """What is kept comes back as it was."""
    assert await store.create(session, None, MANY) == ()
    assert await store.get(session.key) == session, reason


async def test_ending(store: SessionStore) -> None:
    """An ended session leaves a tombstone with its reason; ending it again ends nothing."""
    session = make_session(1)
    await store.create(session, None, MANY)
    assert await store.end(session.key, "logout") is True
    assert await store.get(session.key) == Tombstone("logout")
    assert await store.end(session.key, "revoked") is False
    assert await store.get(session.key) == Tombstone("logout")


async def test_ending_what_is_unknown(store: SessionStore) -> None:
    """Ending an unknown session ends nothing and leaves nothing."""
    key = session_key_of("nobody")
    assert await store.end(key, "logout") is False
    assert await store.get(key) is None


async def test_ending_what_has_expired(store: SessionStore, clock: HandClock) -> None:
    """An expired session cannot be ended: it becomes no tombstone."""
    session = make_session(1, lifetime_s=10)
    await store.create(session, None, MANY)
    clock.forward(10.5)
    assert await store.end(session.key, "logout") is False
    assert not isinstance(await store.get(session.key), Tombstone)


async def test_same_session_twice(store: SessionStore) -> None:
    """A key that is taken is never given to somebody else."""
    session = make_session(1)
    await store.create(session, None, MANY)
    with pytest.raises(GatewayError) as caught:
        await store.create(replace(session, subject=BOB), None, MANY)
    assert caught.value.code == "store_unavailable"
    assert await store.get(session.key) == session


# The sessions of a subject


async def test_newest_are_kept(store: SessionStore) -> None:
    """The oldest too many are pushed out and leave tombstones `revoked`."""
    sessions = [make_session(number, created_at=START_AT + number) for number in range(5)]
    pushed_out = [await store.create(session, None, 3) for session in sessions]
    assert pushed_out == [(), (), (), (sessions[0].key,), (sessions[1].key,)]
    assert await store.get(sessions[0].key) == Tombstone("revoked")
    assert [await store.get(session.key) for session in sessions[2:]] == sessions[2:]


async def test_a_smaller_limit(store: SessionStore) -> None:
    """Where the limit was lowered, one login pushes out several."""
    sessions = [make_session(number, created_at=START_AT + number) for number in range(5)]
    for session in sessions[:4]:
        await store.create(session, None, MANY)
    pushed_out = await store.create(sessions[4], None, 1)
    assert set(pushed_out) == {session.key for session in sessions[:4]}


async def test_the_new_one_always_stays(store: SessionStore) -> None:
    """A login in the same moment as others, or after the clock went back, is not pushed out."""
    for number in range(8):
        session = make_session(number, created_at=START_AT - number // 2)
        pushed_out = await store.create(session, None, 2)
        assert session.key not in pushed_out
        assert await store.get(session.key) == session


async def test_others_are_not_pushed_out(store: SessionStore) -> None:
    """The limit counts one subject: neither another id, nor another app, platform or kind."""
    subjects = [
        ALICE,
        BOB,
        GUEST,
        make_subject(app_id="wx2"),
        make_subject(platform="douyin"),
    ]
    for number, subject in enumerate(subjects):
        assert await store.create(make_session(number, subject), None, 1) == ()


async def test_ended_and_expired_do_not_count(store: SessionStore, clock: HandClock) -> None:
    """Only living sessions count towards the limit."""
    ended, expired, living, new = (make_session(number) for number in range(4))
    expired = replace(expired, expires_at=START_AT + 5)
    for session in (ended, expired, living):
        await store.create(session, None, MANY)
    await store.end(ended.key, "logout")
    clock.forward(6)
    assert await store.create(new, None, 2) == ()
    assert await store.get(ended.key) == Tombstone("logout")


async def test_ending_a_subject(store: SessionStore, clock: HandClock) -> None:
    """All living sessions of a subject end, and nobody else's."""
    mine = [make_session(number) for number in range(3)]
    expired = make_session(3, lifetime_s=5)
    others = make_session(4, BOB)
    for session in (*mine, expired, others):
        await store.create(session, None, MANY)
    await store.end(mine[2].key, "logout")
    clock.forward(6)
    ended = await store.end_subject(ALICE, "revoked")
    assert set(ended) == {mine[0].key, mine[1].key}
    assert await store.get(mine[0].key) == Tombstone("revoked")
    assert await store.get(mine[2].key) == Tombstone("logout")
    assert await store.get(others.key) == others
    assert await store.end_subject(ALICE, "revoked") == ()


async def test_login_after_ending_a_subject(store: SessionStore) -> None:
    """A subject that was ended may log in again."""
    await store.create(make_session(1), None, MANY)
    await store.end_subject(ALICE, "revoked")
    await store.create(make_session(2), None, MANY)
    assert await store.end_subject(ALICE, "revoked") == (make_session(2).key,)


async def test_concurrent_logins(store: SessionStore) -> None:
    """Logins of one subject at once leave exactly the limit alive, the others as tombstones."""
    sessions = [make_session(number) for number in range(20)]
    pushed_out = await asyncio.gather(*(store.create(one, None, 3) for one in sessions))
    keys = [key for keys in pushed_out for key in keys]
    assert len(keys) == len(set(keys)) == 17
    records = [await store.get(session.key) for session in sessions]
    assert sum(isinstance(record, Session) for record in records) == 3


# Following endings


@pytest.fixture
async def told(store: SessionStore) -> AsyncIterator[Told]:
    """A listener that follows the store."""
    told = Told()
    task = asyncio.create_task(store.follow(told))
    await until(lambda: told.ages_s)
    yield told
    task.cancel()
    await asyncio.wait([task])


async def test_endings_are_told(store: SessionStore, told: Told) -> None:
    """Each kind of ending is told within half a second, and nothing that did not end."""
    mine = [make_session(number, created_at=START_AT + number) for number in range(4)]
    other = make_session(9, BOB)
    for session in (*mine[:3], other):
        await store.create(session, None, MANY)
    await store.end(mine[0].key, "logout")
    assert await until(lambda: told.keys) < 2 * BEAT_S + 0.25, "ended alone; and a slow machine"
    await store.create(mine[3], None, 2)
    assert await until(lambda: len(told.keys) == 2) < 2 * BEAT_S + 0.25, "pushed out"
    await store.end_subject(ALICE, "revoked")
    assert await until(lambda: len(told.keys) == 4) < 2 * BEAT_S + 0.25, "all of a subject"
    assert told.keys[:2] == [mine[0].key, mine[1].key]
    assert set(told.keys) == {session.key for session in mine}


async def test_only_endings_are_told(store: SessionStore, told: Told, clock: HandClock) -> None:
    """Neither logins, uses, purges nor endings of nothing are told."""
    session = make_session(1, lifetime_s=5)
    await store.create(session, None, MANY)
    await store.touch({session.key: START_AT + 1})
    await store.end(session_key_of("nobody"), "logout")
    clock.forward(6)
    await store.end(session.key, "logout")
    await store.purge(clock())
    await store.end_subject(ALICE, "revoked")
    count = len(told.ages_s)
    await until(lambda: len(told.ages_s) >= count + 3)
    assert told.keys == []


async def test_all_who_follow_are_told(store: SessionStore, told: Told) -> None:
    """Several may follow; who joins later is told of later endings only."""
    first, second = make_session(1), make_session(2)
    await store.create(first, None, MANY)
    await store.create(second, None, MANY)
    await store.end(first.key, "logout")
    late = Told()
    task = asyncio.create_task(store.follow(late))
    await until(lambda: late.ages_s)
    await store.end(second.key, "logout")
    await until(lambda: late.keys)
    await until(lambda: len(told.keys) == 2)
    assert late.keys == [second.key]
    task.cancel()
    await asyncio.wait([task])


async def test_it_is_said_that_all_is_told(store: SessionStore, told: Told) -> None:
    """Word of being up to date comes well within a second, with its age."""
    count = len(told.ages_s)
    assert await until(lambda: len(told.ages_s) >= count + 4) < 4 * (BEAT_S + 0.25)
    assert all(0 <= age_s < 1 for age_s in told.ages_s)


# session_keys


async def test_session_keys(store: SessionStore) -> None:
    """The last three of a subject are kept with their moments, newest first."""
    for number in range(5):
        session = make_session(number, created_at=START_AT + number)
        await store.create(session, b"sealed:%d\x00\xff" % number, MANY)
    await store.create(make_session(5, BOB), b"bob's", MANY)
    assert await store.session_keys(ALICE) == tuple(
        SealedKey(b"sealed:%d\x00\xff" % number, START_AT + number)
        for number in range(4, 4 - SESSION_KEYS_KEPT, -1)
    )


async def test_no_session_key(store: SessionStore) -> None:
    """A login without a `session_key` adds none and takes none away."""
    assert await store.session_keys(ALICE) == ()
    await store.create(make_session(1), b"sealed", MANY)
    await store.create(make_session(2), None, MANY)
    assert await store.session_keys(ALICE) == (SealedKey(b"sealed", START_AT),)


# Last use


async def test_touch(store: SessionStore) -> None:
    """Last uses are recorded exactly, for many at once, and never go backwards."""
    first, second = make_session(1), make_session(2)
    await store.create(first, None, MANY)
    await store.create(second, None, MANY)
    await store.touch({first.key: START_AT + 1 / 3, second.key: START_AT - 5})
    assert await store.get(first.key) == replace(first, last_used_at=START_AT + 1 / 3)
    assert await store.get(second.key) == second


async def test_touch_revives_nothing(store: SessionStore) -> None:
    """A use recorded late brings neither an ended nor an unknown session to life."""
    ended, unknown = make_session(1), make_session(2)
    await store.create(ended, None, MANY)
    await store.end(ended.key, "logout")
    await store.touch({ended.key: START_AT + 9, unknown.key: START_AT + 9})
    assert await store.get(ended.key) == Tombstone("logout")
    assert await store.get(unknown.key) is None


# Finding


SESSIONS = (
    make_session(1, ALICE),
    make_session(2, ALICE),
    make_session(3, BOB),
    make_session(4, GUEST),
    make_session(5, make_subject("o-alice", "douyin", "tt1"), app="shop-tt"),
    make_session(6, make_subject("o-carol", "douyin", "tt2"), app="game-tt"),
)


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), {1, 2, 3, 4, 5, 6}),
        (Wanted(platform="douyin"), {5, 6}),
        (Wanted(app="shop"), {1, 2, 3, 4}),
        (Wanted(platform="wechat", app="shop-tt"), set()),
        (Wanted(openid="o-alice"), {1, 2, 5}),
        (Wanted(openid="o-alice", platform="wechat"), {1, 2}),
        (Wanted(openid="o-alice", app="shop-tt"), {5}),
        (Wanted(openid="nobody"), set()),
        (Wanted(platform="%' OR 1=1 --*"), set()),
    ],
)
async def test_find(store: SessionStore, wanted: Wanted, numbers: set[int], limit: int) -> None:
    """Every filter gives exactly its sessions, whatever the page size."""
    for session in SESSIONS:
        await store.create(session, None, MANY)
    expected = {SESSIONS[number - 1] for number in numbers}
    found = await all_pages(store, wanted, limit)
    assert len(found) == len(expected)
    assert set(found) == expected


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(openid="o-alice")])
async def test_find_only_the_living(store: SessionStore, clock: HandClock, wanted: Wanted) -> None:
    """Ended and expired sessions are not found."""
    living, ended, expired = make_session(1), make_session(2), make_session(3, lifetime_s=5)
    for session in (living, ended, expired):
        await store.create(session, None, MANY)
    await store.end(ended.key, "logout")
    clock.forward(6)
    assert await store.find(wanted, 10, None) == Page((living,), None)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("zzz", "any word"),
        ("-", "no number on either side"),
        ("9" * 5000, "longer than any place"),
        ("A" * 43 + "\n", "a place and a line feed"),
        ("\ud800", "half a surrogate pair, which UTF-8 cannot write"),
        ("' OR 1=1 --", "X2: characters of queries"),
    ],
)
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(openid="o-alice")], ids=["all", "openid"])
async def test_after_what_is_no_place(
    store: SessionStore, wanted: Wanted, after: str, reason: str
) -> None:
    """A listing goes on only from where a page ended; else it would leave sessions out."""
    await store.create(make_session(1), None, MANY)
    with pytest.raises(GatewayError) as caught:
        await store.find(wanted, 10, after)
    assert caught.value.code == "bad_request", reason


# Expiry


async def test_purge_keeps_the_living(store: SessionStore) -> None:
    """Removing what has expired takes nothing else."""
    living, ended = make_session(1), make_session(2)
    for session in (living, ended):
        await store.create(session, b"sealed", MANY)
    await store.end(ended.key, "logout")
    assert await store.purge(START_AT + 1000) == 0
    assert await store.get(living.key) == living
    assert await store.get(ended.key) == Tombstone("logout")
    assert len(await store.session_keys(ALICE)) == 2


# Opening and closing


async def test_ping(store: SessionStore) -> None:
    """A store that is there answers."""
    await store.ping()


async def test_close_twice(store: SessionStore) -> None:
    """Closing is safe to repeat."""
    await store.close()
    await store.close()


# What the stores share


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (make_subject("anonymous:x"), make_subject("x", kind="anonymous"), "same when written"),
        (make_subject("b:c", app_id="a"), make_subject("c", app_id="a:b"), "a colon moved"),
        (make_subject(platform="a"), make_subject(platform="b"), "platforms"),
    ],
)
def test_subjects_have_their_own_names(one: Subject, other: Subject, reason: str) -> None:
    """Two subjects never share a name."""
    assert subject_key_of(one) != subject_key_of(other), reason


@given(st.text(), st.text())
def test_subject_names_are_of_fixed_length(app_id: str, name: str) -> None:
    """X2: whatever the ids, the name is 43 harmless characters."""
    found = subject_key_of(Subject("wechat", app_id, "user", name))
    assert len(found) == 43
    assert found.replace("-", "a").replace("_", "a").isalnum()


async def test_store_call_translates() -> None:
    """Faults named, the system's and time-outs become one outcome; a bug stays a bug."""
    for fault in (LookupError(), OSError(), TimeoutError()):
        with pytest.raises(GatewayError) as caught:
            async with store_call(LookupError):
                raise fault
        assert caught.value.code == "store_unavailable"
        assert caught.value.__cause__ is fault
    with pytest.raises(ZeroDivisionError):
        async with store_call(LookupError):
            raise ZeroDivisionError


def test_wanted() -> None:
    """A filter fits what agrees in all its fields."""
    assert Wanted().fits(SESSIONS[0])
    assert not Wanted(platform="douyin").fits(SESSIONS[0])
    assert not Wanted(app="other").fits(SESSIONS[0])
    assert not Wanted(openid="o-bob").fits(SESSIONS[0])
