"""Tickets: good once, for a while, for one session on one path (design sections 4 and 5)."""

import asyncio
import secrets
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

import pytest

from gateway.clock import now
from gateway.errors import GatewayError
from gateway.sessions.model import Session
from gateway.sessions.service import NewLogin
from gateway.sessions.store import SessionStore
from gateway.sessions.stores import open_store
from gateway.sessions.tickets import PREFIX, TICKET_S, Tickets
from gateway.sessions.token import PREFIX as TOKEN_PREFIX
from gateway.sessions.token import session_key_of
from tests.support import ticket_process
from tests.support.redis_server import RedisServer
from tests.support.session_process import build_service
from tests.support.sessions import HandClock, make_session, make_subject

HERE = Path(__file__).parents[2]
ALICE, BOB = make_session(1), make_session(2, make_subject("o-bob"))
PATH = "/api/live/1"


class Known:
    """Who knows which sessions live: these, and with one refusal for all others."""

    def __init__(self, *sessions: Session) -> None:
        self.sessions = {session.key: session for session in sessions}
        self.refusal = "session_revoked"

    async def living(self, key: str) -> Session:
        if key not in self.sessions:
            raise GatewayError(self.refusal)
        return self.sessions[key]


@pytest.fixture
def known() -> Known:
    """Two sessions that live."""
    return Known(ALICE, BOB)


@pytest.fixture
def tickets(store: SessionStore, known: Known, clock: HandClock) -> Tickets:
    """Tickets on each kind of store."""
    return Tickets(store, known, clock, secrets.token_bytes)


async def outcome(tickets: Tickets, ticket: str, path: str = PATH) -> Session | str:
    """The session a ticket is good for, or the code of its refusal."""
    try:
        return await tickets.redeem(ticket, path)
    except GatewayError as error:
        return error.code


async def test_a_ticket_is_good_once(tickets: Tickets) -> None:
    """Its session the first time, nothing ever after; others are not touched."""
    mine, more, yours = [await tickets.issue(each, PATH) for each in (ALICE, ALICE, BOB)]
    assert await outcome(tickets, mine) == ALICE
    assert await outcome(tickets, mine) == "session_invalid"
    assert [await outcome(tickets, each) for each in (yours, more)] == [BOB, ALICE]


async def test_of_many_uses_at_once_one_is_good(tickets: Tickets) -> None:
    """Whoever comes first."""
    ticket = await tickets.issue(ALICE, PATH)
    found = await asyncio.gather(*(outcome(tickets, ticket) for _ in range(20)))
    assert Counter(map(str, found)) == {str(ALICE): 1, "session_invalid": 19}


@pytest.mark.parametrize("path", ["/api/live/2", "/api/live/", "/API/live/1", "/api/live/1/", "/"])
async def test_a_ticket_tried_elsewhere_is_used_up(tickets: Tickets, path: str) -> None:
    """It has been seen where it does not belong."""
    ticket = await tickets.issue(ALICE, PATH)
    assert await outcome(tickets, ticket, path) == "session_invalid"
    assert await outcome(tickets, ticket) == "session_invalid"


async def test_a_ticket_of_yesterday_is_none(tickets: Tickets, clock: HandClock) -> None:
    """Good to the end of its time, and not a moment longer."""
    first, second = [await tickets.issue(ALICE, PATH) for _ in range(2)]
    clock.forward(TICKET_S - 0.5)
    assert await outcome(tickets, first) == ALICE
    clock.forward(1)
    assert await outcome(tickets, second) == "session_invalid"


async def test_a_session_must_still_live(tickets: Tickets, known: Known) -> None:
    """Its ending is told as it is, and the ticket is gone."""
    ticket = await tickets.issue(ALICE, PATH)
    del known.sessions[ALICE.key]
    assert await outcome(tickets, ticket) == "session_revoked"
    known.sessions[ALICE.key] = ALICE
    assert await outcome(tickets, ticket) == "session_invalid"


