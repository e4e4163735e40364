"""The proxy that aiohttp's documentation suggests: an `Application` and one `ClientSession`.

It is a program of its own, so that it is measured alone:
`python -m bench.peers.naive PORT ORIGIN-PORT`.
"""

import asyncio
import sys

import aiohttp
from aiohttp import hdrs, web

DROPPED = (hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH, hdrs.CONTENT_ENCODING)


def build(origin: str, session: aiohttp.ClientSession) -> web.Application:
    """Return the application: every request goes to the origin, whole, and comes back whole."""

    async def forward(request: web.Request) -> web.Response:
        headers = request.headers.copy()
        headers.popall(hdrs.HOST, None)
        body = await request.read()
        async with session.request(
            request.method, origin + request.path_qs, headers=headers, data=body or None
        ) as answer:
            copied = answer.headers.copy()
            for name in DROPPED:
                copied.popall(name, None)
            return web.Response(status=answer.status, headers=copied, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    return app


async def serve(port: int, origin: str) -> None:
    """Serve until the process is ended."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        runner = web.AppRunner(build(origin, session), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), f"http://127.0.0.1:{sys.argv[2]}"))
