"""`POST /session/ticket`: a ticket for where no header can be set (design section 4).

What a ticket is good for is `gateway.sessions.tickets`' to decide; here its request is read.
"""

from collections.abc import Mapping

from aiohttp import web

from gateway.endpoints.call import Call
from gateway.endpoints.session import required_session
from gateway.errors import GatewayError
from gateway.sessions.minute_limit import MinuteLimit
from gateway.sessions.model import Session
from gateway.sessions.tickets import TICKET_S, Tickets
from gateway.target import parse

TICKETS_PER_MINUTE = 60
"""Of one login and process: more than any page opens, and each is written to the store."""


class MakeTicket:
    """Answers with a ticket of the caller's session; `target_bytes` bounds its path."""

    def __init__(self, tickets: Tickets, target_bytes: int, limit: MinuteLimit) -> None:
        self._tickets = tickets
        self._target_bytes = target_bytes
        self._limit = limit

    async def __call__(self, call: Call) -> tuple[web.Response, Session]:
        """Make a ticket.

        Raises: GatewayError bad_request, target_refused, target_too_long, rate_limited.
        """
        session = await required_session(call)
        path = _read_path(call.fields, self._target_bytes)
        self._limit.take(session.origin)
        ticket = await self._tickets.issue(session, path)
        return web.json_response({"ticket": ticket, "expires_in": TICKET_S}), session


def _read_path(fields: Mapping[str, object], max_bytes: int) -> str:
    """Read `path` as a request target's path is read: what comes back is the canonical one."""
    path = fields.get("path")
    if not isinstance(path, str) or not path.startswith("/") or "?" in path:
        raise GatewayError("bad_request", "`path` is the path to open, from its `/` to its query")
    return parse(path, max_bytes).path
