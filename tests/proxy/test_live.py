"""What lives on is told when its session ends or the gateway drains."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import now
from gateway.proxy import live as live_module
from gateway.proxy.live import (
    DRAINING,
    REMEMBERED,
    SESSION_ENDED,
    STORE_UNAVAILABLE,
    LiveSessions,
)
from gateway.sessions.model import Session, Subject
from gateway.sessions.service import SessionService
from gateway.sessions.sqlite.store import SqliteStore
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import bearer
from tests.support.raw import RawClient, connect
from tests.support.redis_server import running_redis
from tests.support.sessions import HandClock
from tests.support.websocket import (
    client_frame,
    frame,
    handshake,
    logged,
    opened,
    service_frame,
    switch,
    until,
)
from tests.support.wire import Peer, Service, read_answer_head, read_exactly, read_rest

KEY, OTHER = "k" * 43, "o" * 43


def a_session(expires_at: float) -> Session:
    """A session of somebody, which expires then."""
    subject = Subject("wechat", "wx1", "user", "o1")
    return Session(KEY, subject, "shop", "o1", None, None, 0.0, expires_at, 0.0)


def nobody(_: str) -> None:
    """Hears who joined, and does nothing."""


def registry() -> LiveSessions:
    """A registry whose clock stands still."""
    return LiveSessions(HandClock(), nobody)


def test_all_of_a_session_are_told_and_no_others() -> None:
    """Each by its own callback, once."""
    live, told = registry(), list[tuple[str, str]]()
    for name, key in (("a", KEY), ("b", KEY), ("c", OTHER), ("d", None)):
        live.join(key, lambda reason, name=name: told.append((name, reason)))  # type: ignore[misc] # a default binds the name
    live.end(KEY)
    live.end(KEY)
    assert sorted(told) == [("a", SESSION_ENDED), ("b", SESSION_ENDED)]


def test_who_left_is_not_told() -> None:
    """Leaving twice, or after the end, does no harm."""
    live, told = registry(), list[str]()
    leave = live.join(KEY, told.append)
    stay = live.join(KEY, told.append)
    leave()
    leave()
    live.end(KEY)
    stay()
    live.drain()
    assert told == [SESSION_ENDED]


def test_who_joins_after_the_end_is_told_at_once() -> None:
    """A session may end while its request waits for the service: its push is not lost."""
    live, told = registry(), list[str]()
    live.end(KEY)
    live.join(KEY, told.append)
    assert told == [SESSION_ENDED]
    live.join(OTHER, told.append)
    assert told == [SESSION_ENDED]


def test_who_joins_is_told_of_once_its_key_is_known() -> None:
    """So that an ending is either found by who then looks, or told to the one who joined."""
    joined: list[tuple[str, list[str]]] = []
    live = LiveSessions(HandClock(), lambda key: joined.append((key, live.keys())))
    live.end(OTHER)
    for key in (KEY, KEY, None, OTHER):
        live.join(key, lambda _: None)
    assert joined == [(KEY, [KEY])] * 2  # nobody's has no session, and of the other all is known


def test_ended_keys_are_kept_up_to_a_bound() -> None:
    """The oldest is forgotten first."""
    live, told = registry(), list[str]()
    for number in range(REMEMBERED + 1):
        live.end(str(number))
    live.join("0", told.append)
    assert told == []
    live.join("1", told.append)
    live.join(str(REMEMBERED), told.append)
    assert told == [SESSION_ENDED] * 2


def test_what_is_let_go_may_be_joined_again() -> None:
    """Only what is open now is told, once; the session itself may well live."""
    live, told = registry(), list[str]()
    leave = live.join(KEY, told.append)
    live.let_go(KEY)
    live.let_go(KEY)
    live.let_go(OTHER)
    assert (told, live.keys()) == ([STORE_UNAVAILABLE], [])
    stay = live.join(KEY, told.append)
    leave()
    assert (told, live.keys()) == ([STORE_UNAVAILABLE], [KEY])
    stay()
    assert not live._members


def test_draining_tells_all_and_who_comes_later() -> None:
    """Also what belongs to nobody; a session may still end while the gateway drains."""
    live, told = registry(), list[str]()
    live.join(KEY, told.append)
    live.join(None, told.append)
    live.drain()
    assert told == [DRAINING] * 2
    live.join(OTHER, told.append)
    live.end(KEY)
    assert told[2:] == [DRAINING, SESSION_ENDED]


def test_leaving_while_being_told_does_no_harm() -> None:
    """One that ends at once leaves at once, and may take others along."""
    live, told, leaves = registry(), list[str](), list[Callable[[], None]]()

    def end(reason: str) -> None:
        told.append(reason)
        for leave in leaves:
            leave()

    leaves += [live.join(KEY, end) for _ in range(3)]
    live.drain()
    live.end(KEY)
    assert told == [DRAINING] * 3


def test_nothing_is_kept_of_who_left() -> None:
    """The registry is as large as what lives."""
    live = registry()
    leaves = [live.join(key, lambda _: None) for key in (KEY, KEY, OTHER, None)]
    assert live.keys() == [KEY, OTHER]
    for leave in leaves[1:]:
        leave()
    assert live.keys() == [KEY]
    leaves[0]()
    assert not live._members


async def test_a_session_s_expiry_is_told() -> None:
    """By the gateway's clock, not the loop's."""
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    leave = live.follow(a_session(clock() + 0.02), told.append)
    await asyncio.sleep(0.05)  # the loop's time has come, the clock's has not
    assert told == []
    clock.forward(1)
    await until(lambda: len(told) >= 1)
    assert told == [SESSION_ENDED]
    leave()


async def test_a_clock_that_is_set_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expiry is compared with it now and then, however far it is; centuries do no harm."""
    monkeypatch.setattr(live_module, "LOOK_AGAIN_S", 0.01)
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    leave = live.follow(a_session(clock() + 1e12), told.append)
    await asyncio.sleep(0.03)  # it looks, and looks again
    assert told == []
    clock.forward(2e12)
    await until(lambda: len(told) >= 1)
    assert told == [SESSION_ENDED]
    leave()


