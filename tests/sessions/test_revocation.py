"""What ends in one process has ended in all, and a store that fails logs nobody out.

Real stores, several services on each, the wall clock. The bound is one second; a test allows five,
since the machine it runs on may be busy.
"""

import asyncio
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.sessions.redis.marker import LOOK_S
from gateway.sessions.service import Issued, NewLogin, SessionService
from tests.support import session_process
from tests.support.endings import until
from tests.support.redis_server import RedisServer
from tests.support.session_process import build_service
from tests.support.sessions import make_subject

ALICE = make_subject("o-alice")
LOGIN = NewLogin("shop", ALICE, openid="o-alice")
REPEATS = 20
HERE = Path(__file__).parents[2]

Open = Callable[..., Awaitable[SessionService]]


@asynccontextmanager
async def opening(url: str) -> AsyncIterator[Open]:
    """Open services on one store, each as a process of its own would."""
    async with AsyncExitStack() as stack:

        async def open_one(grace_s: float = 60.0, max_per_subject: int = 1000) -> SessionService:
            service = build_service(url, grace_s=grace_s, max_per_subject=max_per_subject)
            await service.open()
            stack.push_async_callback(service.close)
            await until(lambda: service.is_following)
            return service

        yield open_one


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of store in turn."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'gateway.db'}"
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
async def open_service(url: str) -> AsyncIterator[Open]:
    """Open a service on the store."""
    async with opening(url) as open_one:
        yield open_one


@pytest.fixture
async def open_on_redis(own_redis: RedisServer) -> AsyncIterator[Open]:
    """Open a service on a Redis that the test may stop and freeze."""
    async with opening(own_redis.url) as open_one:
        yield open_one


async def known_to(service: SessionService, issued: Issued) -> None:
    """Use a session until its token alone is enough."""
    await service.authenticate(issued.token)
    assert service.recall(issued.token) == issued.session


async def code_of(service: SessionService, token: str) -> str:
    """`good`, or why the token is refused."""
    try:
        await service.authenticate(token)
    except GatewayError as error:
        return error.code
    return "good"


async def refused_by(service: SessionService, issued: Issued) -> float:
    """Wait until a token is not good any more, and return how long that took, in seconds."""
    took_s = await until(lambda: service.recall(issued.token) is None)
    assert await code_of(service, issued.token) == "session_revoked"
    return took_s


# Endings


async def test_ended_elsewhere(open_service: Open) -> None:
    """A session ended through one service is refused by the other, each time."""
    here, there = await open_service(), await open_service()
    told: list[str] = []
    there.on_ended(told.append)
    for _ in range(REPEATS):
        issued = await here.create(LOGIN)
        await known_to(there, issued)
        await here.end(issued.session.key)
        await refused_by(there, issued)
        assert told[-1] == issued.session.key


async def test_ended_here(open_service: Open) -> None:
    """A session ended through this service is refused at once, and told."""
    service = await open_service()
    told: list[str] = []
    service.on_ended(told.append)
    issued = await service.create(LOGIN)
    await known_to(service, issued)
    await service.end(issued.session.key)
    assert service.recall(issued.token) is None
    assert told == [issued.session.key]


async def test_a_subject_ended_elsewhere(open_service: Open) -> None:
    """All sessions of a subject are refused, and no other."""
    here, there = await open_service(), await open_service()
    mine = [await here.create(LOGIN) for _ in range(5)]
    other = await here.create(NewLogin("shop", make_subject("o-bob"), openid="o-bob"))
    for issued in (*mine, other):
        await known_to(here, issued)
        await known_to(there, issued)
    assert await here.end_subject(ALICE) == 5
    assert [here.recall(issued.token) for issued in mine] == [None] * 5
    for issued in mine:
        await refused_by(there, issued)
    assert await code_of(there, other.token) == "good"


async def test_pushed_out_elsewhere(open_service: Open) -> None:
    """A login that pushes the oldest session out ends it in all processes."""
    here, there = await open_service(max_per_subject=2), await open_service()
    oldest = await here.create(LOGIN)
    await known_to(here, oldest)
    await known_to(there, oldest)
    for _ in range(2):
        await here.create(LOGIN)
    assert here.recall(oldest.token) is None
    await refused_by(there, oldest)


@asynccontextmanager
async def process_on(url: str) -> AsyncIterator[Process]:
    """Another process with a service on this store."""
    program = (sys.executable, "-m", session_process.__name__, url)
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, cwd=HERE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    yield process
    await process.communicate(b"")  # closes its input: it ends


