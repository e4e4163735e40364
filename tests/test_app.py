"""A whole gateway: parts open and close in order; with Redis; with its store away."""

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.clock import now
from gateway.errors import GatewayError
from gateway.settings import Listen, Settings
from tests.support.gateway import RunningGateway, problem, run_gateway
from tests.support.own import ask_admin, bearer, send, who
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test alone."""
    yield from running_redis(tmp_path)


@pytest.fixture
async def on_redis(tmp_path: Path, redis: RedisServer) -> AsyncIterator[RunningGateway]:
    """A gateway that keeps its sessions in Redis."""
    async with run_gateway(tmp_path, {"session": {"store": redis.url}}) as running:
        yield running


async def ready(running: RunningGateway) -> int:
    return (await ask_admin(running, "GET /readyz", token=None)).status


# -- Redis ------------------------------------------------------------------------------------


async def test_login_call_and_logout_over_redis(on_redis: RunningGateway) -> None:
    """The whole life of a session."""
    running = on_redis
    first, second, other = [
        await running.login(),
        await running.login(),
        await running.login(user="bob"),
    ]
    assert await ready(running) == 200
    assert (await who(running, first)).status == 200
    assert running.upstream.requests[-1].value("X-Platform") == "wechat"
    assert (await running.get("/session", bearer(first))).status == 200
    assert (await send(running, "POST /logout", b"", bearer(first))).status == 204
    assert problem(await who(running, first))["code"] == "session_revoked"
    answer = await send(running, "POST /logout?everywhere=true", b"", bearer(second))
    assert answer.status == 204
    assert problem(await who(running, second))["code"] == "session_revoked"
    assert (await who(running, other)).status == 200


async def test_a_restart_over_redis(tmp_path: Path, redis: RedisServer) -> None:
    """The token lives on; a Redis that came back empty has forgotten it."""
    settings = {"session": {"store": redis.url}}
    async with run_gateway(tmp_path, settings) as running:
        token = await running.login()
    async with run_gateway(tmp_path, settings) as running:
        assert (await who(running, token)).status == 200
        redis.stop()
        redis.start()
        async with asyncio.timeout(10):
            while (answer := await who(running, token)).status == 200:  # noqa: ASYNC110 - another process tells nobody
                await asyncio.sleep(0.02)  # what is remembered is believed until Redis is heard
        assert problem(answer)["code"] == "session_expired"


async def test_the_store_away_is_never_a_401(on_redis: RunningGateway, redis: RedisServer) -> None:
    """503 with Retry-After, or every client would log in at once; back again, all is well."""
    running, token = on_redis, await on_redis.login()
    redis.stop()
    assert await ready(running) == 503
    code = await running.code()
    answers = [
        await who(running, token),
        await who(running, token, "/opt/1"),
        await running.get("/session", bearer(token)),
        await send(running, "POST /logout", b"", bearer(token)),
        await send(running, "POST /logout?everywhere=true", b"", bearer(token)),
        await running.post("/login", {"app": "shop-wechat", "code": code}),
    ]
    for answer in answers:
        assert (answer.status, problem(answer)["code"]) == (503, "store_unavailable")
        assert answer.value("Retry-After") == "1"
        assert answer.value("WWW-Authenticate") is None
    for path in ("/public/1", "/opt/1", "/hello.txt"):
        assert (await running.get(path)).status == 200, "what needs no session goes on"
    assert problem(await running.get("/orders/1"))["code"] == "session_missing"
    forged = await who(running, "gw1.forged")
    assert problem(forged)["code"] == "session_invalid", "a forged token needs no store"
    redis.start()
    async with asyncio.timeout(10):
        while await ready(running) != 200:  # noqa: ASYNC110 - nothing tells that Redis is back
            await asyncio.sleep(0.05)
    assert (await who(running, await running.login())).status == 200


async def test_a_store_that_hangs_is_given_up(on_redis: RunningGateway, redis: RedisServer) -> None:
    """After a second, as a refused connection is."""
    token = await on_redis.login()
    redis.freeze()
    try:
        began_s = asyncio.get_running_loop().time()
        answer = await who(on_redis, token)
        assert asyncio.get_running_loop().time() - began_s < 3
        assert (answer.status, problem(answer)["code"]) == (503, "store_unavailable")
        assert await ready(on_redis) == 503
    finally:
        redis.thaw()
    assert (await who(on_redis, token)).status == 200


# -- SQLite -----------------------------------------------------------------------------------


async def test_a_locked_file_fails_logins_but_not_lookups(running: RunningGateway) -> None:
    """Somebody else writes for ever: reading goes on, writing is 503."""
    token = await running.login()
    code = await running.code()
    lock = sqlite3.connect(running.folder / "data" / "gateway.db", isolation_level=None)
    with contextlib.closing(lock):
        lock.execute("BEGIN IMMEDIATE")
        assert (await who(running, token)).status == 200
        answer = await running.post("/login", {"app": "shop-wechat", "code": code})
        assert (answer.status, problem(answer)["code"]) == (503, "store_unavailable")
        lock.execute("ROLLBACK")
    await running.login()


async def test_a_broken_file_is_a_store_away(running: RunningGateway) -> None:
    """Rubbish where the records were: 503, never 401."""
    token = await running.login()
    for file in (running.folder / "data").glob("gateway.db*"):
        file.write_bytes(b"rubbish" * 4096)
    answer = await who(running, token)
    assert (answer.status, problem(answer)["code"]) == (503, "store_unavailable")
    assert (await running.get("/public/1")).status == 200


# -- opening and closing ----------------------------------------------------------------------


async def test_what_was_opened_is_closed_when_a_later_part_fails(tmp_path: Path) -> None:
    """A taken public address closes the admin listener, the store and the log again."""
    async with run_gateway(tmp_path) as running:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = listening_on(running.settings, taken.getsockname()[1])
            with pytest.raises(OSError, match="address already in use"):
                await Gateway(settings, now).__aenter__()
        assert (await who(running, await running.login())).status == 200


def listening_on(settings: Settings, port: int) -> Settings:
    """These settings with another public port."""
    server = settings.server.model_copy(update={"listen": Listen("127.0.0.1", port)})
    return settings.model_copy(update={"server": server})


async def test_a_store_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """The gateway does not serve without sessions."""
    async with run_gateway(tmp_path) as running:
        (tmp_path / "data" / "gateway.db").unlink()
        (tmp_path / "data" / "gateway.db").mkdir()
        with pytest.raises(GatewayError) as refused:
            await Gateway(running.settings, now).__aenter__()
        assert refused.value.code == "store_unavailable"


async def test_listeners_may_be_unix_sockets(tmp_path: Path) -> None:
    """Both of them; a socket left behind is replaced."""
    folder = Path("data")
    settings = {
        "server": {"listen": f"unix:{folder}/public.sock"},
        "admin": {"listen": f"unix:{folder}/admin.sock"},
    }
    for _ in range(2):
        async with run_gateway(tmp_path, settings):
            for name, path, wanted in (
                ("public", "/hello.txt", b"200"),
                ("admin", "/healthz", b"200"),
            ):
                reader, writer = await asyncio.open_unix_connection(
                    tmp_path / folder / f"{name}.sock"
                )
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n".encode()
                )
                assert wanted in await reader.readline()
                writer.close()
                await writer.wait_closed()


async def test_a_store_that_is_away_at_the_start_is_told(
    tmp_path: Path, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway serves all the same, and the log says what is missing."""
    redis.stop()
    async with run_gateway(tmp_path, {"session": {"store": redis.url}}) as running:
        assert (await running.get("/public/x")).status == 200
    assert "the session store is away" in caplog.text
    redis.start()
