"""The cache of sessions: when it answers, what it forgets, with the clock moved by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions.cache import Ages, Entry, SessionCache
from gateway.sessions.contact import Contact, Stretch
from gateway.sessions.model import Session
from gateway.sessions.token import MAX_AHEAD_S
from tests.support.sessions import START_AT, HandClock, make_session

AGES = Ages(lifetime_s=1000.0, idle_timeout_s=100.0, touch_after_s=10.0)
TRUSTED = Stretch(0.0, math.inf)


class Uses(dict[str, float]):
    """The uses noted."""


def build(
    clock: HandClock, size: int = 100, ages: Ages = AGES, uses: Uses | None = None
) -> SessionCache:
    note = (Uses() if uses is None else uses).__setitem__
    return SessionCache(size, ages, Contact(clock, 60.0, HandClock(0.0)), clock, note)


def keep(cache: SessionCache, session: Session, token: str, signed_at: float = START_AT) -> Entry:
    """Have a session cached and its token verified."""
    entry = cache.put(session, TRUSTED, 0.0)
    cache.use(entry, token, signed_at, START_AT)
    return entry


@pytest.fixture
def uses() -> Uses:
    """What was noted."""
    return Uses()


@pytest.fixture
def cache(clock: HandClock, uses: Uses) -> SessionCache:
    """A cache with room."""
    return build(clock, uses=uses)


def test_only_verified_tokens_are_known(cache: SessionCache) -> None:
    """S14: the whole token is the key; a session without one is found by no token."""
    session = make_session(1)
    cache.put(session, TRUSTED, 0.0)
    assert cache.recall("token") is None
    keep(cache, session, "token")
    assert cache.recall("token") is session
    assert cache.recall("tokem") is None
    assert cache.recall("") is None


@pytest.mark.parametrize(
    ("signed_at", "lifetime_s", "used_after_s", "after_s", "is_living", "reason"),
    [
        (0, 2000, 0, 100, True, "unused, to the last moment"),
        (0, 2000, 0, 101, False, "unused too long"),
        (0, 2000, 50, 150, True, "used in between"),
        (-950, 2000, 0, 50, True, "a token's last moment"),
        (-950, 2000, 0, 51, False, "a token that has expired, while its session lives"),
        (0, 50, 0, 50, True, "a session's last moment"),
        (0, 50, 0, 51, False, "a session that has expired, while its token lives"),
        (MAX_AHEAD_S, 2000, 0, 0, True, "dated ahead as far as clocks may differ"),
        (MAX_AHEAD_S, 2000, 0, -1, False, "our clock went back: dated too far ahead"),
    ],
)
def test_never_past_an_end(
    cache: SessionCache,
    clock: HandClock,
    signed_at: float,
    lifetime_s: float,
    used_after_s: float,
    after_s: float,
    is_living: bool,
    reason: str,
) -> None:
    """S4: an entry is good exactly as long as token, session and idle time-out are."""
    session = make_session(1, lifetime_s=lifetime_s)
    keep(cache, session, "token", START_AT + signed_at)
    clock.now = START_AT + used_after_s
    assert cache.recall("token") is session, reason
    clock.now = START_AT + after_s
    assert (cache.recall("token") is session) is is_living, reason


def test_no_idle_timeout(clock: HandClock) -> None:
    """Without an idle time-out only the ends count."""
    cache = build(clock, ages=Ages(1000.0, None, 10.0))
    keep(cache, make_session(1), "token")
    clock.forward(999)
    assert cache.recall("token") is not None


def test_uses_are_noted_now_and_then(cache: SessionCache, clock: HandClock, uses: Uses) -> None:
    """A use is noted when the last one is `touch_after` old, and not before."""
    session = make_session(1)
    keep(cache, session, "token")
    clock.forward(9.75)
    cache.recall("token")
    assert uses == {}
    clock.forward(0.25)
    cache.recall("token")
    assert uses == {session.key: START_AT + 10}
    clock.forward(9.75)
    cache.recall("token")
    assert uses == {session.key: START_AT + 10}


def test_distrusted(cache: SessionCache, clock: HandClock) -> None:
    """What belongs to a stretch that is over is not used, by token or by key, but stays."""
    session = make_session(1)
    stretch = Stretch(0.0, START_AT)
    entry = cache.put(session, stretch, 0.0)
    cache.use(entry, "token", START_AT, START_AT)
    assert cache.recall("token") is session
    assert cache.get(session.key) is entry
    clock.forward(0.25)
    assert cache.recall("token") is None
    assert cache.get(session.key) is None
    assert cache.peek(session.key) is entry


def test_looked_up_again(cache: SessionCache, clock: HandClock) -> None:
    """A new answer of the store makes the same entry good again, for its token too."""
    session = make_session(1)
    entry = cache.put(session, Stretch(0.0), 0.0)
    cache.use(entry, "token", START_AT, START_AT)
    assert cache.recall("token") is None
    again = make_session(1)
    assert cache.put(again, TRUSTED, START_AT + 5) is entry
    assert cache.recall("token") is again
    assert entry.last_used_at == START_AT + 5
    assert len(cache) == 1


def test_grace(clock: HandClock) -> None:
    """While the store is away, what is not believed any more goes on."""
    contact = Contact(clock, 60.0, HandClock(0.0))
    cache = SessionCache(10, AGES, contact, clock, Uses().__setitem__)
    entry = cache.put(make_session(1), contact.stretch_of_a_lookup(), 0.0)
    cache.use(entry, "token", START_AT, START_AT)
    assert cache.recall("token") is None
    contact.failed()
    assert cache.recall("token") is entry.session
    assert cache.get(entry.session.key) is entry


def test_by_key_the_session_counts(cache: SessionCache, clock: HandClock) -> None:
    """An entry whose last token has expired serves a younger token of the same session."""
    session = make_session(1, lifetime_s=2000)
    entry = keep(cache, session, "old", START_AT - 999)
    clock.forward(5)
    assert cache.recall("old") is None
    assert cache.get(session.key) is entry
    cache.use(entry, "young", START_AT, clock())
    assert cache.recall("young") is session
    assert cache.recall("old") is None


def test_dropped(cache: SessionCache) -> None:
    """S14: an ended session is gone by token and by key, and who holds its entry sees so."""
    session = make_session(1)
    entry = keep(cache, session, "token")
    cache.drop(session.key)
    cache.drop(session.key)
    assert entry.has_ended
    assert cache.recall("token") is None
    assert cache.peek(session.key) is None
    cache.use(entry, "token", START_AT, START_AT)
    assert cache.recall("token") is None, "a late use brings nothing back"


def test_off(clock: HandClock, uses: Uses) -> None:
    """A size of 0 keeps nothing, and uses are noted all the same."""
    cache = build(clock, 0, uses=uses)
    session = make_session(1)
    clock.forward(10)
    entry = cache.put(session, TRUSTED, 0.0)
    cache.use(entry, "token", START_AT, clock())
    assert len(cache) == 0
    assert cache.recall("token") is None
    assert uses == {session.key: clock()}


def test_the_unused_go_first(clock: HandClock) -> None:
    """A wave of sessions seen once does not push out those in use."""
    cache = build(clock, 10)
    regulars = [keep(cache, make_session(number), f"t{number}") for number in range(5)]
    for number in range(100, 1000):
        cache.put(make_session(number), TRUSTED, 0.0)
        for regular in regulars:
            assert regular.token is not None
            assert cache.recall(regular.token) is regular.session
    assert len(cache) == 10


def test_a_place_is_found_though_all_are_used(clock: HandClock) -> None:
    """The hand gives up after some steps, so that one request does not pay for all."""
    cache = build(clock, 100)
    for number in range(100):
        keep(cache, make_session(number), f"t{number}")
    keep(cache, make_session(100), "t100")
    assert len(cache) == 100
    assert cache.recall("t100") is not None
    assert cache.recall("t16") is None, "the sixteen before it were spared"
    assert cache.recall("t15") is not None


def test_room_of_the_ended(clock: HandClock) -> None:
    """The place of a session that has ended is taken before one of the living."""
    cache = build(clock, 3)
    for number in range(3):
        keep(cache, make_session(number), f"t{number}")
    cache.drop(make_session(0).key)
    keep(cache, make_session(3), "t3")
    assert [cache.recall(f"t{number}") is None for number in range(4)] == [True, *[False] * 3]


def test_forgotten_is_not_ended(cache: SessionCache) -> None:
    """What is no longer true of a session is forgotten; whoever holds it sees no ending."""
    entry = keep(cache, make_session(1), "token")
    keep(cache, make_session(2), "other")
    cache.forget(make_session(1).key)
    cache.forget("unknown")
    assert not entry.has_ended
    assert cache.recall("token") is None
    assert cache.peek(make_session(1).key) is None
    assert cache.sessions() == [make_session(2)]


STEPS = st.lists(
    st.tuples(st.sampled_from(["login", "use", "drop", "wait"]), st.integers(0, 12)), max_size=80
)


@given(st.integers(0, 5), STEPS)
def test_bounds(size: int, steps: list[tuple[str, int]]) -> None:
    """Whatever happens: never more than `size`, in no part of it, and only true answers."""
    clock = HandClock()
    cache = build(clock, size)
    ended: set[int] = set()
    for what, number in steps:
        session = make_session(number, lifetime_s=60)
        if what == "login" and number not in ended:
            entry = cache.put(session, TRUSTED, 0.0)
            cache.use(entry, f"t{number}-{len(cache)}", START_AT, clock())
        elif what == "use":
            for token in (f"t{number}-{count}" for count in range(7)):
                found = cache.recall(token)
                assert found is None or found == session
                assert found is None or (number not in ended and clock() <= START_AT + 60)
        elif what == "drop":
            ended.add(number)
            cache.drop(session.key)
        elif what == "wait":
            clock.forward(number)
        for part in (cache._by_key, cache._by_token, cache._ring):
            assert len(part) <= size
        assert set(cache._by_token.values()) <= set(cache._by_key.values())
