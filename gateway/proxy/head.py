"""Builds the heads that go out: the request's to the service, the answer's to the client. Pure.

The order is the promise of design section 7: drop hop-by-hop, drop reserved names, rebuild the
forwarded headers, copy the rest, append identity last. `explain` prints what is built here.
"""

from dataclasses import dataclass

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.headers import Field, copied_to_client, copied_to_upstream
from gateway.identity import identity_headers
from gateway.proxy.connection import AnswerHead
from gateway.target import strip

_LENGTHLESS = frozenset({101, 204})
"""Answers that end with their head whatever a length says, so none is said (RFC 9110 8.6)."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request head as the service will see it: `target` in origin form, fields in order."""

    method: str
    target: str
    fields: tuple[Field, ...]

    def encode(self) -> bytes:
        """Write it as HTTP/1.1 (RFC 9112 2.1)."""
        line = f"{self.method} {self.target} HTTP/1.1\r\n".encode("ascii")
        return line + b"".join(b"%b: %b\r\n" % field for field in self.fields) + b"\r\n"


def build_request(
    request: Admitted, grant: Grant, cookie_name: str | None, upstream_host: str | None
) -> Outgoing:
    """Build what is sent to the service; `upstream_host` replaces the client's `Host` if given.

    Raises: GatewayError target_refused, when the route's prefix cannot be cut off.
    """
    prefix = grant.route.strip_prefix
    path = request.target.raw if prefix is None else strip(request.target, prefix)
    query = "" if request.target.query is None else f"?{request.target.query}"
    fields: list[Field] = [(b"Host", (upstream_host or request.host_field).encode("ascii"))]
    fields += copied_to_upstream(request.fields, cookie_name)
    fields += _framing(request)
    fields += _forwarded(request, prefix)
    fields += identity_headers(grant.session)
    return Outgoing(request.method, path + query, tuple(fields))


def _framing(request: Admitted) -> list[Field]:
    """Say how the body comes; it is passed on in the framing it came in."""
    fields: list[Field] = []
    if request.is_websocket:
        fields += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    if request.is_chunked:
        fields.append((b"Transfer-Encoding", b"chunked"))
    elif request.content_length is not None:
        fields.append((b"Content-Length", b"%d" % request.content_length))
    if request.expects_continue and request.has_body:
        fields.append((b"Expect", b"100-continue"))
    return fields


def _forwarded(request: Admitted, prefix: str | None) -> list[Field]:
    client = request.client
    named = [
        ("X-Request-Id", request.request_id),
        ("X-Forwarded-For", ", ".join(hop for hop in client.chain if hop)),
        ("X-Forwarded-Proto", client.scheme),
        ("X-Forwarded-Host", client.host or request.host_field),
        ("X-Forwarded-Prefix", prefix or ""),
        ("X-Real-IP", client.address),
    ]
    return [(name.encode(), value.encode("ascii")) for name, value in named if value]


def build_answer(
    answer: AnswerHead,
    request_id: str,
    cookie_name: str | None,
    connection: bytes,
    *,
    is_chunked: bool,
) -> bytes:
    """Build the head the client gets, as bytes.

    `connection` is the finished Connection line or nothing; `is_chunked` says how we frame it.
    """
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}\r\n".encode("latin-1")]
    lines += [b"%b: %b\r\n" % field for field in copied_to_client(answer.fields, cookie_name)]
    if is_chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif answer.length is not None and answer.status not in _LENGTHLESS:
        lines.append(b"Content-Length: %d\r\n" % answer.length)
    lines.append(b"X-Request-Id: %b\r\n" % request_id.encode("ascii"))
    lines.append(connection)
    lines.append(b"\r\n")
    return b"".join(lines)