async def test_one_that_follows_is_told_of_ends_and_draining() -> None:
    """And a session that has expired already ends on the next turn."""
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    stay = live.follow(a_session(clock() + 1000), told.append)
    live.drain()
    live.end(KEY)
    assert told == [DRAINING, SESSION_ENDED]
    stay()
    late = LiveSessions(clock, nobody)
    leave = late.follow(a_session(clock() - 5), told.append)
    await until(lambda: len(told) >= 3)
    leave()


async def test_after_leaving_nothing_rings() -> None:
    """The timer goes with the one who left; nobody's tunnel has none."""
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    leave = live.follow(a_session(clock() + 0.01), told.append)
    public = live.follow(None, told.append)
    leave()
    leave()
    public()
    clock.forward(5)
    await asyncio.sleep(0.03)  # the timer would have rung
    live.drain()
    assert told == []


# -- renewals ------------------------------------------------------------------------------------

NEXT, LAST = "n" * 43, "l" * 43


def test_what_lives_goes_over_to_the_successor() -> None:
    """It ends with the successor, and no more with the old session."""
    joined, told = list[str](), list[str]()
    live = LiveSessions(HandClock(), joined.append)
    leave = live.join(KEY, told.append)
    live.renewed(KEY, NEXT)
    assert live.keys() == [NEXT]
    assert joined == [KEY, NEXT], "the successor is looked up"
    live.end(KEY)
    assert told == []
    live.end(NEXT)
    assert told == [SESSION_ENDED]
    leave()
    assert not live._members


