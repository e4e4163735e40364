"""Questions to the store: asked once, in turn, and never about what is known to be dead."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.sessions import lookups as lookups_module
from gateway.sessions.cache import Ages, Entry, SessionCache
from gateway.sessions.contact import Contact
from gateway.sessions.lookups import AT_ONCE, DEAD_S, MAX_DEAD, Found, Lookups
from gateway.sessions.standing import Standing
from gateway.sessions.store import Tombstone
from gateway.sessions.token import session_key_of
from gateway.sessions.upkeep import LastUses
from tests.support.endings import HeldStore, until
from tests.support.sessions import START_AT, HandClock, make_session

SESSION = make_session(1)
MANY = 1000


class Parts:
    """Lookups over a real store that can be held up, and all they touch."""

    def __init__(self, store: HeldStore, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.steady = HandClock(500.0)
        self.contact = Contact(clock, 60.0, self.steady)
        self.uses = LastUses()
        self.cache = SessionCache(100, Ages(1e6, None, 60.0), self.contact, clock, self.uses.note)
        self.dead: list[str] = []
        self.standing = Standing(clock, self.steady)
        self.lookups = Lookups(
            *(store, self.cache, self.contact, self.uses, self.standing, self.dead.append),
            monotonic=self.steady,
        )

    def ask(self, key: str = SESSION.key) -> "asyncio.Task[Found]":
        return asyncio.create_task(self.lookups.get(key))


@pytest.fixture
async def parts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Parts]:
    """Everything, over an open store."""
    parts = Parts(HeldStore(tmp_path / "gateway.db", clock), clock)
    await parts.store.open()
    yield parts
    await parts.lookups.close()
    await parts.store.close()


async def code_of(task: "asyncio.Task[Found]") -> str:
    with pytest.raises(GatewayError) as caught:
        await task
    return caught.value.code


async def test_found_and_kept(parts: Parts) -> None:
    """A living session is found, and put in the cache."""
    await parts.store.create(SESSION, None, MANY)
    entry = await parts.lookups.get(SESSION.key)
    assert isinstance(entry, Entry)
    assert entry.session == SESSION
    assert parts.cache.peek(SESSION.key) is entry
    assert parts.dead == []


async def test_many_who_ask_make_one_question(parts: Parts) -> None:
    """Those who ask for one key at the same time get one answer, asked for once."""
    await parts.store.create(SESSION, None, MANY)
    parts.store.gate = asyncio.Event()
    tasks = [parts.ask() for _ in range(100)]
    await until(lambda: parts.store.asked)
    parts.store.gate.set()
    answers = await asyncio.gather(*tasks)
    assert parts.store.asked == 1
    assert all(answer is answers[0] for answer in answers)


async def test_a_fault_is_told_to_each(parts: Parts) -> None:
    """Each waiter gets an error of its own; the next question is asked again."""
    parts.store.is_away = True
    tasks = [parts.ask() for _ in range(3)]
    await asyncio.wait(tasks)
    assert parts.store.asked == 1
    errors = [task.exception() for task in tasks]
    assert len({id(error) for error in errors}) == 3
    assert {getattr(error, "code", None) for error in errors} == {"store_unavailable"}
    parts.store.is_away = False
    assert await parts.lookups.get(SESSION.key) is None
    assert parts.store.asked == 2


async def test_who_goes_away_harms_nobody(parts: Parts) -> None:
    """The first to ask may be cancelled: the question goes on, for the others and the cache."""
    await parts.store.create(SESSION, None, MANY)
    parts.store.gate = asyncio.Event()
    first, second = parts.ask(), parts.ask()
    await until(lambda: parts.store.asked)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    parts.store.gate.set()
    assert isinstance(await second, Entry)
    assert parts.store.asked == 1


async def test_all_go_away(parts: Parts) -> None:
    """Where nobody waits any more the answer is kept, and a fault is no noise."""
    await parts.store.create(SESSION, None, MANY)
    for is_away in (False, True):
        parts.store.gate, parts.store.is_away = asyncio.Event(), is_away
        task = parts.ask()
        await until(lambda: parts.store.at_once)
        task.cancel()
        await asyncio.wait([task])
        parts.store.gate.set()
        await until(lambda: not parts.store.at_once)
    assert parts.cache.peek(SESSION.key) is not None


@pytest.mark.parametrize(
    ("is_ended", "found"), [(False, None), (True, Tombstone("logout"))], ids=["unknown", "ended"]
)
async def test_the_dead_are_not_asked_for_again(parts: Parts, is_ended: bool, found: Found) -> None:
    """A dead token in a loop reaches the store once in `DEAD_S`."""
    if is_ended:
        await parts.store.create(SESSION, None, MANY)
        await parts.store.end(SESSION.key, "logout")
    for _ in range(100):
        assert await parts.lookups.get(SESSION.key) == found
    assert parts.store.asked == 1
    assert parts.dead == [SESSION.key]
    parts.steady.forward(DEAD_S)
    assert await parts.lookups.get(SESSION.key) == found
    assert parts.store.asked == 2


async def test_a_question_sent_from_now_on(parts: Parts) -> None:
    """An answer under way may be older than an ending that nobody told: it is not taken."""
    await parts.store.create(SESSION, None, MANY)
    parts.store.gate = asyncio.Event()
    earlier = parts.ask()
    await until(lambda: parts.store.asked)
    await asyncio.sleep(0.05)  # the store has read it; only the answer is held up
    await parts.store.end(SESSION.key, "logout")
    anew = [asyncio.create_task(parts.lookups.get_anew(SESSION.key)) for _ in range(100)]
    await asyncio.sleep(0)
    parts.store.gate.set()
    assert isinstance(await earlier, Entry)
    assert set(await asyncio.gather(*anew)) == {Tombstone("logout")}
    assert parts.store.asked == 2
    assert parts.dead == [SESSION.key]


async def test_who_asks_anew_and_goes_away_harms_nobody(parts: Parts) -> None:
    """The question under way goes on for who sent it."""
    await parts.store.create(SESSION, None, MANY)
    parts.store.gate = asyncio.Event()
    earlier = parts.ask()
    await until(lambda: parts.store.asked)
    anew = asyncio.create_task(parts.lookups.get_anew(SESSION.key))
    await asyncio.sleep(0)
    anew.cancel()
    await asyncio.wait([anew])
    parts.store.gate.set()
    assert isinstance(await earlier, Entry)
    assert parts.store.asked == 1


async def test_what_is_remembered_of_the_dead_is_no_answer_anew(parts: Parts) -> None:
    """One that was remembered as unused too long may have been ended since."""
    await parts.store.create(SESSION, None, MANY)
    await parts.store.end(SESSION.key, "logout")
    parts.lookups.remember_dead(SESSION.key, None)
    assert await parts.lookups.get_anew(SESSION.key) == Tombstone("logout")
    assert parts.dead == [SESSION.key]


async def test_an_ending_wins_over_an_older_answer(parts: Parts) -> None:
    """An answer that was read before the ending and comes after it revives nothing."""
    await parts.store.create(SESSION, None, MANY)
    parts.store.gate = asyncio.Event()
    task = parts.ask()
    await until(lambda: parts.store.asked)
    await asyncio.sleep(0.05)  # the store has read it; only the answer is held up
    await parts.store.end(SESSION.key, "logout")
    parts.lookups.spoil(SESSION.key)
    parts.store.gate.set()
    assert isinstance(await task, Tombstone)
    assert parts.cache.peek(SESSION.key) is None


async def test_an_ending_spoils_one_answer_only(parts: Parts) -> None:
    """What is told while nothing is asked leaves no trace."""
    await parts.store.create(SESSION, None, MANY)
    parts.lookups.spoil(SESSION.key)
    assert isinstance(await parts.lookups.get(SESSION.key), Entry)


async def test_an_ending_is_told_of_the_dead_too(parts: Parts) -> None:
    """What is remembered of a session unused too long gives way to its ending."""
    parts.lookups.remember_dead(SESSION.key, None)
    parts.lookups.spoil(SESSION.key)
    await parts.store.create(SESSION, None, MANY)
    assert isinstance(await parts.lookups.get(SESSION.key), Entry)


async def test_the_stretch_is_that_of_the_question(parts: Parts) -> None:
    """An answer belongs to the time it was asked in: a loss meanwhile makes it doubtful."""
    await parts.store.create(SESSION, None, MANY)
    parts.contact.heard(0)
    parts.store.gate = asyncio.Event()
    task = parts.ask()
    await until(lambda: parts.store.asked)
    parts.contact.lost()
    parts.contact.heard(0)
    parts.store.gate.set()
    entry = await task
    assert isinstance(entry, Entry)
    assert entry.stretch is not parts.contact.stretch_of_a_lookup()
    parts.contact.close()


async def test_the_latest_use_counts(parts: Parts) -> None:
    """A use noted and written while the question was under way is not overlooked."""
    await parts.store.create(SESSION, None, MANY)
    parts.uses.note(SESSION.key, START_AT + 7)
    parts.store.gate = asyncio.Event()
    task = parts.ask()
    await until(lambda: parts.store.asked)
    parts.uses.written(parts.uses.batch())
    parts.store.gate.set()
    entry = await task
    assert isinstance(entry, Entry)
    assert entry.last_used_at == START_AT + 7


async def test_the_store_is_known_to_be_away(parts: Parts) -> None:
    """A question that failed, or was answered, says whether the store is there."""
    stretch = parts.contact.stretch_of_a_lookup()
    parts.store.is_away = True
    assert await code_of(parts.ask()) == "store_unavailable"
    assert parts.contact.goes_on(stretch, SESSION.key)
    parts.store.is_away = False
    await parts.lookups.get(SESSION.key)
    assert not parts.contact.goes_on(stretch, SESSION.key)


async def test_no_stampede(parts: Parts) -> None:
    """Many keys at once are asked for in turn."""
    parts.store.gate = asyncio.Event()
    tasks = [parts.ask(session_key_of(f"{number}")) for number in range(200)]
    await until(lambda: parts.store.asked)
    await asyncio.sleep(0.05)
    assert parts.store.asked == AT_ONCE
    parts.store.gate.set()
    assert await asyncio.gather(*tasks) == [None] * 200
    assert parts.store.asked == 200
    assert parts.store.most_at_once == AT_ONCE


async def test_whose_turn_does_not_come(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is too long is `store_unavailable`, and says nothing about the store."""
    monkeypatch.setattr(lookups_module, "STORE_TIMEOUT_S", 0.1)
    stretch = parts.contact.stretch_of_a_lookup()
    parts.store.gate = asyncio.Event()
    tasks = [parts.ask(session_key_of(f"{number}")) for number in range(AT_ONCE + 1)]
    assert await code_of(tasks[-1]) == "store_unavailable"
    assert not parts.contact.goes_on(stretch, SESSION.key)
    parts.store.gate.set()
    await asyncio.gather(*tasks[:-1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60))