async def test_a_look_leaves_a_ticket_as_it_is(tickets: Tickets) -> None:
    """What `redeem` would say, as often as wanted."""
    ticket = await tickets.issue(ALICE, PATH)
    for _ in range(2):
        assert await tickets.look(ticket, PATH) == ALICE
        with pytest.raises(GatewayError, match="session_invalid"):
            await tickets.look(ticket, "/elsewhere")
    assert await outcome(tickets, ticket) == ALICE
    with pytest.raises(GatewayError, match="session_invalid"):
        await tickets.look(ticket, PATH)


async def test_a_ticket_is_random_and_no_token(tickets: Tickets) -> None:
    """144 bits behind a prefix of its own: neither is ever taken for the other."""
    made = {await tickets.issue(ALICE, PATH) for _ in range(20)}
    assert len(made) == 20
    for ticket in made:
        assert ticket.startswith(PREFIX)
        assert not ticket.startswith(TOKEN_PREFIX)
        assert len(ticket) == len(PREFIX) + 24


class Refusing:
    """A store that nobody may ask."""

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        raise AssertionError(name)

    async def read_note(self, name: str) -> bytes | None:
        raise AssertionError(name)

    async def take_note(self, name: str) -> bytes | None:
        raise AssertionError(name)


@pytest.mark.parametrize(
    "ticket",
    ["", "x", PREFIX, PREFIX + "A" * 23, PREFIX + "A" * 25, "gw1." + "A" * 24, "A" * 29],
)
async def test_what_is_no_ticket_reaches_no_store(ticket: str, known: Known) -> None:
    """Nor does what cannot be one, such as a text that is no ASCII."""
    tickets = Tickets(Refusing(), known, HandClock(), secrets.token_bytes)
    for each in (ticket, ticket + "\n", ticket + "\u00e9", ticket + "\ud800"):
        assert await outcome(tickets, each) == "session_invalid"


async def test_the_store_learns_no_ticket_and_no_path(
    sqlite_store: SessionStore, known: Known, clock: HandClock
) -> None:
    """A copy of it lets nobody in: it holds hashes."""
    tickets = Tickets(sqlite_store, known, clock, secrets.token_bytes)
    path = "/api/" + "long/" * 1600
    ticket = await tickets.issue(ALICE, path)
    assert await sqlite_store.read_note(ticket) is None
    value = await sqlite_store.read_note(session_key_of(ticket))
    assert value == f"{ALICE.key}.{session_key_of(path)}".encode()
    assert await outcome(tickets, ticket, path) == ALICE


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b".", ALICE.key.encode(), b"x." + b"A" * 43])
async def test_a_note_that_is_not_ours_lets_nobody_in(
    value: bytes, sqlite_store: SessionStore, known: Known, clock: HandClock
) -> None:
    """Whatever a store returns."""
    tickets = Tickets(sqlite_store, known, clock, secrets.token_bytes)
    ticket = PREFIX + "A" * 24
    await sqlite_store.keep_note(session_key_of(ticket), value, clock() + 9)
    assert await outcome(tickets, ticket) == "session_invalid"


async def test_a_number_that_comes_twice_gives_no_ticket(
    sqlite_store: SessionStore, known: Known, clock: HandClock
) -> None:
    """Else one session's ticket would let another's client in."""
    tickets = Tickets(sqlite_store, known, clock, bytes)
    ticket = await tickets.issue(ALICE, PATH)
    with pytest.raises(GatewayError, match="internal_error"):
        await tickets.issue(BOB, PATH)
    assert await outcome(tickets, ticket) == ALICE


# -- over processes -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of store in turn."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'gateway.db'}"
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


async def test_two_processes_share_one_use(url: str) -> None:
    """50 uses at once, over two processes on one store: exactly one is good."""
    service, store = build_service(url), open_store(url, now)
    await service.open()
    await store.open()
    alice = make_subject()
    issued = await service.create(NewLogin("shop", alice, openid=alice.id))
    ticket = await Tickets(store, service, now, secrets.token_bytes).issue(issued.session, PATH)
    program = (sys.executable, "-m", ticket_process.__name__, url, ticket, PATH, "25")
    processes = [
        await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, cwd=HERE)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    said = sorted(out.decode().strip() for out, _ in ends)
    assert said == ["good=1 session_invalid=24", "session_invalid=25"]
    await store.close()
    await service.close()
