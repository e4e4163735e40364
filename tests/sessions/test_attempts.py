"""One exchange per code: in one process, between processes, after a loss. On every store."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.attempt_records import KEPT_S, SHORT_S, Attempt, Running, attempt_of, dump
from gateway.sessions.attempts import LoginAttempts, pause_s
from gateway.sessions.keyring import KeyRing
from gateway.sessions.model import Session
from gateway.sessions.service import Issued, NewLogin, SessionPolicy, SessionService
from gateway.sessions.sqlite.store import SqliteStore
from gateway.sessions.store import SessionStore
from gateway.sessions.token import TokenSigner
from tests.support.sessions import HandClock, make_subject

KEY, OTHER_KEY = "the-clients-own-key", "another-clients-key"
ALICE = NewLogin("shop", make_subject(), openid="o-alice")


class Platform:
    """Answers when the gate opens, and counts."""

    def __init__(self, answer: NewLogin | Exception = ALICE) -> None:
        self.answer = answer
        self.asked = 0
        self.gate = asyncio.Event()
        self.is_asked = asyncio.Event()

    async def __call__(self) -> NewLogin:
        self.asked += 1
        self.is_asked.set()
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class LossyStore(SqliteStore):
    """A real store that can be away, before or after it has done what it was told."""

    is_away = False
    is_late = False
    creates_nothing = False
    away_for: str | None = None

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        self._answer()
        if name == self.away_for:
            raise GatewayError("store_unavailable", "made to fail")
        found = await super().keep_note(name, value, until)
        if self.is_late:
            raise GatewayError("store_unavailable", "the answer was lost")
        return found

    async def read_note(self, name: str) -> bytes | None:
        self._answer()
        return await super().read_note(name)

    async def replace_note(self, name: str, old: bytes, new: bytes, until: float) -> bool:
        self._answer()
        return await super().replace_note(name, old, new, until)

    async def create(
        self, session: Session, sealed_session_key: bytes | None, max_per_subject: int
    ) -> tuple[str, ...]:
        if self.creates_nothing:
            raise GatewayError("store_unavailable", "made to fail")
        return await super().create(session, sealed_session_key, max_per_subject)

    def _answer(self) -> None:
        if self.is_away:
            raise GatewayError("store_unavailable", "made to fail")


def service_of(store: SessionStore, clock: HandClock, key: bytes = b"e" * 32) -> SessionService:
    policy = SessionPolicy(3600, 3600, None, 10)
    signer, ring = TokenSigner(["k" * 32]), KeyRing([key])
    return SessionService(store, signer, ring, clock, policy, secrets.token_bytes)


def process_of(
    store: SessionStore,
    clock: HandClock,
    key: bytes = b"e" * 32,
    *,
    pause_s: Callable[[], float] = lambda: 0.001,
    max_waiting: int = 1000,
) -> LoginAttempts:
    """The attempts of one process: nothing of it is shared but the store."""
    return LoginAttempts(
        store,
        service_of(store, clock, key),
        KeyRing([key]),
        clock,
        secrets.token_bytes,
        pause_s=pause_s,
        max_waiting=max_waiting,
    )


def attempt(key: str | None = None, code: str = "code-1") -> Attempt:
    return attempt_of("wechat", "wx1", [("code", code)], key, 5.0)


def with_guest(code: str | None, key: str | None = None) -> Attempt:
    """A login with the guest's code `guest-1`, and with `code` before it."""
    user = [] if code is None else [("code", code)]
    return attempt_of("douyin", "tt1", [*user, ("anonymous_code", "guest-1")], key, 5.0)


async def refusal(awaited: "asyncio.Task[Issued]") -> str:
    with pytest.raises(GatewayError) as refused:
        await awaited
    return refused.value.code


def begin(
    process: LoginAttempts, platform: Platform, key: str | None = None, many: int = 1
) -> "list[asyncio.Task[Issued]]":
    """Log in with one code, at once."""
    return [asyncio.create_task(process.run(attempt(key), platform)) for _ in range(many)]


