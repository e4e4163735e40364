"""One request to an endpoint of ours, and how its handler reaches aiohttp-session."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp_session
from aiohttp import web

from gateway.admission import Admitted
from gateway.observe import Visit
from gateway.sessions.model import Session


@dataclass(frozen=True, slots=True)
class Call:
    """A request, what was admitted of it, what stands in its path, and its body's fields.

    `visit` is its log line, for what an endpoint learns along the way.
    """

    request: web.BaseRequest
    admitted: Admitted
    path_fields: Mapping[str, str]
    fields: Mapping[str, object]
    visit: Visit

    @property
    def _request(self) -> web.Request:
        """aiohttp-session names `Request` in its types, but asks only what `BaseRequest` has."""
        return self.request  # type: ignore[return-value] # see above

    async def session(self) -> aiohttp_session.Session:
        """Load the caller's session. Raises: GatewayError session_*, token_conflict."""
        return await aiohttp_session.get_session(self._request)

    async def new_session(self) -> aiohttp_session.Session:
        """Forget the session the caller came with."""
        return await aiohttp_session.new_session(self._request)


Handler = Callable[[Call], Awaitable[tuple[web.Response, Session]]]
"""Answers a call, and tells whose session it concerned, for the log."""
