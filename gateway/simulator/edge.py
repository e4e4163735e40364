"""Between HTTP and the simulated platforms: reads a request, lets faults act, writes the answer.

It decides when a fault acts, before or after the platform has used up the code; what the platform
says is not its affair.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.simulator.calls import Asked, Call
from gateway.simulator.faults import Fault, Faults, Wire, spoil, wire
from gateway.simulator.tally import Tally

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Edge:
    """Turns calls into aiohttp handlers."""

    def __init__(self, faults: Faults, tally: Tally) -> None:
        self._faults = faults
        self._tally = tally

    def handler(self, call: Call) -> Handler:
        """Make the handler of one path."""

        async def handle(request: web.Request) -> web.StreamResponse:
            asked = await read(request)
            self._tally.count(call, asked)
            fault = self._faults.take(call.platform, call.kind)
            if fault is None:
                return write(wire(call.answer(asked)))
            return await _fail(request, call, asked, fault)

        return handle


async def read(request: web.Request) -> Asked:
    """Read a request as a platform does: a body of a type it does not expect holds nothing."""
    body = await request.read()
    form: dict[str, str] = {}
    fields: dict[str, object] = {}
    if request.content_type == "application/x-www-form-urlencoded":
        form = dict(reversed(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    elif request.content_type == "application/json":
        fields = _json_object(body)
    query = {name: request.query[name] for name in request.query}
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asked(request.method, query, form, fields, headers, bool(body))


def write(answer: Wire) -> web.Response:
    """Write an answer; aiohttp would add a charset, which the platforms do not."""
    headers = {"Content-Type": answer.content_type}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _fail(request: web.Request, call: Call, asked: Asked, fault: Fault) -> web.StreamResponse:
    if fault.kind == "redirect":
        return web.Response(status=307, headers={"Location": request.raw_path})
    # From here on the platform has done its work: the code is used up.
    answer = call.answer(asked) if fault.number is None else call.refuse(fault.number)
    if fault.kind == "slow":
        await asyncio.sleep(fault.slow_s)
    if fault.kind == "drop" and request.transport is not None:
        request.transport.close()
    return write(spoil(answer, fault.kind))


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
