"""Three doors of running gateways before a real web application, shared by all cases.

They run on uvloop, as in production.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from tests.differential.comparing import Door, Line
from tests.differential.servers import serve_httpbin
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import RawClient, connect

ALLOW = ["double_slash", "encoded_slash", "semicolon"]
IDENTITY = ("x-openid", "x-platform", "x-appid", "x-subject", "x-unionid", "x-session-id")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loop that the tests here run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="package", params=["gunicorn", "waitress"])
def httpbin_port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Where httpbin listens, under one production server after the other."""
    log = tmp_path_factory.mktemp("httpbin") / f"{request.param}.log"
    with serve_httpbin(str(request.param), log) as port:
        yield port


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def doors(
    httpbin_port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[Door]]:
    """Without sessions, with one, and on a unix socket."""
    direct = partial(connect, httpbin_port)
    async with AsyncExitStack() as stack:

        async def serve(session: str, listen: str) -> RunningGateway:
            folder = tmp_path_factory.mktemp(session)
            changes = _changes(httpbin_port, session, listen)
            return await stack.enter_async_context(run_gateway(folder, changes))

        path = tmp_path_factory.mktemp("socket") / "gw.sock"
        await serve("optional", f"unix:{path}")
        free, closed = await serve("none", "127.0.0.1:0"), await serve("required", "127.0.0.1:0")
        token = await closed.login()
        all_doors = [
            Door(Line(partial(connect, free.port)), Line(direct)),
            Door(
                Line(partial(connect, closed.port)),
                Line(direct),
                token_lines=(f"X-Session-Token: {token}",),
                identity_lines=await _identity(closed, token),
            ),
            Door(Line(partial(_connect_unix, path)), Line(direct), is_local=True),
        ]
        yield all_doors
        for door in all_doors:
            await door.close()


def _changes(port: int, session: str, listen: str) -> dict[str, object]:
    return {
        "server": {"listen": listen},
        "upstreams": {"httpbin": {"targets": [f"http://127.0.0.1:{port}"]}},
        "routes": [
            {"path": "/", "upstream": "httpbin", "session": session, "allow": ALLOW},
            {"path": "/who-am-i", "upstream": "main", "session": session},
        ],
        "logs": {"format": "json"},
    }


async def _connect_unix(path: Path) -> RawClient:
    return RawClient(*await asyncio.open_unix_connection(path))


async def _identity(gateway: RunningGateway, token: str) -> tuple[str, ...]:
    """What a service is told of this session; that it is right is tested elsewhere."""
    assert (await gateway.get("/who-am-i", f"X-Session-Token: {token}")).status == 200
    (seen,) = gateway.upstream.requests
    lines = tuple(f"{name}: {value}" for name, value in seen.fields if name.lower() in IDENTITY)
    assert len(lines) >= 5
    return lines
