"""What is open of sessions goes, little by little, once the store was silent for too long."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.proxy import departures as departures_module
from gateway.proxy.departures import Departures
from gateway.proxy.live import STORE_UNAVAILABLE, LiveSessions
from tests.support.gateway import problem, run_gateway
from tests.support.own import bearer
from tests.support.raw import connect
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sessions import HandClock
from tests.support.websocket import client_frame, frame, logged, opened, service_frame, until
from tests.support.wire import Service, read_answer_head, read_rest

MANY = 200


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departures_module, "SPREAD_S", 0.1)


class Leaving:
    """A registry in which much lives, and who was told in which step."""

    def __init__(self, count: int = MANY) -> None:
        self.live = LiveSessions(HandClock(), lambda _: None)
        self.told: list[tuple[str, str]] = []
        self.steps = 0
        self.last_step = 10**6
        for number in range(count):
            self.live.join(str(number), self._note(str(number)))
        self.live.join(None, self._note("public"))
        self.departures = Departures(self.live, self._is_away)

    def _note(self, name: str) -> Callable[[str], None]:
        return lambda reason: self.told.append((name, reason))

    def _is_away(self) -> bool:
        self.steps += 1
        return self.steps <= self.last_step

    def tasks(self) -> int:
        return sum(task.get_name() == "departures" for task in asyncio.all_tasks())


async def test_all_of_sessions_go_little_by_little() -> None:
    """Each once, by one task; what belongs to no session stays."""
    leaving = Leaving()
    for _ in range(3):
        leaving.departures.begin()
        assert leaving.tasks() == 1
    await until(lambda: bool(leaving.told))
    assert len(leaving.told) <= MANY / 10
    await until(lambda: not leaving.tasks())
    expected = sorted((str(number), STORE_UNAVAILABLE) for number in range(MANY))
    assert sorted(leaving.told) == expected
    await leaving.departures.close()


async def test_nobody_goes_any_more_once_the_store_is_heard() -> None:
    """What has not gone by then stays, and goes when it is told again."""
    leaving = Leaving()
    leaving.last_step = 5
    leaving.departures.begin()
    await until(lambda: not leaving.tasks())
    assert 0 < len(leaving.told) <= MANY / 5
    assert len(leaving.live.keys()) == MANY - len(leaving.told)
    leaving.last_step = 10**6
    leaving.departures.begin()
    await until(lambda: not leaving.live.keys())
    await leaving.departures.close()


async def test_one_that_is_alone_goes_too(caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, once."""
    leaving = Leaving(1)
    leaving.departures.begin()
    await until(lambda: not leaving.tasks())
    leaving.departures.begin()
    assert leaving.told == [("0", STORE_UNAVAILABLE)]
    ours = [record for record in caplog.records if record.name.startswith("gateway.")]
    assert [record.levelname for record in ours] == ["WARNING"], "asyncio tells of slow machines"


async def test_where_nothing_is_open_nothing_runs(caplog: pytest.LogCaptureFixture) -> None:
    """No task, no word."""
    leaving = Leaving(0)
    leaving.departures.begin()
    assert not leaving.tasks()
    assert not caplog.records
    await leaving.departures.close()


async def test_closed() -> None:
    """What is under way ends, and nothing begins any more."""
    leaving = Leaving()
    leaving.departures.begin()
    await leaving.departures.close()
    leaving.departures.begin()
    assert not leaving.tasks()
    assert not leaving.told


async def test_after_grace_websockets_and_event_streams_are_closed(
    tmp_path: Path, redis: RedisServer
) -> None:
    """1013 at both ends, a stream cut off, requests 503; and after the return clients come back."""
    changes = {"session": {"store": redis.url, "grace": "1s"}}
    async with run_gateway(tmp_path, changes) as running:
        token = await running.login()
        field = b"X-Session-Token: " + token.encode()
        client, peer = await opened(running, b"/orders/ws", field)
        public, public_peer = await opened(running)
        stream, service = await connect(running.port), Service(running.upstream)
        await stream.send(b"GET /orders/events HTTP/1.1\r\nHost: gw\r\n" + field + b"\r\n\r\n")
        events = await service.accept()
        await events.head()
        await events.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        assert (await read_answer_head(stream)).status == 200
        redis.freeze()
        gone = (1013, "try again later")
        assert (await client_frame(client)).close == gone
        assert (await service_frame(peer)).close == gone
        assert (await read_rest(stream))[1]
        refused = await running.get("/orders/1", bearer(token))
        assert problem(refused)["code"] == "store_unavailable"
        await public.send(frame(1, b"still here", masked=True))
        assert (await service_frame(public_peer)).payload == b"still here"
        for path in ("/orders/ws", "/orders/events"):
            (line,) = await logged(running, path)
            assert line["error"] == "store_unavailable"
        await client.close()
        await stream.close()
        await public.close()
        redis.thaw()
