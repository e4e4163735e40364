"""The contract of every session store, run on each kind; and the parts they share."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.sessions.model import Session, Subject
from gateway.sessions.store import (
    BEAT_S,
    BLOCKED,
    MAX_NOTE_BYTES,
    RENEWED_KEPT_S,
    SESSION_KEYS_KEPT,
    Block,
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
from tests.support.sessions import (
    START_AT,
    HandClock,
    make_key,
    make_neighbour,
    make_session,
    make_subject,
    make_successor,
)

ALICE, BOB, GUEST = make_subject("o-alice"), make_subject("o-bob"), make_subject(kind="anonymous")
ODD = Subject("douyin", "tt:1", "user", "o:'\"\\{}*?[]")
MANY = 10
OVERLAP_S = 60.0
NOTE = session_key_of("note")

some_examples = settings(
    max_examples=15,
    deadline=None,
    # Each example has subjects and notes of its own, so one store will do.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


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
                key=make_key("full", ODD),
                subject=ODD,
                app="店铺",
                openid=ODD.id,
                unionid="\x00\r\n *3\r\n$7\r\nFLUSHDB é 店 😀",
                anonymous_openid="anonymous",
                created_at=START_AT + 1 / 3,
                expires_at=START_AT + 1e9 + 1 / 3,
                last_used_at=START_AT + 2 / 3,
                user_id="",
                origin=make_key("origin", ODD),
                successor=make_key("successor", ODD),
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
    assert await store.end(session.key, "logout") == (session.key,)
    assert await store.get(session.key) == Tombstone("logout")
    assert await store.end(session.key, "revoked") == ()
    assert await store.get(session.key) == Tombstone("logout")


async def test_ending_what_is_unknown(store: SessionStore) -> None:
    """Ending an unknown session ends nothing and leaves nothing."""
    key = session_key_of("nobody")
    assert await store.end(key, "logout") == ()
    assert await store.get(key) is None


async def test_ending_what_has_expired(store: SessionStore, clock: HandClock) -> None:
    """An expired session is not among those that were ended, but can never live again."""
    session = make_session(1, lifetime_s=10)
    await store.create(session, None, MANY)
    clock.forward(10.5)
    assert await store.end(session.key, "logout") == ()
    assert await store.get(session.key) == Tombstone("logout")


async def test_ending_by_a_clock_that_is_ahead(store: SessionStore, clock: HandClock) -> None:
    """An ending asked for while the clock is wrong holds when it is right again."""
    one, other, blocked = make_session(1), make_session(2, BOB), make_session(3, GUEST)
    for session in (one, other, blocked):
        await store.create(session, None, MANY)
    clock.forward(1e6)
    assert await store.end(one.key, "logout") == ()
    assert await store.end_subject(BOB, "revoked") == ()
    assert await store.block(GUEST, Block("spam", None)) == ()
    clock.forward(-1e6)
    assert await store.get(one.key) == Tombstone("logout")
    assert await store.get(other.key) == Tombstone("revoked")
    assert await store.get(blocked.key) == Tombstone("blocked")


async def test_same_session_twice(store: SessionStore) -> None:
    """A key that is taken is never given to somebody else."""
    session = make_session(1)
    await store.create(session, None, MANY)
    with pytest.raises(GatewayError) as caught:
        await store.create(replace(session, subject=make_neighbour(ALICE)), None, MANY)
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
    await store.end_subject(BOB, "revoked")
    clock.forward(6)
    await store.purge(clock())
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


# Renewal


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[GatewayError]]:
    """What is done within is refused with this code."""
    with pytest.raises(GatewayError) as caught:
        yield caught
    assert caught.value.code == code


async def renew(store: SessionStore, old: Session, new: Session) -> None:
    """Renew as the service does: the old one goes on for a while from the new one's beginning."""
    sealed = f"sealed id of {new.key}".encode()
    assert await store.renew(old.key, new, sealed, new.last_used_at + OVERLAP_S) == sealed


