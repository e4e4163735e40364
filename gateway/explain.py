"""Says what would become of a request, sending nothing: the same steps as `entry`, in order."""

import asyncio
from dataclasses import dataclass

from aiohttp.base_protocol import BaseProtocol
from aiohttp.web_protocol import _ErrInfo

from gateway.access import Access
from gateway.admission import AdmissionLimits, RawRequest, admit
from gateway.clients import Trust
from gateway.endpoints.table import Endpoints
from gateway.errors import GatewayError
from gateway.limits import ProtocolLimits, refusal_of
from gateway.parser import RequestParser
from gateway.proxy.head import Outgoing, build_request, read_request
from gateway.proxy.upload import body_limit, check_length
from gateway.routing import Route
from gateway.sessions.model import Session


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen. Exactly one of `refusal`, `endpoint`, `outgoing`, or a `respond` route.

    `hosts` are the values that `Host` may have, where it is the chosen target's.
    """

    route: Route | None = None
    session: Session | None = None
    refusal: GatewayError | None = None
    endpoint: str | None = None
    outgoing: Outgoing | None = None
    hosts: tuple[str, ...] = ()

    @property
    def decision(self) -> str:
        """The outcome in a few words."""
        if self.refusal is not None:
            return f"refused: {self.refusal.outcome.status} {self.refusal.code}"
        if self.endpoint is not None:
            return f"answered by the gateway: {self.endpoint}"
        if self.outgoing is None:
            return "answered by the gateway: respond"
        return "forwarded"


@dataclass(frozen=True, slots=True)
class ExplainParts:
    """What the proxy itself decides with.

    `upstream_hosts` says for each upstream what may replace the client's `Host`: nothing, or that
    of the target that is chosen.
    """

    access: Access
    endpoints: Endpoints
    trust: Trust
    limits: AdmissionLimits
    body_bytes: int
    cookie_name: str | None
    upstream_hosts: dict[str, tuple[str, ...]]


async def explain(raw: RawRequest, request_id: str, parts: ExplainParts) -> Explanation:
    """Explain one request; a look-up in the session store is all that happens."""
    route: Route | None = None

    def saw(matched: Route) -> None:
        nonlocal route
        route = matched

    try:
        _parse(raw, parts.limits)
        admitted = admit(raw, request_id, parts.trust, parts.limits)
        found = parts.endpoints.find(admitted.host, admitted.target)
        if found is not None:
            parts.endpoints.check(found, admitted)
            return Explanation(endpoint=found.name)
        grant = await parts.access.decide(admitted, saw)
        if grant.route.upstream is None:
            return Explanation(route=route, session=grant.session)
        check_length(admitted, body_limit(grant.route, parts.body_bytes))
        hosts = parts.upstream_hosts[grant.route.upstream]
        head = build_request(admitted, grant, parts.cookie_name, hosts[0] if hosts else None)
    except GatewayError as error:
        return Explanation(route=route, refusal=error)
    return Explanation(route=route, session=grant.session, outgoing=read_request(head), hosts=hosts)


def _parse(raw: RawRequest, limits: AdmissionLimits) -> None:
    """Give the head to the gateway's own parser, which refuses before anything else is looked at.

    Raises: GatewayError, as `gateway.protocol` answers.
    """
    bounds = ProtocolLimits(limits.headers_bytes, limits.target_bytes)
    loop = asyncio.get_running_loop()
    line = f"{raw.method} {raw.target} HTTP/{raw.version[0]}.{raw.version[1]}\r\n"
    fields = b"".join(b"%b: %b\r\n" % field for field in raw.fields)
    head = line.encode("utf-8", "surrogateescape") + fields + b"\r\n"
    messages, _, _ = RequestParser(BaseProtocol(loop), loop, bounds).feed_data(head)
    for message, _ in messages:
        if isinstance(message, _ErrInfo):
            raise refusal_of(message.exc, message.message, bounds)


def describe(explanation: Explanation) -> str:
    """Write an explanation for a terminal; identity values are shown, tokens never are there."""
    lines = [f"decision  {explanation.decision}"]
    if explanation.refusal is not None and explanation.refusal.detail:
        lines.append(f"because   {explanation.refusal.detail}")
    if explanation.route is not None:
        route = explanation.route
        lines.append(f"route     {route.name} (session: {route.session})")
        lines.append(f"upstream  {route.upstream or 'none: respond'}")
    if explanation.outgoing is not None:
        outgoing = explanation.outgoing
        lines.append(f"sends     {outgoing.method} {outgoing.target}")
        if len(explanation.hosts) > 1:
            lines.append(f"Host is    that of the target chosen: {', '.join(explanation.hosts)}")
        lines += [f"          {_shown(name)}: {_shown(value)}" for name, value in outgoing.fields]
    return "\n".join(lines)


def _shown(text: bytes) -> str:
    """Write a name or value for a terminal, which must not take any of it for a command."""
    decoded = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in decoded)
