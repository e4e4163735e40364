"""Talks to the gateway's own endpoints in tests, and looks for what must not be said."""

import json
import logging
from urllib.parse import urlencode

import aiohttp

from tests.support.gateway import ADMIN_TOKEN, APP_SECRET, RunningGateway
from tests.support.raw import Message, ask

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"


def head(line: str, *headers: str, host: str = "gw") -> bytes:
    """Write a request head."""
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode("latin-1")


async def send(
    running: RunningGateway, line: str, body: bytes = b"", *headers: str, host: str = "gw"
) -> Message:
    """Send one request with a body of declared length on a fresh connection."""
    length = [f"Content-Length: {len(body)}"] if body else []
    data = head(line, *headers, *length, host=host) + body
    return await ask(running.port, data, of=line.partition(" ")[0])


async def send_form(running: RunningGateway, path: str, **fields: str) -> Message:
    """POST urlencoded fields."""
    return await send(running, f"POST {path}", urlencode(fields).encode(), FORM)


async def exchanges(running: RunningGateway, platform: str) -> int:
    """How often the simulator's login was called for this platform."""
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{running.simulator_url}/_sim/calls") as response,
    ):
        counted = await response.json()
    return int(counted["platforms"][platform]["login"])


def token_of(answer: Message) -> str:
    """The token of a login that must have worked."""
    assert answer.status == 200, answer
    return str(json.loads(answer.body)["token"])


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


async def who(running: RunningGateway, token: str, path: str = "/orders/1") -> Message:
    """Ask a route for a session; the answer tells whether the token is good."""
    return await running.get(path, bearer(token))


def assert_unsaid(
    running: RunningGateway, answer: Message, log: list[logging.LogRecord], *private: str
) -> None:
    """Check that neither the answer nor any log holds the app secret or one of these texts.

    What the simulator and aiohttp's client debug is not the gateway's.
    """
    written = running.log_text()
    logged = "\n".join(logging.Formatter().format(record) for record in log)
    for text in (APP_SECRET, *filter(None, private)):
        assert text not in answer.raw_head.decode("latin-1")
        assert text.encode() not in answer.body
        assert text not in written
        assert text not in logged


async def ask_admin(
    running: RunningGateway,
    line: str,
    *headers: str,
    body: bytes = b"",
    token: str | None = ADMIN_TOKEN,
) -> Message:
    """Ask the admin listener."""
    given = [*headers, *([bearer(token)] if token is not None else [])]
    length = [f"Content-Length: {len(body)}"] if body else []
    data = head(line, *given, *length) + body
    return await ask(running.gateway.admin.port, data, of=line.partition(" ")[0])
