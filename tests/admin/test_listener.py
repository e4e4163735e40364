"""The admin listener stands apart: nothing of it is public, and nothing public is on it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.admin.api import AdminApi
from gateway.admin.listener import LIMITS, AdminListener
from gateway.build import build_admin_api, build_sessions
from gateway.clock import now
from gateway.limits import ProtocolLimits
from tests.support.gateway import ADMIN_TOKEN, RunningGateway, problem
from tests.support.metrics import PLAIN
from tests.support.own import ask_admin, bearer, head, send
from tests.support.raw import RawClient, ask, connect

ADMIN_PATHS = ["/healthz", "/readyz", "/metrics", "/api/sessions", "/api/subjects/revoke"]


@pytest.mark.parametrize("path", ADMIN_PATHS)
@pytest.mark.parametrize("host", ["gw", "127.0.0.1:8081", "localhost", "admin"])
async def test_nothing_of_the_admin_side_is_public(
    running: RunningGateway, path: str, host: str
) -> None:
    """Under any Host, even with an admin token: only routes decide (attacks.md G9)."""
    for line in (f"GET {path}", f"POST {path}"):
        answer = await send(running, line, b"", bearer(ADMIN_TOKEN), host=host)
        # `/api/` is a route of these settings: it asks for a session, as for any path below.
        expected = "session_missing" if path.startswith("/api/") else "route_not_found"
        assert problem(answer)["code"] == expected
    assert running.upstream.requests == []


@pytest.mark.parametrize(
    "line",
    [
        "POST /login",
        "POST /logout",
        "GET /session",
        "GET /hello.txt",
        "GET /public/1",
        "GET /orders/1",
        "GET /api/v1/registers/wechat_program/wxshop",
        "GET http://gw/public/1",
    ],
)
async def test_nothing_public_is_on_the_admin_side(running: RunningGateway, line: str) -> None:
    """Neither own endpoints nor routes."""
    token = await running.login()
    answer = await ask_admin(running, line, token=token)
    assert (answer.status, problem(answer)["code"]) == (404, "route_not_found")
    assert running.upstream.requests == []


async def test_the_ports_differ(running: RunningGateway) -> None:
    """Two listeners, two addresses."""
    assert running.gateway.admin.port != running.port


# -- what never becomes a call ----------------------------------------------------------------

BARE = "GET /api/sessions HTTP/1.1\r\nHost: g\r\n"
REVOKE = "POST /api/subjects/revoke HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n"
SECRET = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("data", "status", "why"),
    [
        (f"{BARE}Authorization: Bearer {SECRET}\x00\r\n\r\n", 400, "a NUL in the token"),
        (f"{BARE}Authorization : Bearer {SECRET}\r\n\r\n", 400, "a space before the colon"),
        (f"{BARE}{SECRET}\r\n\r\n", 400, "a field without a colon"),
        (f"GET /{SECRET} HTTP/9.9\r\nHost: g\r\n\r\n", 400, "no such version"),
        (f"\x16\x03\x01{SECRET}\r\n\r\n", 400, "TLS, or anything else"),
        (f"{BARE}Authorization: Bearer {SECRET * 4000}\r\n\r\n", 431, "an endless token"),
        (f"GET /{SECRET * 1000} HTTP/1.1\r\nHost: g\r\n\r\n", 414, "an endless target"),
        (f"{BARE}Expect: {SECRET}\r\n\r\n", 400, "an expectation aiohttp would repeat"),
        (f"GET /nothing HTTP/1.1\r\nHost: g\r\nExpect: {SECRET}\r\n\r\n", 400, "the same, nowhere"),
        (
            f"{REVOKE}Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n{SECRET}\r\n",
            400,
            "a chunk's size that is none, once the call has begun",
        ),
    ],
)
async def test_what_cannot_be_read_is_repeated_nowhere(
    running: RunningGateway, caplog: pytest.LogCaptureFixture, data: str, status: int, why: str
) -> None:
    """A refusal of ours, without a server's name; neither it nor a log holds what was sent."""
    caplog.set_level(logging.DEBUG)
    answer = await ask(running.gateway.admin.port, data.encode("latin-1"))
    assert (answer.status, problem(answer)["status"]) == (status, status), why
    assert answer.value("Server") is None
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    for said in (answer.body.decode(), answer.raw_head.decode(), logged):
        assert SECRET not in said, why
        assert ADMIN_TOKEN not in said, why
    assert "Traceback" not in logged, why


