"""What tests of the admin API share: its tokens, its calls, and a listener of one's own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.admin.api import AdminApi
from gateway.admin.listener import AdminListener
from tests.support.gateway import ADMIN_TOKEN, RunningGateway
from tests.support.own import JSON, ask_admin, bearer, head
from tests.support.raw import Message, ask

READ_TOKEN = "read-token-for-tests"
REVOKE_TOKEN = "revoke-token-for-tests"


async def listed(running: RunningGateway, query: str = "") -> dict[str, list[dict[str, object]]]:
    answer = await ask_admin(running, f"GET /api/sessions{query}")
    assert answer.status == 200, answer
    body: dict[str, list[dict[str, object]]] = json.loads(answer.body)
    return body


async def revoke(running: RunningGateway, fields: object, **more: str) -> Message:
    body = json.dumps(fields).encode()
    return await ask_admin(running, "POST /api/subjects/revoke", JSON, body=body, **more)


@asynccontextmanager
async def listening(api: AdminApi) -> AsyncIterator[int]:
    """An admin listener of its own; yields its port."""
    listener = AdminListener(api)
    await listener.open("127.0.0.1", 0)
    try:
        yield listener.port
    finally:
        await listener.close()


async def revoke_at(port: int, fields: object) -> Message:
    body = json.dumps(fields).encode()
    length = f"Content-Length: {len(body)}"
    line = "POST /api/subjects/revoke"
    return await ask(port, head(line, JSON, bearer(ADMIN_TOKEN), length) + body)


async def call_admin(
    running: RunningGateway, name: str, fields: object, *, token: str = ADMIN_TOKEN
) -> Message:
    """POST JSON to `/api/subjects/<name>`."""
    body = json.dumps(fields).encode()
    return await ask_admin(running, f"POST /api/subjects/{name}", JSON, body=body, token=token)