async def ask(process: Process, what: str, argument: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{what} {argument}\n".encode())
    return (await process.stdout.readline()).decode().strip()


async def test_another_process(open_service: Open, url: str) -> None:
    """The same between real processes, in both directions."""
    service = await open_service()
    async with process_on(url) as process:
        for number in range(REPEATS):
            issued = await service.create(LOGIN)
            assert await ask(process, "use", issued.token) == "good"
            await known_to(service, issued)
            if number % 2:
                assert await ask(process, "end", issued.session.key) == "True"
                await refused_by(service, issued)
                continue
            await service.end(issued.session.key)
            ended_at = time.monotonic()
            while (answer := await ask(process, "use", issued.token)) == "good":
                assert time.monotonic() - ended_at < 5
            assert answer == "session_revoked"


# The hot path


async def test_no_call_of_the_store(open_on_redis: Open, own_redis: RedisServer) -> None:
    """Valid sessions in use make Redis do nothing, but answer for subscription and marker."""
    service = await open_on_redis()
    issued = [await service.create(LOGIN) for _ in range(20)]
    for one in issued:
        await known_to(service, one)
    own_redis.command("CONFIG", "RESETSTAT")
    begun_at = time.monotonic()
    end_at = time.monotonic() + 1.5  # longer than anything is believed without a word
    while time.monotonic() < end_at:
        for one in issued:
            assert await service.authenticate(one.token) == one.session
        await asyncio.sleep(0)
    stats = own_redis.command("INFO", "commandstats")
    assert b"cmdstat_ping" in stats
    for command in (b"hgetall", b"evalsha", b"eval", b"hget", b"subscribe"):
        assert b"cmdstat_%b:" % command not in stats
    looks = re.search(rb"cmdstat_get:calls=(\d+)", stats)
    assert looks is not None
    assert int(looks[1]) <= 2 + (time.monotonic() - begun_at) / LOOK_S, "the marker's, no request's"


# A lost subscription


async def test_an_ending_missed_on_the_way(open_on_redis: Open, own_redis: RedisServer) -> None:
    """What ended while the subscription was broken is refused, and told where it is open."""
    here, there = await open_on_redis(), await open_on_redis()
    ended, quiet, living = [await here.create(LOGIN) for _ in range(3)]
    for issued in (ended, quiet, living):
        await known_to(there, issued)
    told: list[str] = []
    there.on_ended(told.append)
    there.watch(lambda: [quiet.session.key, living.session.key])
    own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    await here.end(ended.session.key)
    await here.end(quiet.session.key)
    await refused_by(there, ended)
    await until(lambda: quiet.session.key in told)
    assert await code_of(there, living.token) == "good"
    await until(lambda: there.recall(living.token) is not None or there.is_following)
    assert living.session.key not in told


async def test_looked_up_again_once(open_on_redis: Open, own_redis: RedisServer) -> None:
    """After a loss each session is asked for once, however many requests come at once."""
    service = await open_on_redis()
    issued = [await service.create(LOGIN) for _ in range(50)]
    for one in issued:
        await known_to(service, one)
    own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    await until(lambda: not service.is_following)
    await until(lambda: service.is_following)
    await until(lambda: service.recall(issued[0].token) is None)
    own_redis.command("CONFIG", "RESETSTAT")
    await asyncio.gather(*(service.authenticate(one.token) for one in issued for _ in range(10)))
    assert b"cmdstat_hgetall:calls=50," in own_redis.command("INFO", "commandstats")
    for one in issued:
        assert service.recall(one.token) == one.session


# A store that is away


async def test_stopped_and_started(open_on_redis: Open, own_redis: RedisServer) -> None:
    """While Redis is down the known go on and others get 503; afterwards all is as before."""
    service, other = await open_on_redis(), await open_on_redis()
    known, unknown = await service.create(LOGIN), await service.create(LOGIN)
    await known_to(service, known)
    own_redis.command("SAVE")
    own_redis.stop()
    await until(lambda: not service.is_following)
    for _ in range(100):
        assert await code_of(service, known.token) == "good"
        assert await code_of(service, unknown.token) == "store_unavailable"
    assert await code_of(service, known.token + "x") == "session_invalid"
    own_redis.start()
    assert await code_of(service, unknown.token) == "good", "the first look-up works"
    await until(lambda: service.is_following and other.is_following)
    await known_to(service, known)
    await other.end(known.session.key)
    await refused_by(service, known)


async def test_started_empty(open_on_redis: Open, own_redis: RedisServer) -> None:
    """Where Redis comes back without its data, its sessions are gone once it is heard again."""
    service = await open_on_redis()
    issued = await service.create(LOGIN)
    await known_to(service, issued)
    own_redis.stop()
    await until(lambda: not service.is_following)
    assert await code_of(service, issued.token) == "good"
    own_redis.start()
    await until(lambda: service.is_following)
    await until(lambda: service.recall(issued.token) is None)
    assert await code_of(service, issued.token) == "session_expired"


async def freeze_until_noticed(service: SessionService, redis: RedisServer, token: str) -> None:
    """Freeze Redis until nothing is believed any more for its word."""
    redis.freeze()
    await until(lambda: service.recall(token) is None)


async def test_hanging(open_on_redis: Open, own_redis: RedisServer) -> None:
    """A Redis that hangs holds a known session up for a second at most, and only once."""
    service = await open_on_redis()
    issued, unknown = await service.create(LOGIN), await service.create(LOGIN)
    await known_to(service, issued)
    await freeze_until_noticed(service, own_redis, issued.token)
    begun_at = time.monotonic()
    assert await code_of(service, issued.token) == "good"
    assert time.monotonic() - begun_at < 1.5
    assert service.recall(issued.token) == issued.session, "known to be away: nothing is asked"
    assert await code_of(service, unknown.token) == "store_unavailable"
    own_redis.thaw()
    assert await code_of(service, unknown.token) == "good"
    await until(lambda: service.is_following)
    await known_to(service, issued)


async def test_paused(open_on_redis: Open, own_redis: RedisServer) -> None:
    """A Redis that is paused for two seconds logs nobody out."""
    service = await open_on_redis()
    issued = await service.create(LOGIN)
    await known_to(service, issued)
    own_redis.command("CLIENT", "PAUSE", "2000", "ALL")
    end_at = time.monotonic() + 2.5
    while time.monotonic() < end_at:
        assert await code_of(service, issued.token) == "good"
        await asyncio.sleep(0.02)
    await until(lambda: service.is_following)
    await known_to(service, issued)


async def test_no_grace(open_on_redis: Open, own_redis: RedisServer) -> None:
    """Without grace a Redis that hangs is 503 for everybody: never 401, and never forgotten."""
    service = await open_on_redis(grace_s=0.0)
    issued = await service.create(LOGIN)
    await known_to(service, issued)
    await freeze_until_noticed(service, own_redis, issued.token)
    assert await code_of(service, issued.token) == "store_unavailable"
    own_redis.thaw()
    assert await code_of(service, issued.token) == "good"
