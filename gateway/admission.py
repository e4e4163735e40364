"""Decides whether the bytes received are one well-formed request we want to read. Pure.

aiohttp's parser has passed it already; this refuses what that parser lets through and two
servers might read differently (attacks.md C2; RFC 9112 3, 6, 7; RFC 9110 7, 10.1.1).
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from gateway.clients import Client, Trust, forwarded_lines
from gateway.errors import GatewayError
from gateway.headers import Field, Kind
from gateway.host import read_host
from gateway.survey import Survey, check_names, connection_options, survey_request
from gateway.target import Target, parse

MAX_CONTENT_LENGTH_DIGITS = 15
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK", "PRI"})
_VERSIONS = frozenset({(1, 0), (1, 1)})
_HOST, _LENGTH, _CODING = Kind.HOST, Kind.LENGTH, Kind.CODING
_EXPECT, _UPGRADE = Kind.EXPECT, Kind.UPGRADE
_RARE = frozenset({_LENGTH, _CODING, _EXPECT, _UPGRADE, Kind.MISSPELT})
"""What most requests do without."""
_NONE: list[bytes] = []


class RawRequest(NamedTuple):
    """What arrived: the request line and the fields as bytes, and who sent it.

    `peer` is the socket's address, "" on a unix socket; `scheme` is that of our listener.
    """

    method: str
    target: str
    version: tuple[int, int]
    fields: tuple[Field, ...]
    peer: str
    scheme: str = "http"


class Admitted(NamedTuple):
    """A request that may be routed.

    `found` is what a pass over its fields found; `bearer` the token plainly carried, which counts
    here. `host` is for matching, `host_field` as the client wrote it. `forwarded` are the lines
    that tell a service of the client. `content_length` is None without the header. `is_websocket`
    asks for an upgrade to it; no other upgrade is ever kept.
    """

    method: str
    target: Target
    version: tuple[int, int]
    found: Survey
    bearer: bytes | None
    client: Client
    request_id: str
    host: str
    host_field: str
    forwarded: str
    content_length: int | None
    is_chunked: bool
    expects_continue: bool
    is_websocket: bool

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Sizes in bytes (design section 3, `server.limits`)."""

    headers_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024


def admit(raw: RawRequest, request_id: str, trust: Trust, limits: AdmissionLimits) -> Admitted:
    """Check a request and read what routing needs; `request_id` is used unless a peer has one.

    Raises: GatewayError bad_request, target_refused, target_too_long, headers_too_large,
    method_not_allowed.
    """
    found, size_bytes, bearer = survey_request(raw.fields)
    if size_bytes > limits.headers_bytes:
        raise _too_large(limits)
    if raw.version not in _VERSIONS:
        raise GatewayError("bad_request", "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if raw.method in REFUSED_METHODS:
        raise GatewayError("method_not_allowed", f"{raw.method} is not served")
    host_field = _read_host_field(found)
    host = read_host(host_field)
    if host is None:
        raise GatewayError("bad_request", "the Host header does not name a host")
    client = trust.client(raw.peer, raw.scheme, raw.fields)
    content_length, is_chunked, expects_continue, is_websocket = None, False, False, False
    if not _RARE.isdisjoint(found.special):
        check_names(found)
        content_length, is_chunked = _read_framing(found, raw.version)
        expects_continue = _read_expect(found, raw.version)
        is_websocket = _read_upgrade(raw, found, is_framed=is_chunked or content_length is not None)
    host_text = host_field.decode("ascii")
    return Admitted(
        raw.method,
        parse(_origin_form(raw.target, host), limits.target_bytes),
        raw.version,
        found,
        bearer,
        client,
        client.request_id or request_id,
        host,
        host_text,
        forwarded_lines(client, host_text),
        content_length,
        is_chunked,
        expects_continue,
        is_websocket,
    )


def _too_large(limits: AdmissionLimits) -> GatewayError:
    return GatewayError(
        "headers_too_large", f"the headers are larger than {limits.headers_bytes} bytes"
    )


def _read_host_field(found: Survey) -> bytes:
    hosts = found.special.get(_HOST, _NONE)
    if len(hosts) != 1:
        raise GatewayError("bad_request", "send exactly one Host header")
    return hosts[0]


def _origin_form(target: str, host: str) -> str:
    """Reduce an absolute-form to origin-form if it names the same host (RFC 9112 3.2.2)."""
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target
    authority, rest = absolute.groups()
    if not authority.isascii() or read_host(authority.encode()) != host:
        raise GatewayError("target_refused", "the target names another host")
    return rest if rest.startswith("/") else f"/{rest}"


def _read_framing(found: Survey, version: tuple[int, int]) -> tuple[int | None, bool]:
    """Read the body's framing; exactly one of two forms is understood (RFC 9112 6)."""
    codings = found.special.get(_CODING, _NONE)
    lengths = found.special.get(_LENGTH, _NONE)
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked" or version < (1, 1):
            raise GatewayError("bad_request", "the body's framing is ambiguous")
        return None, True
    if not lengths:
        return None, False
    digits = lengths[0]
    if len(lengths) > 1 or not digits.isdigit() or len(digits) > MAX_CONTENT_LENGTH_DIGITS:
        raise GatewayError("bad_request", "the Content-Length is not one plain number")
    return int(digits), False


def _read_expect(found: Survey, version: tuple[int, int]) -> bool:
    """Read `Expect` (RFC 9110 10.1.1); an HTTP/1.0 client cannot mean it."""
    expected = found.special.get(_EXPECT, _NONE)
    if not expected:
        return False
    if len(expected) > 1 or expected[0].lower() != b"100-continue":
        raise GatewayError("bad_request", "only 100-continue can be expected")
    return version >= (1, 1)


def _read_upgrade(raw: RawRequest, found: Survey, *, is_framed: bool) -> bool:
    """Tell a WebSocket handshake from an upgrade to anything else (RFC 6455 4.1; W2, W5)."""
    upgrades = found.special.get(_UPGRADE, _NONE)
    if not upgrades or b"upgrade" not in connection_options(found):
        return False  # not asked of this connection: the header is hop-by-hop and goes
    if len(upgrades) > 1 or upgrades[0].lower() != b"websocket":
        raise GatewayError("bad_request", "only an upgrade to websocket is served")
    if raw.method != "GET" or is_framed or raw.version < (1, 1):
        raise GatewayError("bad_request", "a WebSocket handshake is a GET without a body")
    return True
