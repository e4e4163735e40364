"""Endings that stand: what is refused for them, and what is said again."""

from dataclasses import replace

import pytest

from gateway.sessions.standing import MAX_WAITING, RECENT_S, Standing
from gateway.sessions.token import MAX_AHEAD_S
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

ALICE = make_subject("o-alice")
FIRST = make_session(1, ALICE)
SECOND = replace(make_session(2, ALICE), origin=FIRST.key)
OTHER = make_session(3, ALICE)


class Parts:
    """Standing endings, and both clocks."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.steady = HandClock(0.0)
        self.standing = Standing(self.clock, self.steady)

    def waiting(self) -> list[object]:
        """What waits, in its order."""
        found: list[object] = []
        while (first := self.standing.first()) is not None and first[0] not in found:
            found.append(first[0])
            self.standing.postpone(first[0])
        return found


def test_nothing_stands() -> None:
    """Nobody is refused."""
    standing = Parts().standing
    assert not standing.refuses(FIRST)
    assert not standing.refuses_key(FIRST.key)
    assert standing.first() is None
    assert len(standing) == 0


def test_a_session_and_what_came_of_it() -> None:
    """A key refuses its own session, and as an origin its successors; nobody else's."""
    standing = Parts().standing
    standing.add(FIRST.key, "logout")
    assert standing.refuses_key(FIRST.key)
    assert standing.refuses(FIRST)
    assert standing.refuses(SECOND)
    assert not standing.refuses(OTHER)
    assert not standing.refuses_key(SECOND.key)
    assert standing.first() == (FIRST.key, "logout")


def test_a_subject_s_sessions_up_to_now() -> None:
    """A later login is not meant, but one from a machine whose clock is ahead."""
    parts = Parts()
    parts.standing.add(ALICE, "revoked")
    assert parts.standing.refuses(FIRST)
    assert not parts.standing.refuses(make_session(4, make_subject("o-bob")))
    assert parts.standing.refuses(make_session(5, ALICE, created_at=START_AT + MAX_AHEAD_S))
    assert not parts.standing.refuses(make_session(6, ALICE, created_at=START_AT + MAX_AHEAD_S + 1))


def test_confirmed() -> None:
    """The store answers for it from then on."""
    standing = Parts().standing
    standing.add(FIRST.key, "logout")
    standing.add(ALICE, "revoked")
    standing.confirm(FIRST.key)
    standing.confirm(ALICE)
    standing.confirm("unknown")
    assert len(standing) == 0
    assert not standing.refuses(FIRST)


def test_the_first_word_counts() -> None:
    """Said twice, the reason and the moment are those of the first time."""
    parts = Parts()
    parts.standing.add(ALICE, "blocked")
    parts.clock.forward(10)
    parts.standing.add(ALICE, "revoked")
    assert parts.standing.first() == (ALICE, "blocked")
    later = make_session(5, ALICE, created_at=START_AT + MAX_AHEAD_S + 5)
    assert not parts.standing.refuses(later)


def test_a_subject_becomes_its_sessions() -> None:
    """Once they are known, nobody who logs in later can be hit."""
    parts = Parts()
    parts.standing.add(ALICE, "revoked")
    parts.standing.replace(ALICE, [FIRST.key, OTHER.key])
    parts.standing.replace(make_subject("o-bob"), ["never"])
    assert parts.waiting() == [FIRST.key, OTHER.key]
    assert not parts.standing.refuses(make_session(4, ALICE))


def test_postponed() -> None:
    """One goes behind the others; one that is gone does not come back."""
    parts = Parts()
    parts.standing.add("a", "logout")
    parts.standing.add("b", "logout")
    parts.standing.postpone("a")
    parts.standing.postpone("gone")
    assert parts.waiting() == ["b", "a"]


def test_recent_endings_wait_again() -> None:
    """Those of the last minute, noted or confirmed; repeating one makes it no younger."""
    parts = Parts()
    parts.standing.note(["old"], "logout")
    parts.steady.forward(RECENT_S / 2)
    parts.standing.note(["old", "new"], "revoked")
    parts.standing.add("unsure", "logout")
    parts.standing.confirm("unsure")
    parts.steady.forward(RECENT_S / 2 + 1)
    assert len(parts.standing) == 0
    parts.standing.doubt_recent()
    assert parts.waiting() == ["new", "unsure"]
    for key in ("new", "unsure"):
        parts.standing.confirm(key)
    parts.steady.forward(RECENT_S + 1)
    parts.standing.doubt_recent()
    assert parts.waiting() == []


def test_confirmed_again_later() -> None:
    """An ending is recent from the moment at which the store has last confirmed it."""
    parts = Parts()
    parts.standing.note(["again"], "logout")
    parts.steady.forward(RECENT_S - 10)
    parts.standing.doubt_recent()
    parts.steady.forward(20)
    parts.standing.confirm("again")
    assert parts.waiting() == []
    parts.steady.forward(RECENT_S)
    parts.standing.doubt_recent()
    assert parts.waiting() == ["again"]


def test_recent_ones_only_fill_the_room() -> None:
    """The youngest wait again; none that the store has never confirmed goes for them."""
    parts = Parts()
    parts.standing.note([f"r{number}" for number in range(100)], "logout")
    for number in range(MAX_WAITING - 2):
        parts.standing.add(f"w{number}", "revoked")
    for _ in range(2):
        parts.standing.doubt_recent()
        assert all(parts.standing.refuses_key(f"w{n}") for n in range(MAX_WAITING - 2))
        assert parts.waiting()[-2:] == ["r98", "r99"]
        assert len(parts.standing) == MAX_WAITING


def test_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells of the first that is given up, then of each thousandth."""
    parts = Parts()
    for number in range(MAX_WAITING + 1001):
        parts.standing.add(str(number), "logout")
    assert caplog.messages == [
        f"{count} endings of sessions are given up unconfirmed: more than 10000 wait"
        for count in (1, 1001)
    ]


def test_bounded() -> None:
    """The oldest go first, of those that wait and of the recent ones."""
    parts = Parts()
    for number in range(MAX_WAITING + 1):
        parts.standing.add(f"w{number}", "logout")
        parts.standing.note([f"r{number}"], "logout")
    assert len(parts.standing) == MAX_WAITING
    assert not parts.standing.refuses_key("w0")
    assert parts.standing.refuses_key(f"w{MAX_WAITING}")
    assert len(parts.standing._recent) == MAX_WAITING