async def test_renewal(store: SessionStore) -> None:
    """The old one names its successor and ends soon; the successor belongs to the same login."""
    old = make_session(1)
    new = make_successor(old, 2, at=START_AT + 5, lifetime_s=5000)
    await store.create(old, None, MANY)
    await renew(store, old, new)
    shortened = replace(old, expires_at=START_AT + 5 + OVERLAP_S, successor=new.key)
    assert await store.get(old.key) == shortened
    assert await store.get(new.key) == new
    assert new.origin == old.key
    assert set(await all_pages(store, Wanted(openid="o-alice"), 10)) == {shortened, new}


async def test_renewed_again(store: SessionStore) -> None:
    """Who asks again gets what the first got, and changes nothing."""
    old = make_session(1)
    new, other = make_successor(old, 2), make_successor(old, 3)
    await store.create(old, None, MANY)
    first = b"\x00\xff the first \r\n"
    assert await store.renew(old.key, new, first, START_AT + OVERLAP_S) == first
    renewed = await store.get(old.key)
    assert await store.renew(old.key, other, b"the second", START_AT + 2) == first
    assert await store.get(old.key) == renewed
    assert await store.get(other.key) is None


async def test_renewed_at_once(store: SessionStore) -> None:
    """Of many renewals at the same time one is carried out, and all learn of its successor."""
    old = make_session(1)
    successors = [make_successor(old, number) for number in range(2, 22)]
    await store.create(old, None, MANY)
    answers = await asyncio.gather(
        *(store.renew(old.key, one, one.key.encode(), START_AT + OVERLAP_S) for one in successors)
    )
    assert len(set(answers)) == 1
    living = [one.key for one in successors if await store.get(one.key) is not None]
    assert [key.encode() for key in living] == [answers[0]]


async def test_the_old_one_ends_no_later(store: SessionStore) -> None:
    """A renewal never lengthens the old one's life."""
    old = make_session(1, lifetime_s=20)
    await store.create(old, None, MANY)
    await renew(store, old, make_successor(old, 2))
    found = await store.get(old.key)
    assert isinstance(found, Session)
    assert found.expires_at == old.expires_at


async def test_renewing_what_does_not_live(store: SessionStore, clock: HandClock) -> None:
    """Neither an unknown, an ended, an expired nor an overlapped session is renewed."""
    ended, expired, renewed = make_session(1), make_session(2, lifetime_s=10), make_session(3)
    for session in (ended, expired, renewed):
        await store.create(session, None, MANY)
    await store.end(ended.key, "logout")
    await renew(store, renewed, make_successor(renewed, 4))
    clock.forward(OVERLAP_S + 1)
    for session in (ended, expired, renewed, make_session(9)):
        new = make_successor(session, 5)
        assert await store.renew(session.key, new, b"sealed", clock() + OVERLAP_S) is None
        assert await store.get(new.key) is None


async def test_successor_of_a_taken_key(store: SessionStore) -> None:
    """A successor takes no other session's place, and the renewal leaves nothing behind."""
    old, other = make_session(1), make_session(2)
    await store.create(old, None, MANY)
    await store.create(other, None, MANY)
    with refused("store_unavailable"):
        await store.renew(old.key, make_successor(old, 2), b"sealed", START_AT + OVERLAP_S)
    assert await store.get(old.key) == old
    assert await store.get(other.key) == other


async def test_after_the_overlap(store: SessionStore, clock: HandClock) -> None:
    """Ending a renewed session whose time is over still ends its successor."""
    old = make_session(1)
    new = make_successor(old, 2)
    await store.create(old, None, MANY)
    await renew(store, old, new)
    clock.forward(RENEWED_KEPT_S)
    await store.purge(clock())
    assert not isinstance(await store.get(old.key), Tombstone)
    assert await store.end(old.key, "logout") == (new.key,)
    assert await store.get(new.key) == Tombstone("logout")
    assert await store.end(new.key, "logout") == ()


async def test_renewed_sessions_do_not_count(store: SessionStore) -> None:
    """One login counts once towards the limit, and is pushed out with all its sessions."""
    first, second, third = (
        make_session(number, created_at=START_AT + number) for number in (1, 2, 3)
    )
    successor = make_successor(first, 11)
    await store.create(first, None, 2)
    await renew(store, first, successor)
    assert await store.create(second, None, 2) == ()
    assert set(await store.create(third, None, 2)) == {first.key, successor.key}
    assert await store.get(first.key) == await store.get(successor.key) == Tombstone("revoked")