def test_the_dead_are_bounded(numbers: list[int]) -> None:
    """However many dead sessions are asked for, only the latest are remembered."""

    async def check() -> None:
        parts = Parts(HeldStore(Path("unopened"), HandClock()), HandClock())
        for number in range(MAX_DEAD):
            parts.lookups.remember_dead(f"old-{number}", None)
        for number in numbers:
            parts.lookups.remember_dead(f"new-{number}", None)
        assert len(parts.lookups._dead) == MAX_DEAD
        for number in numbers:
            assert await parts.lookups.get(f"new-{number}") is None

    asyncio.run(check())


async def test_what_has_ended_here_is_not_asked_for(parts: Parts) -> None:
    """By its key; by its origin or its subject it is found out when the store answers."""
    await parts.store.create(SESSION, None, MANY)
    parts.standing.add(SESSION.key, "logout")
    assert await parts.lookups.get(SESSION.key) == Tombstone("revoked")
    assert await parts.lookups.get_anew(SESSION.key) == Tombstone("revoked")
    assert parts.store.asked == 0
    parts.standing.confirm(SESSION.key)
    parts.standing.add(SESSION.subject, "revoked")
    assert await parts.lookups.get(SESSION.key) == Tombstone("revoked")
    assert parts.store.asked == 1
    assert parts.cache.peek(SESSION.key) is None
    assert parts.dead == [SESSION.key]


async def test_an_outdated_answer_is_asked_for_again(parts: Parts) -> None:
    """An answer that was under way when it changed; what changed before is no matter to it."""
    await parts.store.create(SESSION, None, MANY)
    parts.lookups.outdate(SESSION.key)
    parts.store.gate = asyncio.Event()
    task = parts.ask()
    await until(lambda: parts.store.asked)
    parts.lookups.outdate(SESSION.key)
    parts.store.gate.set()
    assert isinstance(await task, Entry)
    assert parts.store.asked == 2


async def test_the_dead_may_be_outdated(parts: Parts) -> None:
    """A store that was behind may have said "unknown" of a session that lives."""
    assert await parts.lookups.get(SESSION.key) is None
    await parts.store.create(SESSION, None, MANY)
    parts.lookups.outdate(SESSION.key)
    assert isinstance(await parts.lookups.get(SESSION.key), Entry)