def test_what_joins_after_the_renewal_goes_over_too() -> None:
    """Along the whole chain, and beside what is there already."""
    live, told = registry(), list[str]()
    live.join(LAST, told.append)
    live.renewed(KEY, NEXT)
    live.renewed(NEXT, LAST)
    live.join(KEY, told.append)
    live.join(NEXT, told.append)
    assert live.keys() == [LAST]
    live.end(LAST)
    assert told == [SESSION_ENDED] * 3
    live.join(KEY, told.append)
    assert told == [SESSION_ENDED] * 4


def test_a_renewal_told_after_its_end() -> None:
    """What lives of the old session ends with the successor that has ended already."""
    live, told = registry(), list[str]()
    leave = live.join(KEY, told.append)
    live.end(NEXT)
    live.renewed(KEY, NEXT)
    assert told == [SESSION_ENDED]
    leave()
    assert not live._members


def test_a_renewal_of_what_nothing_lives_of() -> None:
    """Nobody has to look its successor up; draining reaches what went over."""
    joined, told = list[str](), list[str]()
    live = LiveSessions(HandClock(), joined.append)
    live.renewed(OTHER, LAST)
    assert joined == []
    live.join(KEY, told.append)
    live.renewed(KEY, NEXT)
    live.renewed(KEY, NEXT)
    assert joined == [KEY, NEXT]
    live.drain()
    assert told == [DRAINING]


async def test_the_successor_s_expiry_counts() -> None:
    """Once it is known; until then nothing expires, for the old moment is no longer true."""
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    leave = live.follow(a_session(clock() + 0.02), told.append)
    live.renewed(KEY, NEXT)
    clock.forward(60)
    await asyncio.sleep(0.05)  # the old session's time has come
    assert told == []
    live.found(replace(a_session(clock() + 0.02), key=NEXT))
    await asyncio.sleep(0.05)  # the loop's time has come, the clock's has not
    assert told == []
    clock.forward(60)
    await until(lambda: len(told) >= 1)
    assert told == [SESSION_ENDED]
    live.found(replace(a_session(clock()), key="unknown"))
    leave()


async def test_a_session_that_was_renewed_before_it_is_followed() -> None:
    """Its record says so; the short time it has left is not that of what opens now."""
    joined, told = list[str](), list[str]()
    clock = HandClock()
    live = LiveSessions(clock, joined.append)
    leave = live.follow(replace(a_session(clock() - 1), successor=NEXT), told.append)
    await asyncio.sleep(0.02)  # its own timer would have rung
    assert told == []
    assert joined == [NEXT]
    assert live.keys() == [NEXT]
    leave()


async def test_an_expiry_told_again() -> None:
    """The same moment sets no second timer, and what has rung does not ring again."""
    clock, told = HandClock(), list[str]()
    live = LiveSessions(clock, nobody)
    session = a_session(clock() + 5)
    leave = live.follow(session, told.append)
    clock.forward(10)
    live.found(session)
    sooner = replace(session, expires_at=clock() - 1)
    live.found(sooner)
    await until(lambda: len(told) >= 1)
    live.found(sooner)
    await asyncio.sleep(0.02)  # a second timer would have rung
    assert told == [SESSION_ENDED]
    leave()


# -- event streams --------------------------------------------------------------------------------

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"8\r\ndata: 1\n\r\n"


