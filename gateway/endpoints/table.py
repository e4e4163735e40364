"""Decides which requests the gateway answers itself, and carries them through aiohttp-session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.admission import Admitted
from gateway.endpoints.body import read_fields
from gateway.endpoints.call import Call, Handler
from gateway.errors import Answer, GatewayError, wrong_method
from gateway.observe import Visit
from gateway.settings.paths import PLACES, login_pattern
from gateway.target import Target

_PLACES = dict.fromkeys(PLACES, "[^/]+")
"""What may stand in an alias path where the settings name a place."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of our own paths: a name for the log, its methods, and who answers."""

    name: str
    path: str
    methods: tuple[str, ...]
    handler: Handler


@dataclass(frozen=True, slots=True)
class Found:
    """An endpoint that a request names, with what stands in its path."""

    endpoint: Endpoint
    path_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.endpoint.name


class Endpoints:
    """The gateway's own paths, on all hosts or on the ones named."""

    def __init__(
        self, endpoints: Sequence[Endpoint], hosts: Sequence[str], middleware: Middleware
    ) -> None:
        self._exact = {each.path: Found(each) for each in endpoints if "{" not in each.path}
        self._patterns = [(login_pattern(e.path, _PLACES), e) for e in endpoints if "{" in e.path]
        self._hosts = frozenset(hosts)
        self._middleware = middleware

    def find(self, host: str, target: Target) -> Found | None:
        """Find the endpoint of a request, if it is one of ours."""
        if self._hosts and host not in self._hosts:
            return None
        if found := self._exact.get(target.path):
            return found
        for pattern, endpoint in self._patterns:
            if match := pattern.fullmatch(target.path):
                return Found(endpoint, match.groupdict())
        return None

    def check(self, found: Found, admitted: Admitted) -> None:
        """Check that an endpoint takes this request. Raises: GatewayError."""
        if admitted.is_websocket:
            raise GatewayError("bad_request", "this path speaks no WebSocket")
        if admitted.method not in found.endpoint.methods:
            raise wrong_method(found.endpoint.methods)

    async def answer(
        self, found: Found, request: web.BaseRequest, admitted: Admitted, visit: Visit
    ) -> Answer:
        """Answer one of our own requests. Raises: GatewayError."""
        self.check(found, admitted)
        fields = await read_fields(request, admitted)  # also where none are used: a body is read
        call = Call(request, admitted, found.path_fields, fields, visit)

        async def handle(_request: web.BaseRequest) -> web.StreamResponse:
            response, session = await found.endpoint.handler(call)
            visit.platform, visit.app = session.platform, session.app
            visit.subject = session.trace
            return response

        # It loads, and after the handler saves, the session; it works over any BaseRequest.
        response = await self._middleware(request, handle)  # type: ignore[arg-type] # see above
        return _as_answer(response, admitted.request_id)


def _as_answer(response: web.StreamResponse, request_id: str) -> Answer:
    body = response.body if isinstance(response, web.Response) else b""
    headers = [
        (name, value) for name, value in response.headers.items() if name != "Content-Length"
    ]
    headers += [("Cache-Control", "no-store"), ("X-Request-Id", request_id)]
    return Answer(response.status, tuple(headers), body if isinstance(body, bytes) else b"")