async def test_renewal_keeps_the_age_of_the_login(store: SessionStore) -> None:
    """The oldest login is pushed out, though it was renewed last."""
    oldest, middle, new = (
        make_session(number, created_at=START_AT + number) for number in range(3)
    )
    await store.create(oldest, None, MANY)
    await store.create(middle, None, MANY)
    successor = make_successor(oldest, 9, at=START_AT + 50)
    await renew(store, oldest, successor)
    assert set(await store.create(new, None, 2)) == {oldest.key, successor.key}
    assert await store.get(middle.key) == middle


async def test_session_key_of_a_renewed_login(store: SessionStore, clock: HandClock) -> None:
    """The `session_key` that came with a login stays as long as its last session."""
    old = make_session(1, lifetime_s=10)
    await store.create(old, b"sealed", MANY)
    await renew(store, old, make_successor(old, 2))
    clock.forward(500)
    await store.purge(clock())
    assert await store.session_keys(ALICE) == (SealedKey(b"sealed", START_AT),)


async def test_touching_a_successor(store: SessionStore) -> None:
    """Last uses of a renewed session and of its successor are their own."""
    old = make_session(1)
    new = make_successor(old, 2)
    await store.create(old, None, MANY)
    await renew(store, old, new)
    await store.touch({new.key: START_AT + 9})
    assert await store.get(new.key) == replace(new, last_used_at=START_AT + 9)
    found = await store.get(old.key)
    assert isinstance(found, Session)
    assert found.last_used_at == START_AT


# Families


@pytest.fixture
def fresh() -> Iterator[int]:
    """Numbers that no other example of this test has had."""
    return count()


@some_examples
@given(
    chains=st.lists(
        st.lists(st.sampled_from([0.0, 40.0, 70.0]), max_size=3), min_size=1, max_size=3
    ),
    data=st.data(),
)
async def test_a_family_ends_as_a_whole(
    store: SessionStore,
    clock: HandClock,
    fresh: Iterator[int],
    chains: list[list[float]],
    data: st.DataObject,
) -> None:
    """Whichever session of a login is ended, all of that login end, and none of another.

    Each chain is a login and the pauses before its renewals; returned are those that lived.
    """
    subject = make_subject(f"o-{next(fresh)}")
    logins: list[list[Session]] = []
    for pauses in chains:
        chain = [make_session(next(fresh), subject, created_at=clock())]
        await store.create(chain[0], None, MANY)
        for pause_s in pauses:
            clock.forward(pause_s)
            chain.append(make_successor(chain[-1], next(fresh), at=clock()))
            await renew(store, *chain[-2:])
        logins.append(chain)
    before = {one.key: await store.get(one.key) for chain in logins for one in chain}
    living = {
        key: record
        for key, record in before.items()
        if isinstance(record, Session) and record.expires_at >= clock()
    }
    key = data.draw(st.sampled_from(sorted(before)))
    mine = next(chain for chain in logins if key in {one.key for one in chain})
    expected = {one.key for one in mine if one.key in living}
    family = {one.key for one in mine}
    ended = await store.end(key, "logout")
    assert len(ended) == len(expected)
    assert set(ended) == expected
    for one, record in before.items():
        assert await store.get(one) == (Tombstone("logout") if one in family else record)


async def test_ending_a_subject_with_families(store: SessionStore, clock: HandClock) -> None:
    """All living sessions of a subject end, renewed or not."""
    first, second = make_session(1), make_session(2)
    chain = [first, make_successor(first, 11), make_successor(first, 12, at=START_AT + 70)]
    await store.create(first, None, MANY)
    await store.create(second, None, MANY)
    await renew(store, chain[0], chain[1])
    clock.forward(70)
    await renew(store, chain[1], chain[2])
    ended = await store.end_subject(ALICE, "revoked")
    assert set(ended) == {second.key, chain[1].key, chain[2].key}
    assert await store.create(make_session(3), None, 1) == ()


