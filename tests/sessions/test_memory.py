"""What a process knows of sessions: when an answer from memory is as good as the store's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.cache import Ages
from gateway.sessions.lookups import DEAD_S
from gateway.sessions.memory import CachePolicy, SessionMemory
from gateway.sessions.model import Session
from gateway.sessions.standing import Standing
from gateway.sessions.upkeep import LastUses
from tests.support.endings import HeldStore, until
from tests.support.sessions import START_AT, HandClock, make_session

SESSION = make_session(1)
SECOND = replace(make_session(2), origin=SESSION.key)
THIRD = replace(make_session(3), origin=SESSION.key)
GRACE_S = 60.0
AGES = Ages(lifetime_s=2000.0, idle_timeout_s=500.0, touch_after_s=10.0)


class Parts:
    """A memory over a real store; its feed is started by the test."""

    def __init__(self, path: Path, clock: HandClock, size: int = 100) -> None:
        self.clock = clock
        self.steady = HandClock(0.0)
        self.store = HeldStore(path, clock)
        self.standing = Standing(clock, self.steady)
        uses = LastUses()
        policy = CachePolicy(size, GRACE_S)
        self.memory = SessionMemory(
            self.store, clock, policy, AGES, uses, uses.note, self.standing, self.steady
        )
        self.ended: list[str] = []
        self.memory.on_ended(self.ended.append)
        self.renewals: list[tuple[str, str]] = []
        self.memory.on_renewed(lambda key, successor: self.renewals.append((key, successor)))
        self.found: list[Session] = []
        self.memory.on_found(self.found.append)

    async def use(self) -> None:
        entry = await self.memory.find(SESSION.key, self.clock())
        assert entry.session == SESSION
        self.memory.use(entry, "token", START_AT, self.clock())

    async def renew(self, session: Session = SESSION, successor: Session = SECOND) -> None:
        """Renew a session as another process does; it goes on for ten seconds."""
        until = self.clock() + 10
        assert await self.store.renew(session.key, successor, b"id", until) == b"id"

    async def code(self) -> str:
        with pytest.raises(GatewayError) as caught:
            await self.use()
        return caught.value.code


@asynccontextmanager
async def opened(parts: Parts) -> AsyncIterator[Parts]:
    await parts.store.open()
    await parts.store.create(SESSION, None, 10)
    yield parts
    await parts.memory.stop()
    await parts.store.close()


@pytest.fixture
async def parts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Parts]:
    """A memory that is not following yet, and a session in its store."""
    async with opened(Parts(tmp_path / "gateway.db", clock)) as parts:
        yield parts


@pytest.fixture
async def following(parts: Parts) -> Parts:
    """The same, following."""
    parts.memory.start()
    await until(lambda: parts.memory.is_following)
    return parts


async def test_the_store_is_asked_once(following: Parts) -> None:
    """A session that is followed is asked for once; after that its token is enough."""
    for _ in range(10):
        await following.use()
    assert following.memory.recall("token") == SESSION
    assert following.store.asked == 1


async def test_without_a_feed_each_use_is_asked(parts: Parts) -> None:
    """Where endings are not told, memory is not trusted."""
    for _ in range(3):
        await parts.use()
        assert parts.memory.recall("token") is None
    assert parts.store.asked == 3


async def test_off(tmp_path: Path, clock: HandClock) -> None:
    """With a size of 0 each use is asked of the store."""
    async with opened(Parts(tmp_path / "gateway.db", clock, 0)) as parts:
        parts.memory.start()
        await until(lambda: parts.memory.is_following)
        await parts.use()
        await parts.use()
        assert parts.store.asked == 2
        parts.store.is_away = True
        assert await parts.code() == "store_unavailable"


async def test_an_ending_made_here_counts_at_once(following: Parts) -> None:
    """What was ended here is not waited for, and is told."""
    await following.use()
    await following.store.end(SESSION.key, "logout")
    following.memory.ended(SESSION.key)
    assert following.memory.recall("token") is None
    assert following.ended == [SESSION.key]
    assert await following.code() == "session_revoked"


async def test_an_ending_made_elsewhere(following: Parts) -> None:
    """What was ended by another is dropped and told when the store tells it."""
    await following.use()
    await following.store.end(SESSION.key, "logout")
    await until(lambda: following.ended)
    assert following.memory.recall("token") is None
    assert await following.code() == "session_revoked"


async def test_an_ending_that_was_missed(parts: Parts) -> None:
    """What is found to have ended when it is asked for is told as well."""
    await parts.use()
    await parts.store.end(SESSION.key, "logout")
    assert await parts.code() == "session_revoked"
    assert parts.ended == [SESSION.key]
    assert await parts.code() == "session_revoked"
    assert parts.ended == [SESSION.key]


async def test_what_is_open_is_asked_for(parts: Parts) -> None:
    """A session that is open without being used, and whose ending was missed, is found out."""
    await parts.use()
    await parts.store.end(SESSION.key, "logout")
    parts.memory.watch(lambda: [SESSION.key])
    parts.memory.watch(list)
    parts.memory.start()
    await until(lambda: parts.ended)
    assert parts.ended == [SESSION.key]


async def test_what_has_just_been_opened_is_asked_for(following: Parts) -> None:
    """Once; a living session stays as it is, one whose ending was missed is told."""
    await following.use()
    asked = following.store.asked
    following.memory.confirm(SESSION.key)
    await until(lambda: following.store.asked == asked + 1)
    assert following.memory.recall("token") is not None
    assert following.ended == []
    following.memory.confirm("unknown")
    await until(lambda: following.ended)
    assert following.ended == ["unknown"]
    assert following.store.asked == asked + 2


async def test_after_the_end_nothing_is_asked_for(parts: Parts) -> None:
    """A question that comes while the gateway closes is not sent."""
    await parts.memory.stop()
    parts.memory.confirm(SESSION.key)
    await parts.memory.stop()
    assert parts.store.asked == 0


async def test_doubt(following: Parts) -> None:
    """A session in doubt is asked for, and lives on if it lives."""
    await following.use()
    following.memory.doubt(SESSION.key)
    assert following.memory.recall("token") is None
    assert following.ended == []
    await following.use()
    assert following.store.asked == 2


async def test_unused_too_long(following: Parts) -> None:
    """Perhaps it was used elsewhere: the store is asked, but not for every request."""
    await following.use()
    following.clock.forward(501)
    assert following.memory.recall("token") is None
    for _ in range(10):
        assert await following.code() == "session_expired"
    assert following.store.asked == 2
    await following.store.touch({SESSION.key: following.clock() - 1})
    following.steady.forward(DEAD_S)
    entry = await following.memory.find(SESSION.key, following.clock())
    assert entry.last_used_at == following.clock() - 1


async def test_expired(parts: Parts) -> None:
    """A session past its end is refused, though the store still has it."""
    parts.clock.forward(1001)
    assert await parts.code() == "session_expired"


async def test_the_store_is_away(parts: Parts) -> None:
    """What is known goes on for `grace`, first by a question that fails, then without any."""
    await parts.use()
    parts.store.is_away = True
    await parts.use()
    assert parts.store.asked == 2
    parts.steady.forward(GRACE_S)
    assert parts.memory.recall("token") == SESSION
    await parts.use()
    assert parts.store.asked == 2
    parts.steady.forward(1)
    assert parts.memory.recall("token") is None
    assert await parts.code() == "store_unavailable"


async def test_grace_is_for_what_is_good(parts: Parts) -> None:
    """While the store is away nobody is logged out: what is unknown or doubtful has to wait."""
    parts.store.is_away = True
    assert await parts.code() == "store_unavailable", "unknown"
    parts.store.is_away = False
    await parts.use()
    parts.store.is_away = True
    parts.clock.forward(501)
    assert await parts.code() == "store_unavailable", "unused too long, as far as known here"


async def test_no_grace_for_what_ended_meanwhile(parts: Parts) -> None:
    """An ending that was told while the store did not answer is not overlooked."""
    await parts.use()
    entry = await parts.memory.find(SESSION.key, parts.clock())
    parts.memory.ended(SESSION.key)
    assert not parts.memory._may_go_on(entry)


async def test_the_store_returns(parts: Parts) -> None:
    """After grace everything is asked for again, and is good again."""
    await parts.use()
    parts.store.is_away = True
    await parts.use()
    parts.store.is_away = False
    parts.memory.start()
    await until(lambda: parts.memory.is_following)
    assert parts.memory.recall("token") is None
    await parts.use()
    assert parts.memory.recall("token") == SESSION
    assert parts.store.asked == 3


# Renewals


async def test_a_renewal_made_elsewhere(following: Parts) -> None:
    """The old session is asked for again: it ends sooner than was known."""
    await following.use()
    await following.renew()
    await until(lambda: following.renewals)
    assert following.renewals == [(SESSION.key, SECOND.key)]
    assert following.memory.recall("token") is None
    entry = await following.memory.find(SESSION.key, following.clock())
    assert entry.session.successor == SECOND.key
    assert entry.session.expires_at == following.clock() + 10
    assert following.ended == []


async def test_a_renewal_told_twice(following: Parts) -> None:
    """What is known already is not forgotten again: it would be missed if the store went away."""
    await following.renew()
    await until(lambda: following.renewals)
    await following.memory.find(SESSION.key, following.clock())
    asked = following.store.asked
    following.memory.renewed(SESSION.key, SECOND.key)
    await following.memory.find(SESSION.key, following.clock())
    assert following.store.asked == asked
    assert len(following.renewals) == 2


async def test_a_renewal_while_the_session_is_looked_up(following: Parts) -> None:
    """An answer that is older than the renewal does not undo it: it is asked again."""
    following.store.gate = asyncio.Event()
    finding = asyncio.create_task(following.memory.find(SESSION.key, following.clock()))
    await until(lambda: following.store.asked == 1)
    await asyncio.sleep(0.05)  # the store has read it; only the answer is held up
    await following.renew()
    await until(lambda: following.renewals)
    following.store.gate.set()
    assert (await finding).session.successor == SECOND.key
    assert following.store.asked == 2


async def test_what_is_open_and_was_renewed_unheard(parts: Parts) -> None:
    """After a loss a renewal is found by asking, and so on along a chain; the last is told."""
    await parts.use()
    await parts.renew()
    await parts.renew(SECOND, THIRD)
    open_keys = [SESSION.key]

    def follow(key: str, successor: str) -> None:
        assert key in open_keys
        open_keys[:] = [successor]
        parts.memory.confirm(successor)

    parts.memory.on_renewed(follow)
    parts.memory.watch(lambda: open_keys)
    parts.memory.start()
    await until(lambda: parts.found)
    assert parts.renewals == [(SESSION.key, SECOND.key), (SECOND.key, THIRD.key)]
    assert parts.found == [THIRD]
    assert parts.ended == []


async def test_out_of_grace_is_told(parts: Parts) -> None:
    """Once the store is away for longer than `grace`; a closed store answers nothing."""
    told: list[bool] = []
    parts.memory.on_out_of_grace(lambda: told.append(parts.memory.is_out_of_grace))
    await parts.store.close()
    parts.memory.start()
    await until(lambda: parts.memory._feed._failures)
    assert not told
    parts.steady.forward(GRACE_S + 1)
    await until(lambda: told)
    assert told[0] is True


async def test_a_new_stretch_is_told(parts: Parts) -> None:
    """To whoever has something to do then."""
    told: list[int] = []
    parts.memory.on_new_stretch(lambda: told.append(1))
    parts.memory.start()
    await until(lambda: told)


# A family, and what has ended here


async def test_the_family_that_is_known(following: Parts) -> None:
    """By renewals that were told, and by what is remembered of a session."""
    assert following.memory.family_of(SECOND.key) == {SECOND.key}
    await following.renew()
    await following.memory.find(SECOND.key, following.clock())
    await until(lambda: following.renewals)
    assert following.memory.family_of(SECOND.key) == {SESSION.key, SECOND.key}
    following.memory.renewed(SECOND.key, THIRD.key)
    assert following.memory.family_of(SESSION.key) == {SESSION.key, SECOND.key, THIRD.key}


async def test_what_has_ended_here_is_refused(following: Parts) -> None:
    """Though the store takes it for living, and though it is away."""
    await following.use()
    following.standing.add(SESSION.key, "logout")
    following.memory.ended(SESSION.key)
    assert await following.code() == "session_revoked"
    following.store.is_away = True
    assert await following.code() == "session_revoked"
    following.standing.confirm(SESSION.key)
    assert await following.code() == "store_unavailable"


async def test_outdated(following: Parts) -> None:
    """What is forgotten lives on: it is asked for, and nobody is told."""
    await following.use()
    following.memory.outdate(SESSION.key)
    assert following.memory.sessions() == []
    await following.use()
    assert following.memory.sessions() == [SESSION]
    assert following.store.asked == 2
    assert following.ended == []