@pytest.fixture
async def lossy(tmp_path: Path, clock: HandClock) -> AsyncIterator[LossyStore]:
    """An open store that can be made to fail."""
    store = LossyStore(tmp_path / "lossy.db", clock)
    await store.open()
    yield store
    await store.close()


# -- at the same time -----------------------------------------------------------------------------


async def test_one_exchange_in_two_processes(store: SessionStore, clock: HandClock) -> None:
    """The first gets the session, everybody else `code_invalid`."""
    platform = Platform()
    first, second = process_of(store, clock), process_of(store, clock)
    (winner,) = begin(first, platform)
    await platform.is_asked.wait()
    losers = begin(first, platform, many=5) + begin(second, platform, many=5)
    losers += begin(second, platform, KEY, many=2)
    await asyncio.sleep(0.01)
    platform.gate.set()
    assert (await winner).session.openid == "o-alice"
    assert {await refusal(loser) for loser in losers} == {"code_invalid"}
    assert platform.asked == 1


async def test_who_has_the_key_gets_the_same_session(store: SessionStore, clock: HandClock) -> None:
    """At once or later, here or in another process; its token is signed anew, and good."""
    platform = Platform()
    first, second = process_of(store, clock), process_of(store, clock)
    tasks = begin(first, platform, KEY, many=3) + begin(second, platform, KEY, many=3)
    others = begin(first, platform, OTHER_KEY) + begin(second, platform)
    await platform.is_asked.wait()
    platform.gate.set()
    sessions = {(await task).session_id for task in tasks}
    assert len(sessions) == platform.asked == 1
    assert {await refusal(other) for other in others} == {"code_invalid"}
    clock.forward(KEPT_S - 1)
    (later,) = begin(second, platform, KEY)
    again = await later
    assert again.session_id in sessions
    assert (await service_of(store, clock).authenticate(again.token)).key == again.session.key
    assert await refusal(begin(first, platform, OTHER_KEY)[0]) == "code_invalid"
    assert platform.asked == 1


@pytest.mark.parametrize("code", ["platform_timeout", "platform_busy", "user_blocked"])
async def test_losers_get_the_winners_error(
    store: SessionStore, clock: HandClock, code: str
) -> None:
    """Word for word."""
    platform = Platform(GatewayError(code, "said so", platform_code=-1, retry_after_s=9))
    first, second = process_of(store, clock), process_of(store, clock)
    (winner,) = begin(first, platform)
    await platform.is_asked.wait()
    tasks = [winner, *begin(first, platform, many=2), *begin(second, platform, KEY, many=2)]
    await asyncio.sleep(0.01)
    platform.gate.set()
    for task in tasks:
        with pytest.raises(GatewayError) as refused:
            await task
        error = refused.value
        assert (error.code, error.detail) == (code, "said so")
        assert (error.platform_code, error.retry_after_s) == (-1, 9)
    assert platform.asked == 1