async def test_renewals_are_told(store: SessionStore, told: Told) -> None:
    """A renewal is told within half a second and once, and is no ending; then the endings are."""
    old = make_session(1)
    chain = [old, make_successor(old, 2), make_successor(old, 3)]
    await store.create(old, None, MANY)
    for one, other in pairwise(chain):
        await renew(store, one, other)
    await store.renew(old.key, make_successor(old, 4), b"again", START_AT + 9)
    assert await until(lambda: len(told.renewals) == 2) < 2 * BEAT_S + 0.25, "and a slow machine"
    assert told.keys == []
    await store.end(chain[1].key, "logout")
    assert await until(lambda: len(told.keys) == 3) < 2 * BEAT_S + 0.25
    assert set(told.keys) == {one.key for one in chain}
    assert told.renewals == [(one.key, other.key) for one, other in pairwise(chain)]


# Blocks


async def test_block(store: SessionStore, told: Told) -> None:
    """A blocked subject's sessions end everywhere, it cannot log in, and others can."""
    mine, others = make_session(1), make_session(2, BOB)
    new = make_successor(mine, 3)
    await store.create(mine, None, MANY)
    await store.create(others, None, MANY)
    await renew(store, mine, new)
    block = Block("abuse: 滥用 \r\n *1", START_AT + 100 + 1 / 3)
    assert set(await store.block(ALICE, block)) == {mine.key, new.key}
    assert await store.get(mine.key) == await store.get(new.key) == Tombstone(BLOCKED)
    assert await store.block_of(ALICE) == block
    with refused("user_blocked") as caught:
        await store.create(make_session(4), b"sealed", MANY)
    assert "abuse" not in caught.value.detail
    assert await store.get(make_session(4).key) is None
    assert await store.session_keys(ALICE) == ()
    assert await store.get(others.key) == others
    assert await store.block_of(BOB) is None
    await store.create(make_session(5, GUEST), None, MANY)
    await until(lambda: len(told.keys) == 2)
    assert set(told.keys) == {mine.key, new.key}


async def test_a_block_ends(store: SessionStore, clock: HandClock) -> None:
    """A block with an end is over by itself."""
    await store.block(ALICE, Block("a while", START_AT + 100))
    clock.forward(99)
    assert await store.block_of(ALICE) == Block("a while", START_AT + 100)
    clock.forward(2)
    assert await store.block_of(ALICE) is None
    assert await store.unblock(ALICE) is False
    await store.create(make_session(1), None, MANY)


async def test_a_block_for_good(store: SessionStore, clock: HandClock) -> None:
    """A block without an end lasts until it is taken away."""
    assert await store.block(ALICE, Block("", None)) == ()
    clock.forward(1e9)
    await store.purge(clock())
    assert await store.block_of(ALICE) == Block("", None)
    with refused("user_blocked"):
        await store.create(make_session(1, created_at=clock()), None, MANY)
    assert await store.unblock(ALICE) is True
    assert await store.unblock(ALICE) is False
    await store.create(make_session(1, created_at=clock()), None, MANY)


@pytest.mark.parametrize("until_at", [None, START_AT + 5, START_AT + 500])
async def test_a_later_block(store: SessionStore, clock: HandClock, until_at: float | None) -> None:
    """A block replaces the one before it, whichever lasts longer."""
    for earlier in (Block("for good", None), Block("a while", START_AT + 100)):
        await store.block(ALICE, earlier)
        await store.block(ALICE, Block("later", until_at))
        assert await store.block_of(ALICE) == Block("later", until_at)
    clock.forward(200)
    lasts = until_at is None or until_at > clock()
    assert (await store.block_of(ALICE) is not None) is lasts


async def test_block_beside_logins(store: SessionStore) -> None:
    """However a block and logins meet, no session of the subject lives on."""
    sessions = [make_session(number) for number in range(10)]
    calls = [store.create(one, None, MANY) for one in sessions]
    calls.insert(5, store.block(ALICE, Block("now", None)))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    faults = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, GatewayError) and one.code == "user_blocked" for one in faults)
    for one in sessions:
        assert not isinstance(await store.get(one.key), Session)


# Notes


