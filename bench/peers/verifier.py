"""A stub of `/auth`: the smallest aiohttp server that checks our tokens' signatures.

It looks up no session, and so is faster than a whole `/auth` would be. It is started by the
benchmark: `python -m bench.peers.verifier PORT`, the key in BENCH_KEY.
"""

import asyncio
import hashlib
import hmac
import os
import sys
from base64 import urlsafe_b64encode

import uvloop
from aiohttp import web

PREFIX = "Bearer gw1."


def is_signed(key: bytes, authorization: str) -> bool:
    """Whether this is `Bearer gw1.` and a text with our signature."""
    value, _, signature = authorization.removeprefix(PREFIX).rpartition(".")
    digest = hmac.digest(key, value.encode(), hashlib.sha256)
    good = urlsafe_b64encode(digest).rstrip(b"=")
    return authorization.startswith(PREFIX) and hmac.compare_digest(good, signature.encode())


async def serve(port: int, key: bytes) -> None:
    """Answer 200 with an `X-OpenId`, or 401, until the process is ended."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if is_signed(key, request.headers.get("Authorization", "")):
            return web.Response(headers={"X-OpenId": "bench-openid"})
        return web.Response(status=401)

    server = web.Server(answer)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    await listening.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), bytes.fromhex(os.environ["BENCH_KEY"])))