async def test_those_who_wait_are_bounded(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """Beyond, a login is refused at once; in the process that asks, and in one that looks on."""
    platform = Platform()
    first = process_of(sqlite_store, clock, max_waiting=2)
    second = process_of(sqlite_store, clock, max_waiting=0)
    (winner,) = begin(first, platform)
    await platform.is_asked.wait()
    losers = begin(first, platform, many=3)
    assert await refusal(losers.pop()) == "overloaded"
    assert await refusal(begin(second, platform)[0]) == "overloaded"
    platform.gate.set()
    await winner
    assert {await refusal(loser) for loser in losers} == {"code_invalid"}


async def test_a_code_that_is_always_good_is_not_shared(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """The devtools' code: a session for each."""
    platform, process = Platform(), process_of(sqlite_store, clock)
    platform.gate.set()
    both = await asyncio.gather(*(process.run(None, platform) for _ in range(2)))
    assert len({issued.session_id for issued in both}) == platform.asked == 2


# -- later ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(ALICE, "code_invalid"), (GatewayError("platform_timeout", "late"), "platform_timeout")],
)
async def test_a_used_code_is_not_sent_again(
    store: SessionStore, clock: HandClock, outcome: NewLogin | Exception, told: str
) -> None:
    """Nor one that ended so that its bytes may have arrived; until 120 s are over."""
    platform, process = Platform(outcome), process_of(store, clock)
    platform.gate.set()
    await asyncio.wait(begin(process, platform))
    clock.forward(KEPT_S - 1)
    assert await refusal(begin(process, platform)[0]) == told
    assert platform.asked == 1
    clock.forward(2)
    await asyncio.wait(begin(process, platform))
    assert platform.asked == 2


async def test_a_code_that_was_left_unused_is_soon_free(
    store: SessionStore, clock: HandClock
) -> None:
    """The refusal is told a second longer, to those who waited."""
    platform, process = Platform(GatewayError("platform_busy")), process_of(store, clock)
    platform.gate.set()
    for _ in range(2):
        assert await refusal(begin(process, platform)[0]) == "platform_busy"
    assert platform.asked == 1
    clock.forward(SHORT_S + 0.1)
    platform.answer = ALICE
    assert (await begin(process, platform)[0]).session.openid == "o-alice"


async def test_a_session_that_was_not_kept_uses_the_code_up(
    lossy: LossyStore, clock: HandClock
) -> None:
    """The outcome is told first, then that the code is used: the client gets itself a new one."""
    platform, process = Platform(), process_of(lossy, clock)
    platform.gate.set()
    lossy.creates_nothing = True
    for _ in range(2):
        assert await refusal(begin(process, platform)[0]) == "store_unavailable"
    lossy.creates_nothing = False
    clock.forward(SHORT_S + 0.1)
    assert await refusal(begin(process, platform)[0]) == "code_invalid"
    assert platform.asked == 1


async def test_an_ended_session_is_not_given_again(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """The key opens what is there, no more."""
    platform, process = Platform(), process_of(sqlite_store, clock)
    platform.gate.set()
    issued = await begin(process, platform, KEY)[0]
    await service_of(sqlite_store, clock).end(issued.session.key)
    assert await refusal(begin(process, platform, KEY)[0]) == "session_revoked"


async def test_a_session_id_that_no_key_opens(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """The encryption key is gone meanwhile: a new code then."""
    platform = Platform()
    platform.gate.set()
    await begin(process_of(sqlite_store, clock), platform, KEY)[0]
    other = process_of(sqlite_store, clock, b"f" * 32)
    assert await refusal(begin(other, platform, KEY)[0]) == "code_invalid"


# -- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_client_that_goes_away_ends_nothing(
    sqlite_store: SqliteStore, clock: HandClock, key: str | None
) -> None:
    """The exchange goes on; the session stays where somebody can ask for it, and ends else."""
    platform, process = Platform(), process_of(sqlite_store, clock)
    (winner,) = begin(process, platform, key)
    await platform.is_asked.wait()
    (other,) = begin(process, platform, key)
    winner.cancel()
    await asyncio.wait([winner])
    platform.gate.set()
    if key is None:
        assert await refusal(other) == "code_invalid"
        assert await sqlite_store.end_subject(ALICE.subject, "none is left") == ()
    else:
        issued = await other
        assert (await begin(process, platform, key)[0]).session_id == issued.session_id
    assert (winner.cancelled(), platform.asked) == (True, 1)


async def test_an_owner_that_died_is_not_waited_for(store: SessionStore, clock: HandClock) -> None:
    """Its time over, the code counts as used: it may have been sent."""
    platform = Platform()

    def pause() -> float:
        clock.forward(1)
        return 0

    running = dump(Running("somebody else", clock() + 5))
    await store.keep_note(attempt().name, running, clock() + 5 + KEPT_S)
    process = process_of(store, clock, pause_s=pause)
    for _ in range(2):
        assert await refusal(begin(process, platform)[0]) == "code_invalid"
    assert platform.asked == 0


async def test_a_note_that_goes_while_it_is_waited_for(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """Nobody knows how it ended, so the code is not sent again."""
    platform = Platform()

    def pause() -> float:
        clock.forward(100)
        return 0

    await sqlite_store.keep_note(attempt().name, dump(Running("x", clock() + 500)), clock() + 50)
    process = process_of(sqlite_store, clock, pause_s=pause)
    assert await refusal(begin(process, platform)[0]) == "code_invalid"
    assert platform.asked == 0


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_store_that_is_away_costs_no_code(
    lossy: LossyStore, clock: HandClock, is_late: bool
) -> None:
    """503 before any call; the code is good afterwards, also where the claim was kept unheard."""
    platform, process = Platform(), process_of(lossy, clock)
    platform.gate.set()
    lossy.is_away, lossy.is_late = not is_late, is_late
    assert await refusal(begin(process, platform)[0]) == "store_unavailable"
    assert platform.asked == 0
    lossy.is_away = lossy.is_late = False
    assert (await begin(process, platform)[0]).session.openid == "o-alice"
    assert await refusal(begin(process, platform)[0]) == "code_invalid"
    assert platform.asked == 1


async def test_a_store_that_goes_away_meanwhile(lossy: LossyStore, clock: HandClock) -> None:
    """Who waits elsewhere gets 503; the winner, whose session is kept, gets it."""
    platform = Platform()
    first, second = process_of(lossy, clock), process_of(lossy, clock)
    (winner,) = begin(first, platform)
    await platform.is_asked.wait()
    (loser,) = begin(second, platform)
    await asyncio.sleep(0.01)
    lossy.is_away = True
    assert await refusal(loser) == "store_unavailable"
    platform.gate.set()
    assert (await winner).session.openid == "o-alice"


async def test_a_fault_of_ours_is_told_as_one(sqlite_store: SqliteStore, clock: HandClock) -> None:
    """It is raised where it happened; others learn that there was one, and do not try again."""
    platform = Platform(RuntimeError("a slip"))
    first, second = process_of(sqlite_store, clock), process_of(sqlite_store, clock)
    platform.gate.set()
    with pytest.raises(RuntimeError):
        await first.run(attempt(), platform)
    assert await refusal(begin(second, platform)[0]) == "internal_error"
    assert platform.asked == 1


async def test_closing_gives_up_what_is_under_way(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """Nothing is left running; the code is as good as used."""
    platform, process = Platform(), process_of(sqlite_store, clock)
    (winner,) = begin(process, platform)
    await platform.is_asked.wait()
    await process.close()
    await asyncio.wait([winner])
    assert winner.cancelled()
    clock.forward(70)
    assert await refusal(begin(process, platform)[0]) == "code_invalid"


# -- two codes ------------------------------------------------------------------------------------


async def test_every_code_of_a_login_is_sent_once(store: SessionStore, clock: HandClock) -> None:
    """Alone, beside another, here and in another process: one call holds the guest's code."""
    platform = Platform()
    first, second = process_of(store, clock), process_of(store, clock)
    winner = asyncio.create_task(first.run(with_guest("code-1"), platform))
    await platform.is_asked.wait()
    losers = [
        asyncio.create_task(process.run(with_guest(code), platform))
        for process in (first, second)
        for code in (None, "code-1", "code-2")
    ]
    await asyncio.sleep(0.01)
    platform.gate.set()
    assert (await winner).session.openid == "o-alice"
    assert {await refusal(loser) for loser in losers} == {"code_invalid"}
    late = asyncio.create_task(second.run(with_guest("code-3"), platform))
    assert await refusal(late) == "code_invalid"
    assert platform.asked == 1


async def test_a_code_that_was_not_sent_is_soon_free(store: SessionStore, clock: HandClock) -> None:
    """The code beside it was another login's, whose outcome is not this one's."""
    platform, process = Platform(), process_of(store, clock)
    platform.gate.set()
    guest = await process.run(with_guest(None, KEY), platform)
    both = asyncio.create_task(process.run(with_guest("code-1", KEY), platform))
    assert await refusal(both) == "code_invalid"
    clock.forward(SHORT_S + 0.1)
    alone = attempt_of("douyin", "tt1", [("code", "code-1")], None, 5.0)
    issued = await process.run(alone, platform)
    assert (platform.asked, issued.session_id != guest.session_id) == (2, True)


async def test_with_two_codes_the_key_opens_too(store: SessionStore, clock: HandClock) -> None:
    """For the same two; a guest's code alone does not make its sender the user."""
    platform = Platform()
    platform.gate.set()
    first, second = process_of(store, clock), process_of(store, clock)
    issued = await first.run(with_guest("code-1", KEY), platform)
    again = await second.run(with_guest("code-1", KEY), platform)
    assert again.session_id == issued.session_id
    guest = asyncio.create_task(second.run(with_guest(None, KEY), platform))
    assert await refusal(guest) == "code_invalid"
    assert platform.asked == 1


async def test_a_store_that_goes_away_between_two_claims(
    lossy: LossyStore, clock: HandClock
) -> None:
    """Neither code is lost: said again, the first claim is known as ours."""
    platform, process = Platform(), process_of(lossy, clock)
    platform.gate.set()
    lossy.away_for = with_guest(None).name
    assert await refusal(asyncio.create_task(process.run(with_guest("c"), platform))) == (
        "store_unavailable"
    )
    lossy.away_for = None
    assert (await process.run(with_guest("c"), platform)).session.openid == "o-alice"


# -- clocks that differ ---------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [-59, -3, 3, 12, 59])
@pytest.mark.parametrize("code", [None, "platform_busy", "platform_timeout", "user_blocked"])
async def test_who_waits_does_not_trust_the_others_clock(
    tmp_path: Path, clock: HandClock, ahead_s: float, code: str | None
) -> None:
    """He waits until it is settled, and is told how, as on one machine."""
    theirs = HandClock(clock() + ahead_s)
    path = tmp_path / "shared.db"
    async with contextlib.AsyncExitStack() as stack:
        stores = SqliteStore(path, clock), SqliteStore(path, theirs)
        for store in stores:
            await store.open()
            stack.push_async_callback(store.close)
        platform = Platform(ALICE if code is None else GatewayError(code, "said so"))
        (leader,) = begin(process_of(stores[0], clock), platform, KEY)
        await platform.is_asked.wait()
        (follower,) = begin(process_of(stores[1], theirs), platform, KEY)
        await asyncio.sleep(0.02)
        assert not follower.done()
        platform.gate.set()
        if code is None:
            assert (await follower).session_id == (await leader).session_id
        else:
            assert [await refusal(task) for task in (leader, follower)] == [code, code]
    assert platform.asked == 1


async def test_a_crashed_owners_note_outlives_a_clock_ahead(
    sqlite_store: SqliteStore, clock: HandClock
) -> None:
    """By 60 s: the code counts as used for 120 s at least, on every machine."""
    platform, process = Platform(), process_of(sqlite_store, clock)
    begin(process, platform)
    await platform.is_asked.wait()
    await process.close()
    clock.forward(5 + KEPT_S + 59)
    assert await refusal(begin(process, platform)[0]) == "code_invalid"
    assert platform.asked == 1


def test_looks_are_spread() -> None:
    """50 to 100 ms apart."""
    pauses = [pause_s() for _ in range(100)]
    assert 0.05 <= min(pauses) < max(pauses) < 0.1
