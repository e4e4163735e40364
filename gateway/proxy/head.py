"""Builds the heads that go out: the request's to the service, the answer's to the client. Pure.

The order is the promise of design section 7: drop hop-by-hop, drop reserved names, rebuild the
forwarded headers, copy the rest, append identity last. `explain` prints what is built here.
"""

from typing import NamedTuple

from gateway.access import Grant
from gateway.admission import Admitted
from gateway.headers import Field
from gateway.identity import identity_lines
from gateway.proxy.framing import AnswerHead
from gateway.survey import lines_to_client, lines_to_service
from gateway.target import strip

_LENGTHLESS = frozenset({101, 204})
"""Answers that end with their head whatever a length says, so none is said (RFC 9110 8.6)."""


class Outgoing(NamedTuple):
    """A request head as the service will see it: `target` in origin form, fields in order."""

    method: str
    target: str
    fields: tuple[Field, ...]


def read_request(head: bytes) -> Outgoing:
    """Read a head that was built here, to show it."""
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = line.decode("ascii").split(" ")
    named = (field.partition(b": ") for field in fields)
    return Outgoing(method, target, tuple((name, value) for name, _, value in named))


def build_request(
    request: Admitted, grant: Grant, cookie_name: str | None, upstream_host: str | None
) -> bytes:
    """Build the head sent to the service; `upstream_host` replaces the client's `Host` if given.

    Raises: GatewayError target_refused, when the route's prefix cannot be cut off.
    """
    prefix = grant.route.strip_prefix
    target = request.target
    path = target.raw if prefix is None else strip(target, prefix)
    query = "" if target.query is None else f"?{target.query}"
    host = upstream_host or request.host_field
    first = f"{request.method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n"
    session = grant.session
    identity = "" if session is None else session.identity or identity_lines(session)
    is_plain = request.content_length is None and not (request.is_chunked or request.is_websocket)
    framing = "" if is_plain else _framing(request)
    cut = f"X-Forwarded-Prefix: {prefix}\r\n" if prefix else ""
    last = f"{framing}X-Request-Id: {request.request_id}\r\n{cut}{request.forwarded}{identity}\r\n"
    found = request.found
    lines = found.lines if cookie_name is None else lines_to_service(found, cookie_name)
    return b"%b%b%b" % (first.encode("ascii"), lines, last.encode("ascii"))


def _framing(request: Admitted) -> str:
    """Say how the body comes; it is passed on in the framing it came in."""
    lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n" if request.is_websocket else ""
    if request.is_chunked:
        lines += "Transfer-Encoding: chunked\r\n"
    elif request.content_length is not None:
        lines += f"Content-Length: {request.content_length}\r\n"
    if request.expects_continue and request.has_body:
        lines += "Expect: 100-continue\r\n"
    return lines


def build_interim(interim: AnswerHead, cookie_name: str | None) -> bytes:
    """Build an interim answer's head (RFC 9110 15.2); it ends with itself and frames nothing."""
    lines = lines_to_client(interim.found, cookie_name)
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (interim.status, interim.reason, lines)


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
    found, framing = answer.found, b""
    if is_chunked:
        framing = b"Transfer-Encoding: chunked\r\n"
    elif answer.length is not None and answer.status not in _LENGTHLESS:
        framing = b"Content-Length: %d\r\n" % answer.length
    return b"HTTP/1.1 %d %b\r\n%b%bX-Request-Id: %b\r\n%b\r\n" % (
        answer.status,
        answer.reason,
        found.lines if cookie_name is None else lines_to_client(found, cookie_name),
        framing,
        request_id.encode("ascii"),
        connection,
    )