async def test_a_refusal_reaches_who_is_still_sending(running: RunningGateway) -> None:
    """A body that nobody wants is read on for a while, or a reset would eat the answer."""
    sent = head("POST /api/subjects/revoke", "Content-Length: 3000000") + b"x" * 3000000
    answer = await ask(running.gateway.admin.port, sent)
    assert problem(answer)["code"] == "session_missing"
    assert answer.value("Connection") == "close"


async def test_a_connection_serves_many_calls(running: RunningGateway) -> None:
    """Also after a refusal that left nothing unread."""
    client = await connect(running.gateway.admin.port)
    for line, status in (("GET /nothing", 404), ("GET /healthz", 200), ("GET /api/sessions", 401)):
        await client.send(head(line))
        assert (await client.answer()).status == status
    await client.close()


# -- deadlines --------------------------------------------------------------------------------


def api_of(running: RunningGateway) -> AdminApi:
    """An admin API like the running one, whose sessions are never asked; its metrics are large."""

    async def metrics(accept: str) -> tuple[bytes, str]:
        return b"# \n" * 256 * 1024, PLAIN

    sessions = build_sessions(running.settings, now)
    return build_admin_api(running.settings, sessions, lambda: False, metrics)


@asynccontextmanager
async def hasty(running: RunningGateway, limits: ProtocolLimits) -> AsyncIterator[RawClient]:
    """A client of an admin listener with these limits."""
    listener = AdminListener(api_of(running), limits)
    await listener.open("127.0.0.1", 0)
    client = await connect(listener.port)
    yield client
    await client.close()
    await listener.close()


async def test_a_head_that_never_ends_is_not_waited_for(running: RunningGateway) -> None:
    """Nor is one that never begins."""
    for sent in (b"", b"GET /healthz HTTP/1.1\r\nHost: g\r\n"):
        async with hasty(running, ProtocolLimits(headers_s=0.1)) as client:
            await client.send(sent)
            assert await client.is_closed()


async def test_an_idle_connection_is_closed(running: RunningGateway) -> None:
    """After `keepalive_s`."""
    async with hasty(running, ProtocolLimits(keepalive_s=0.1)) as client:
        await client.send(head("GET /healthz"))
        assert (await client.answer()).status == 200
        assert await client.is_closed()


async def test_who_takes_nothing_is_not_waited_for(running: RunningGateway) -> None:
    """It needs no token to ask for metrics; who takes some, if slowly, has its time."""
    limits = ProtocolLimits(write_idle_s=0.2)
    asked = b"GET /metrics HTTP/1.1\r\nHost: gw\r\n\r\n" * 30
    async with hasty(running, limits) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # every socket's has it
        await client.send(asked)
        async with asyncio.timeout(10):
            while not client.writer.transport.is_closing():
                await asyncio.sleep(0.05)
                client.writer.write(b"G")
    async with hasty(running, limits) as client:
        await client.send(asked)
        for _ in range(30):
            assert (await client.answer()).status == 200
            await asyncio.sleep(0.005)


async def test_one_address_may_not_take_all(running: RunningGateway) -> None:
    """Connections are counted here too."""
    async with hasty(running, ProtocolLimits(connections=0)) as client:
        assert await client.is_closed()


def test_the_deadlines_are_those_of_nginx() -> None:
    """10 s for a head, 75 s without a call."""
    assert (LIMITS.headers_s, LIMITS.keepalive_s) == (10.0, 75.0)


async def test_a_unix_socket_serves_too(running: RunningGateway, tmp_path: Path) -> None:
    """As the settings may say."""
    listener = AdminListener(api_of(running))
    path = tmp_path / "admin.sock"
    await listener.open(None, None, path)
    client = RawClient(*await asyncio.open_unix_connection(path))
    await client.send(head("GET /healthz"))
    assert (await client.answer()).status == 200
    await client.close()
    await listener.close()


async def test_a_listener_that_never_opened_may_be_closed(running: RunningGateway) -> None:
    """As when its address was taken."""
    listener = AdminListener(api_of(running))
    with pytest.raises(OSError, match="in use"):
        await listener.open("127.0.0.1", running.gateway.admin.port)
    await listener.close()