@pytest.mark.parametrize("value", [b"", b"value", b"\x00\xff\r\n$-1\r\n", b"n" * MAX_NOTE_BYTES])
async def test_note(store: SessionStore, value: bytes) -> None:
    """A note is read as often as one likes, and taken once."""
    assert await store.read_note(NOTE) is None
    assert await store.keep_note(NOTE, value, START_AT + 30) is None
    assert await store.read_note(NOTE) == value
    assert await store.read_note(NOTE) == value
    assert await store.take_note(NOTE) == value
    assert await store.take_note(NOTE) is None
    assert await store.read_note(NOTE) is None


async def test_a_name_that_is_taken(store: SessionStore) -> None:
    """A living note stays as it was, and who comes second is told what it says."""
    await store.keep_note(NOTE, b"first", START_AT + 30)
    assert await store.keep_note(NOTE, b"second", START_AT + 3000) == b"first"
    assert await store.read_note(NOTE) == b"first"
    assert await store.keep_note(session_key_of("other"), b"second", START_AT + 30) is None
    assert await store.take_note(NOTE) == b"first"
    assert await store.keep_note(NOTE, b"second", START_AT + 30) is None


async def test_a_note_ends(store: SessionStore, clock: HandClock) -> None:
    """A note whose time is over is nothing: neither read, taken, replaced nor in the way."""
    await store.keep_note(NOTE, b"old", START_AT + 30)
    clock.forward(29)
    assert await store.keep_note(NOTE, b"longer", START_AT + 3000) == b"old"
    clock.forward(2)
    assert await store.read_note(NOTE) is None
    assert await store.replace_note(NOTE, b"old", b"new", clock() + 30) is False
    assert await store.keep_note(NOTE, b"new", clock() + 30) is None
    assert await store.read_note(NOTE) == b"new"
    clock.forward(31)
    assert await store.take_note(NOTE) is None


async def test_replacing_a_note(store: SessionStore, clock: HandClock) -> None:
    """Only what is known is replaced; the new note has its own end."""
    assert await store.replace_note(NOTE, b"", b"new", START_AT + 30) is False
    assert await store.read_note(NOTE) is None
    await store.keep_note(NOTE, b"old", START_AT + 30)
    assert await store.replace_note(NOTE, b"other", b"new", START_AT + 60) is False
    assert await store.read_note(NOTE) == b"old"
    assert await store.replace_note(NOTE, b"old", b"new", START_AT + 60) is True
    clock.forward(45)
    assert await store.read_note(NOTE) == b"new"
    assert await store.replace_note(NOTE, b"new", b"short", clock() + 1) is True
    clock.forward(2)
    assert await store.read_note(NOTE) is None


async def test_a_note_too_large(store: SessionStore) -> None:
    """A note over the limit is a fault of ours, not of the store."""
    await store.keep_note(NOTE, b"old", START_AT + 30)
    with pytest.raises(ValueError, match="4097"):
        await store.keep_note(session_key_of("other"), b"n" * (MAX_NOTE_BYTES + 1), START_AT + 30)
    with pytest.raises(ValueError, match="4097"):
        await store.replace_note(NOTE, b"old", b"n" * (MAX_NOTE_BYTES + 1), START_AT + 30)
    assert await store.read_note(NOTE) == b"old"


@some_examples
@given(at_once=st.integers(2, 30))
async def test_one_takes_a_note(store: SessionStore, fresh: Iterator[int], at_once: int) -> None:
    """Of many who take a note at the same time exactly one gets it."""
    name = session_key_of(f"note-{next(fresh)}")
    await store.keep_note(name, b"value", START_AT + 30)
    taken = await asyncio.gather(*(store.take_note(name) for _ in range(at_once)))
    assert taken.count(b"value") == 1
    assert taken.count(None) == at_once - 1


@some_examples
@given(at_once=st.integers(2, 30))
async def test_one_keeps_a_note(store: SessionStore, fresh: Iterator[int], at_once: int) -> None:
    """Of many who keep a note of one name exactly one does, and the others learn of its value."""
    name = session_key_of(f"note-{next(fresh)}")
    values = [b"%d" % number for number in range(at_once)]
    found = await asyncio.gather(*(store.keep_note(name, one, START_AT + 30) for one in values))
    kept = values[found.index(None)]
    assert found.count(None) == 1
    assert found.count(kept) == at_once - 1
    assert await store.read_note(name) == kept


