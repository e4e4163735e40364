"""The demo service behind the gateway: it answers with what it received.

It believes nobody and keeps nothing: bodies are counted as they pass.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

IDENTITY_HEADERS = (
    "X-OpenId",
    "X-Platform",
    "X-AppId",
    "X-Subject",
    "X-UnionId",
    "X-Session-Id",
    "X-Anonymous-OpenId",
)
"""Design section 7, the native profile."""


def build_echo() -> web.Application:
    """Build the service; any target and any method is answered, so it has no routes."""
    return web.Application(middlewares=[_echo])


@web.middleware
async def _echo(
    request: web.Request,
    handler: Handler,  # noqa: ARG001 - aiohttp passes it by name; nothing is behind us
) -> web.StreamResponse:
    body_bytes = 0
    async for piece in request.content.iter_any():
        body_bytes += len(piece)
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": [[_text(name), _text(value)] for name, value in request.raw_headers],
            "identity": {
                name: ", ".join(request.headers.getall(name))
                for name in IDENTITY_HEADERS
                if name in request.headers
            },
            "body_bytes": body_bytes,
        }
    )


def _text(field: bytes) -> str:
    return field.decode("utf-8", "backslashreplace")
