"""Knows a request again by its bytes: clients send the same head over one connection all day.

The first goes through aiohttp's parser and through admission. Where a later one's bytes differ in
nothing but the target and the token, and both hold only harmless characters, parser and admission
would say the same again; so they are not asked. Pure: it reads no socket and decides no route.
"""

from collections.abc import Callable

from gateway.admission import AdmissionLimits, Admitted
from gateway.errors import GatewayError
from gateway.headers import Kind
from gateway.survey import TOKEN_PREFIX
from gateway.target import parse

MAX_BYTES = 4096
"""Heads larger than this are not remembered: thousands of idle connections would hold them."""
MAX_MISSES = 4
"""A connection whose requests differ so many times in a row carries many clients: no more tries."""
_END_OF_LINE = b" HTTP/1.1\r\n"
_END_OF_HEAD = b"\r\n\r\n"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# No character here means anything to a parser of HTTP (RFC 3986 2.3, 3.4; no `#`, no space).
_TARGET_BYTES = _LETTERS + b"-._~/?%&=+,:@!$'()*;"
_TOKEN_BYTES = _LETTERS + b"-._"


class Recollection:
    """The last simple request of one connection, cut where the next may differ."""

    __slots__ = (
        "_admitted",
        "_after",
        "_after_bytes",
        "_before",
        "_before_bytes",
        "_field_count",
        "_has_token",
        "_misses",
        "_start",
        "_start_bytes",
    )

    def __init__(self) -> None:
        self._admitted: Admitted | None = None
        self._start = self._before = self._after = b""
        self._start_bytes = self._before_bytes = self._after_bytes = 0
        self._field_count = 0
        self._has_token = False
        self._misses = 0

    def keep(self, data: bytes, admitted: Admitted, field_count: int) -> None:
        """Remember a request that was parsed from exactly these bytes into so many fields."""
        self._admitted = None
        self._misses += 1
        if self._misses > MAX_MISSES or not _is_simple(data, admitted, field_count):
            return
        start = admitted.method.encode("ascii") + b" "
        end = data.find(_END_OF_LINE)
        before, after = data[end:], b""
        bearer = admitted.bearer
        if bearer is not None:
            before, _, after = before.partition(bearer)
        is_one_token = bearer is None or bearer not in after
        if end > 0 and data.startswith(start) and is_one_token and not _has_other_token(admitted):
            self._admitted, self._has_token = admitted, bearer is not None
            self._start, self._before, self._after = start, before, after
            self._start_bytes, self._before_bytes = len(start), len(before)
            self._after_bytes = len(after)
            self._field_count = field_count

    def read(
        self, data: bytes, new_request_id: Callable[[], str], limits: AdmissionLimits
    ) -> Admitted | None:
        """Read a whole head that is the same again; None: parse it."""
        last = self._admitted
        if last is None:
            return None
        end = data.find(_END_OF_LINE)
        at, stop = end + self._before_bytes, len(data) - self._after_bytes
        if at > stop or stop > MAX_BYTES or not data.startswith(self._before, end):
            return None
        target, token = data[self._start_bytes : end], data[at:stop]
        # Start, target and token must be what they may be; the rest is compared.
        is_the_same = (
            data.endswith(self._after)
            and data.startswith(self._start)
            and target.startswith(b"/")
            and (token.startswith(TOKEN_PREFIX) if self._has_token else not token)
            and not target.translate(None, _TARGET_BYTES)
            and not token.translate(None, _TOKEN_BYTES)
        )
        # Each field counts as if a space stood in it; the target, counted too, never does.
        if not is_the_same or len(data) + self._field_count > limits.headers_bytes:
            return None
        try:
            parsed = parse(target.decode("ascii"), limits.target_bytes)
        except GatewayError:
            return None  # who parses it comes to the same, and says so
        self._misses = 0
        # Field by field: `_replace` costs three times this.
        return Admitted(
            last.method,
            parsed,
            last.version,
            last.found,
            token if self._has_token else None,
            last.client,
            last.client.request_id or new_request_id(),
            last.host,
            last.host_field,
            last.forwarded,
            last.content_length,
            last.is_chunked,
            last.expects_continue,
            last.is_websocket,
        )


def _has_other_token(admitted: Admitted) -> bool:
    """Whether there is an `Authorization` beside the plain one; it may hold anything."""
    return Kind.AUTHORIZATION in admitted.found.special


def _is_simple(data: bytes, admitted: Admitted, field_count: int) -> bool:
    """Whether nothing but the target and the token can matter: one head, no body, no upgrade."""
    is_plain = not (admitted.has_body or admitted.expects_continue or admitted.is_websocket)
    is_one_head = (
        data.find(_END_OF_HEAD) == len(data) - len(_END_OF_HEAD) and len(data) <= MAX_BYTES
    )
    # Of a head that came in pieces these may be the last, and look like a head of their own.
    is_whole = data.count(b"\r\n") == field_count + 2
    return is_plain and is_one_head and is_whole and admitted.content_length is None