@some_examples
@given(at_once=st.integers(2, 30))
async def test_one_replaces_a_note(store: SessionStore, fresh: Iterator[int], at_once: int) -> None:
    """Of many who replace one value exactly one does."""
    name = session_key_of(f"note-{next(fresh)}")
    await store.keep_note(name, b"old", START_AT + 30)
    values = [b"%d" % number for number in range(at_once)]
    done = await asyncio.gather(
        *(store.replace_note(name, b"old", one, START_AT + 30) for one in values)
    )
    assert done.count(True) == 1
    assert await store.read_note(name) == values[done.index(True)]


async def test_notes_are_not_sessions(store: SessionStore) -> None:
    """A note and a session of one name know nothing of each other."""
    session = make_session(1)
    await store.create(session, None, MANY)
    await store.keep_note(session.key, b"value", START_AT + 30)
    assert await store.get(session.key) == session
    assert await all_pages(store, Wanted(), 10) == [session]
    assert await store.end(session.key, "logout") == (session.key,)
    assert await store.read_note(session.key) == b"value"


# Sealing keys


async def test_sealing_keys(store: SessionStore, clock: HandClock) -> None:
    """Each is needed until the latest moment noted, exactly, and then no more."""
    assert await store.sealing_keys() == {}
    await store.note_sealing_key("a1", START_AT + 100 + 1 / 3)
    await store.note_sealing_key("b2", START_AT + 300)
    await store.note_sealing_key("a1", START_AT + 50)
    assert await store.sealing_keys() == {"a1": START_AT + 100 + 1 / 3, "b2": START_AT + 300}
    await store.note_sealing_key("a1", START_AT + 200)
    clock.forward(150)
    assert await store.sealing_keys() == {"a1": START_AT + 200, "b2": START_AT + 300}
    clock.forward(100)
    assert await store.sealing_keys() == {"b2": START_AT + 300}
    await store.note_sealing_key("a1", START_AT + 400)
    assert await store.sealing_keys() == {"a1": START_AT + 400, "b2": START_AT + 300}


async def test_forgetting_a_sealing_key(store: SessionStore) -> None:
    """One that is forgotten is needed no more, until it is noted again."""
    await store.forget_sealing_key("a1")
    await store.note_sealing_key("a1", START_AT + 100)
    await store.note_sealing_key("b2", START_AT + 100)
    await store.forget_sealing_key("a1")
    assert await store.sealing_keys() == {"b2": START_AT + 100}
    await store.note_sealing_key("a1", START_AT + 50)
    assert await store.sealing_keys() == {"a1": START_AT + 50, "b2": START_AT + 100}


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
    await store.block(BOB, Block("a while", START_AT + 1000))
    await store.keep_note(NOTE, b"value", START_AT + 1000)
    await store.note_sealing_key("a1", START_AT + 1000)
    assert await store.purge(START_AT + 1000) == 0
    assert await store.get(living.key) == living
    assert await store.get(ended.key) == Tombstone("logout")
    assert len(await store.session_keys(ALICE)) == 2
    assert await store.block_of(BOB) == Block("a while", START_AT + 1000)
    assert await store.read_note(NOTE) == b"value"
    assert await store.sealing_keys() == {"a1": START_AT + 1000}


@pytest.mark.parametrize("seconds", [1e6, -1e6])
async def test_the_clock_jumps_there_and_back(
    store: SessionStore, clock: HandClock, seconds: float
) -> None:
    """A clock that was wrong for a while: whatever lives by the right one is there and can end."""
    before = make_session(1)
    during = make_session(2, created_at=START_AT + seconds, lifetime_s=2e6)
    await store.create(before, b"sealed", MANY)
    await store.block(BOB, Block("a while", START_AT + 10))
    await store.keep_note(NOTE, b"value", START_AT + 10)
    clock.forward(seconds)
    await store.create(during, b"sealed", MANY)
    assert await store.get(during.key) == during
    clock.forward(-seconds)
    assert await store.get(before.key) == before
    assert await store.read_note(NOTE) == b"value"
    assert await store.block_of(BOB) == Block("a while", START_AT + 10)
    assert set(await store.end_subject(ALICE, "revoked")) == {before.key, during.key}
    assert await store.get(before.key) == Tombstone("revoked")


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
