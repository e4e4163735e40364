"""The bounds of a client's connection, and what is answered to bytes that never became a request.

It reads no byte itself: the parser does, and `protocol` asks here what its refusal means.
"""

from dataclasses import dataclass

from aiohttp.http_exceptions import BadHttpMessage, InvalidURLError, LineTooLong

from gateway.errors import GatewayError

MAX_FIELDS = 128
"""Header fields of one request; aiohttp's own default, said aloud."""


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
    """Bounds of a listener: bytes, seconds, connections per process.

    `write_idle_s`: how long a client may take nothing of what is written; None: whoever writes
    sees to it.
    """

    headers_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers_s: float = 10.0
    keepalive_s: float = 75.0
    connections: int = 20000
    connections_per_ip: int = 2000
    write_idle_s: float | None = None

    @property
    def line_bytes(self) -> int:
        """The parser's bound on the request line; it tells 414 from 431 by the number."""
        return self.target_bytes + 1

    @property
    def field_bytes(self) -> int:
        return self.headers_bytes + (2 if self.headers_bytes == self.target_bytes else 1)


_REQUEST_LINE = "the request line is not method, target and HTTP/1.1 with single spaces"
_MEANINGS = (
    ("method", "the method is malformed, or none that is known"),
    ("'Host'", "the Host header is missing, or stands twice"),
    ("present with", "Content-Length and Transfer-Encoding exclude each other"),
    ("Content-Length", "Content-Length is malformed, or stands twice"),
    ("Transfer-Encoding", "Transfer-Encoding is malformed, or stands twice"),
    ("chunk", "the chunked body is malformed"),
    ("Connection: close", "something stands behind a request with Connection: close"),
    ("header", "a header field is malformed"),
    ("version", _REQUEST_LINE),
    ("status line", _REQUEST_LINE),
    ("start line", "a header field is malformed"),
    ("CR", "a line does not end in CRLF"),
)
"""A word in what aiohttp's parser says before it quotes bytes, and what that tells a client."""


class MalformedError(BadHttpMessage):
    """What our own part of the parser refuses; its message holds no byte of the request."""


class HeadTooLargeError(Exception):
    """A head that is larger than `headers_bytes`, before its end has come."""


def refusal_of(
    exc: BaseException | None, message: str | None, limits: ProtocolLimits
) -> GatewayError:
    """Say what a parser's refusal becomes, without a byte of what it refused."""
    if isinstance(exc, HeadTooLargeError):
        detail = f"the headers exceed {limits.headers_bytes} bytes"
        return GatewayError("headers_too_large", detail)
    if isinstance(exc, LineTooLong):
        is_target = exc.args[1] == limits.line_bytes  # (the line's beginning, the bound, the size)
        return GatewayError("target_too_long" if is_target else "headers_too_large")
    if message == "Too many headers received":
        return GatewayError("headers_too_large", f"more than {MAX_FIELDS} header fields")
    return GatewayError("bad_request", _meaning_of(exc, message or ""))


def _meaning_of(exc: BaseException | None, message: str) -> str:
    """Choose the detail; what aiohttp says itself may quote the request, so none of it is told."""
    if isinstance(exc, MalformedError):
        return exc.message
    if isinstance(exc, InvalidURLError):
        return "the request target is malformed"
    said = message.partition("\n")[0]
    meanings = (meaning for word, meaning in _MEANINGS if word in said)
    return next(meanings, "this is not well-formed HTTP/1.1")