async def streaming(
    gateway: RunningGateway, path: bytes, token: str, head: bytes = STREAM
) -> tuple[RawClient, Peer]:
    """A stream that has begun."""
    service, client = Service(gateway.upstream), await connect(gateway.port)
    field = b"X-Session-Token: " + token.encode()
    await client.send(b"GET " + path + b" HTTP/1.1\r\nHost: gw\r\n" + field + b"\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    await peer.send(head + EVENT)
    assert (await read_answer_head(client)).status == 200
    assert await read_exactly(client, len(EVENT)) == EVENT
    return client, peer


async def test_an_event_stream_is_cut_off_with_its_session(running: RunningGateway) -> None:
    """Never by a clean last chunk: the client shall not think it whole."""
    token = await running.login()
    client, peer = await streaming(running, b"/orders/events", token)
    assert (await running.post("/logout", {}, f"X-Session-Token: {token}")).status == 204
    assert await read_rest(client) == (b"", True)
    assert await peer.rest() == b""
    (line,) = await logged(running, "/orders/events")
    assert (line["status"], line["error"]) == (200, "session_ended")
    await client.close()


async def test_an_event_stream_that_begins_after_its_session_ended(
    running: RunningGateway,
) -> None:
    """The request was let in, and waited; its answer is cut off as it begins."""
    token = await running.login()
    service, client = Service(running.upstream), await connect(running.port)
    field = b"X-Session-Token: " + token.encode()
    await client.send(b"GET /orders/e HTTP/1.1\r\nHost: gw\r\n" + field + b"\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    assert (await running.post("/logout", {}, f"X-Session-Token: {token}")).status == 204
    await peer.send(STREAM + EVENT)
    assert EVENT not in (await read_rest(client))[0]
    assert await peer.rest() == b""
    await client.close()


async def test_what_is_no_event_stream_of_that_session_goes_on(running: RunningGateway) -> None:
    """Other answers come to their end as ever, and so do public streams."""
    token = await running.login()
    plain = STREAM.replace(b"event-stream", b"plain")
    answers = [
        await streaming(running, b"/orders/download", token, plain),
        await streaming(running, b"/public/events", token),
    ]
    assert (await running.post("/logout", {}, f"X-Session-Token: {token}")).status == 204
    for client, peer in answers:
        await peer.send(EVENT + b"0\r\n\r\n")
        assert await read_exactly(client, len(EVENT) + 5) == EVENT + b"0\r\n\r\n"
        await client.close()


async def test_draining_lets_an_event_stream_end_by_itself(running: RunningGateway) -> None:
    """It is a request under way: it may be about to end, and has `shutdown` to do so."""
    token = await running.login()
    client, peer = await streaming(running, b"/orders/events", token)
    draining = asyncio.create_task(running.gateway.listener.close())
    await asyncio.sleep(0.1)  # as much as the drain does at once is done
    await peer.send(EVENT + b"0\r\n\r\n")
    assert await read_exactly(client, len(EVENT) + 5) == EVENT + b"0\r\n\r\n"
    await draining
    await client.close()


# -- endings that nobody told ---------------------------------------------------------------------


async def end_unheard(gateway: RunningGateway, token: str) -> None:
    """End a session elsewhere while the store is not followed here; then it is followed again."""
    sessions = sessions_of(gateway)
    session, feed = await sessions.authenticate(token), sessions._memory._feed
    await feed.stop()
    other = SqliteStore(gateway.folder / "data/gateway.db", now)
    await other.open()
    assert await other.end(session.key, "revoked")
    await other.close()
    feed.start()
    await until(lambda: sessions.is_following)


async def test_a_websocket_that_opens_after_an_ending_nobody_told(running: RunningGateway) -> None:
    """It was let in before the store was lost, and stands after its return: it is asked for."""
    token = await running.login()
    service, client = Service(running.upstream), await connect(running.port)
    await client.send(handshake(b"/orders/ws", b"X-Session-Token: " + token.encode()))
    peer = await service.accept()
    await peer.head()
    await end_unheard(running, token)
    await peer.send(switch())
    assert (await read_answer_head(client)).status == 101
    assert (await client_frame(client)).close == (4401, "session ended")
    await client.close()


async def test_an_event_stream_that_begins_after_an_ending_nobody_told(
    running: RunningGateway,
) -> None:
    """The same, for what is cut off."""
    token = await running.login()
    service, client = Service(running.upstream), await connect(running.port)
    field = b"X-Session-Token: " + token.encode()
    await client.send(b"GET /orders/e HTTP/1.1\r\nHost: gw\r\n" + field + b"\r\n\r\n")
    peer = await service.accept()
    await peer.head()
    await end_unheard(running, token)
    await peer.send(STREAM + EVENT)
    assert (await read_answer_head(client)).status == 200
    assert (await read_rest(client))[1]
    assert await peer.rest() == b""
    await client.close()


# -- renewals on the wire -------------------------------------------------------------------------


def sessions_of(gateway: RunningGateway) -> SessionService:
    """The sessions of a running gateway."""
    sessions = gateway.gateway.listener._entry._parts.access._sessions
    assert isinstance(sessions, SessionService)
    return sessions


async def renewed(gateway: RunningGateway, token: str) -> str:
    """Renew a session over HTTP; return the new token."""
    answer = await gateway.post("/session/renew", {}, f"X-Session-Token: {token}")
    assert answer.status == 200, answer
    return str(json.loads(answer.body)["token"])


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis of this test alone."""
    for server in running_redis(tmp_path):
        yield server.url


@pytest.fixture(params=["sqlite", "redis"])
async def two_gateways(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[RunningGateway, RunningGateway, HandClock]]:
    """Two gateways on one store, as processes of their own would be, by a clock moved by hand."""
    clock = HandClock()
    url = "sqlite:./shared.db"
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
    changes = {"session": {"store": url}}
    async with (
        run_gateway(tmp_path, changes, clock) as here,
        run_gateway(tmp_path, changes, clock) as there,
    ):
        for each in (here, there):
            await until(lambda each=each: sessions_of(each).is_following)  # type: ignore[misc] # a default binds it
        yield here, there, clock


async def test_a_websocket_follows_a_renewal(
    two_gateways: tuple[RunningGateway, RunningGateway, HandClock],
) -> None:
    """It outlives the old session, and gets 4401 when the new one is logged out elsewhere."""
    here, there, clock = two_gateways
    token = await there.login()
    client, peer = await opened(there, b"/orders/ws", b"X-Session-Token: " + token.encode())
    newer = await renewed(here, token)
    live = there.gateway.listener._live
    key = (await sessions_of(there).authenticate(newer)).key
    await until(lambda: live.keys() == [key])
    clock.forward(61)
    assert problem(await there.get("/orders/1", bearer(token)))["code"] == "session_expired"
    await client.send(frame(1, b"still here", masked=True))
    assert (await service_frame(peer)).payload == b"still here"
    assert (await here.post("/logout", {}, f"X-Session-Token: {newer}")).status == 204
    assert (await client_frame(client)).close == (4401, "session ended")
    await client.close()


async def test_a_websocket_ends_at_its_successor_s_expiry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the old session's."""
    monkeypatch.setattr(live_module, "LOOK_AGAIN_S", 0.01)
    clock = HandClock()
    async with run_gateway(tmp_path, {"session": {"lifetime": "1h"}}, clock) as running:
        token = await running.login()
        client, peer = await opened(running, b"/orders/ws", b"X-Session-Token: " + token.encode())
        clock.forward(3000)
        newer = await renewed(running, token)
        key = (await sessions_of(running).authenticate(newer)).key
        await until(lambda: running.gateway.listener._live.keys() == [key])
        clock.forward(3000)
        await client.send(frame(1, b"still here", masked=True))
        assert (await service_frame(peer)).payload == b"still here"
        clock.forward(601)
        assert (await client_frame(client)).close == (4401, "session ended")
        await client.close()


async def test_a_websocket_whose_renewal_nobody_told(running: RunningGateway) -> None:
    """It is found when the store is followed again."""
    token = await running.login()
    client, _ = await opened(running, b"/orders/ws", b"X-Session-Token: " + token.encode())
    sessions, live = sessions_of(running), running.gateway.listener._live
    old = await sessions.authenticate(token)
    feed = sessions._memory._feed
    await feed.stop()
    async with run_gateway(running.folder) as other:
        newer = await renewed(other, token)
        assert live.keys() == [old.key]
        feed.start()
        await until(lambda: live.keys() != [old.key])
        assert (await other.post("/logout", {}, f"X-Session-Token: {newer}")).status == 204
        assert (await client_frame(client)).close == (4401, "session ended")
    await client.close()
