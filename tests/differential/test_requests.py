"""A service reads each request as the client wrote it: the same cases, seen from behind.

What a web application shows of a request has lost order, case and repetition; raw bytes have not.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.differential import answers_table, requests_table
from tests.differential.cases import HOST, Case
from tests.differential.comparing import FRAMING, Line
from tests.support.gateway import RunningGateway, run_gateway
from tests.support.raw import connect, read_chunked
from tests.support.wire import Service

TABLES = {**requests_table.TABLES, **answers_table.TABLES}
ALLOW = ["double_slash", "encoded_slash", "semicolon"]
REWRITTEN = (*FRAMING, "expect")
"""Written anew by us: of equal meaning, in a place of their own."""
ADDED = ["X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway that passes everything on to a service which records bytes."""
    route = {"path": "/", "upstream": "main", "session": "none", "allow": ALLOW}
    async with run_gateway(tmp_path, {"routes": [route], "logs": {"format": "json"}}) as running:
        yield running


@pytest.mark.parametrize("table", sorted(TABLES))
async def test_a_request_reaches_the_service_as_it_was_sent(
    gateway: RunningGateway, table: str
) -> None:
    """Request line, names, values, order, case and body; ours stand behind the client's."""
    line = Line(partial(connect, gateway.port))
    for case in TABLES[table]:
        sent = Case(case.name, case.method, case.target, case.lines, case.body, case.version)
        await line.ask(sent, sent.head())
        (seen,) = gateway.upstream.requests
        gateway.upstream.requests.clear()
        target = case.target.removeprefix(f"http://{HOST}")
        assert seen.line == f"{case.method} {target} HTTP/1.1", case.name
        lines = seen.raw_head.decode("latin-1").split("\r\n")[1:-2]
        kept = [each for each in lines if each.partition(":")[0].lower() not in REWRITTEN]
        assert kept[: -len(ADDED)] == _expected_lines(case), case.name
        assert [each.partition(":")[0] for each in kept[-len(ADDED) :]] == ADDED
        assert seen.body == await _body_of(case), case.name
    await line.close()


def _expected_lines(case: Case) -> list[str]:
    pairs = [each.partition(":") for each in (f"Host: {HOST}", *case.sent_on.lines)]
    return [
        f"{name}: {value.strip(' ' + chr(9))}"  # white space around a value is none of its own
        for name, _, value in pairs
        if name.lower() not in REWRITTEN
    ]


async def _body_of(case: Case) -> bytes:
    if not any(line.lower() == "transfer-encoding: chunked" for line in case.lines):
        return case.body
    reader = asyncio.StreamReader()
    reader.feed_data(case.body)
    reader.feed_eof()
    return await read_chunked(reader)


async def test_a_method_few_servers_know_is_refused(gateway: RunningGateway) -> None:
    """Legal, but none of those a route may take: 405, and no service hears of it (G4)."""
    service = Service(gateway.upstream)
    for method in ("PROPFIND", "M-SEARCH", "REPORT", "MKCOL", "LOCK", "NOTIFY", "PURGE", "LINK"):
        answer = await gateway.get("/anything", method=method)
        assert answer.status == 405
        assert answer.value("X-Gateway-Error") == "method_not_allowed"
    assert service.is_quiet
