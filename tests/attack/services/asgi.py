"""An ASGI application that writes down every request it thinks it got."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.attack.services.noting import Note

Message = dict[str, Any]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Read the body, write the request down, answer with its request line."""
    if scope["type"] != "http":  # a WebSocket handshake is turned down
        await receive()
        await send({"type": "websocket.close"})
        return
    note = _begin(scope)
    is_whole, more = True, True
    while more and is_whole:
        message = await receive()
        is_whole = message["type"] == "http.request"
        note.add(message.get("body", b""))
        more = message.get("more_body", False)
    body = note.end(is_whole=is_whole)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _begin(scope: Message) -> Note:
    query = scope["query_string"]
    target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
    names = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Note(scope["method"], target, names)
