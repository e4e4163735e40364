"""Knows a request again by its bytes: clients send the same head over one connection all day.

The first goes through aiohttp's parser and through admission. Where a later one's bytes differ in
nothing but the target and the token, and both hold only harmless characters, parser and admission
would say the same again; so they are not asked. Pure: it reads no socket and decides no route.
"""

from collections.abc import Callable

from gateway.admission import AdmissionLimits, Admitted
from gateway.errors import GatewayError
from gateway.headers import Field, Kind
from gateway.survey import TOKEN_PREFIX, Survey, is_plain_bearer
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
_AUTHORIZATION = Kind.AUTHORIZATION
_PREFIX = TOKEN_PREFIX
_SCHEME_BYTES = len(b"Bearer ")


class Recollection:
    """The last simple request of one connection, cut where the next may differ."""

    __slots__ = ("_admitted", "_after", "_bearer_at", "_before", "_misses", "_start")

    def __init__(self) -> None:
        self._admitted: Admitted | None = None
        self._start = self._before = self._after = b""
        self._bearer_at = -1  # which field holds the token
        self._misses = 0

    def keep(self, data: bytes, admitted: Admitted) -> None:
        """Remember a request that was parsed from exactly these bytes."""
        self._admitted = None
        self._misses += 1
        if self._misses > MAX_MISSES or not _is_simple(data, admitted):
            return
        self._start = admitted.method.encode("ascii") + b" "
        end = data.find(_END_OF_LINE)
        bearers = admitted.found.special.get(_AUTHORIZATION, [])
        if not bearers:
            self._before, self._after, self._bearer_at = data[end:], b"", -1
        elif len(bearers) == 1 and is_plain_bearer(bearers[0]) and data.count(bearers[0]) == 1:
            at = data.find(bearers[0])
            self._before, self._after = data[end : at + _SCHEME_BYTES], data[at + len(bearers[0]) :]
            self._bearer_at = [value for _, value in admitted.fields].index(bearers[0])
        else:
            return
        if data.startswith(self._start) and end > 0:
            self._admitted = admitted

    def read(
        self, data: bytes, new_request_id: Callable[[], str], limits: AdmissionLimits
    ) -> Admitted | None:
        """Read a whole head that is the same again; None: parse it."""
        last = self._admitted
        if last is None or len(data) > MAX_BYTES:
            return None
        end = data.find(_END_OF_LINE)
        if not (data.startswith(self._before, end) and data.endswith(self._after)):
            return None
        target = data[len(self._start) : end]
        token = data[end + len(self._before) : len(data) - len(self._after)]
        if not self._is_the_same(data, target, token):
            return None
        try:
            parsed = parse(target.decode("ascii"), limits.target_bytes)
        except GatewayError:
            return None  # who parses it comes to the same, and says so
        fields, found = self._with_token(last, token)
        if found.size_bytes > limits.headers_bytes:
            return None
        self._misses = 0
        request_id = last.client.request_id or new_request_id()
        # Field by field: `_replace` costs three times this.
        return Admitted(
            last.method,
            parsed,
            last.version,
            fields,
            found,
            last.client,
            request_id,
            last.host,
            last.host_field,
            last.content_length,
            last.is_chunked,
            last.expects_continue,
            last.is_websocket,
        )

    def _is_the_same(self, data: bytes, target: bytes, token: bytes) -> bool:
        """Tell whether these bytes are exactly: start, target, before, token, after."""
        if target.translate(None, _TARGET_BYTES) or token.translate(None, _TOKEN_BYTES):
            return False
        size_bytes = len(self._start) + len(target) + len(self._before) + len(token)
        return (
            size_bytes + len(self._after) == len(data)
            and data.startswith(self._start)
            and target.startswith(b"/")
            and (token.startswith(_PREFIX) if self._bearer_at >= 0 else not token)
        )

    def _with_token(self, last: Admitted, token: bytes) -> tuple[tuple[Field, ...], Survey]:
        """Put another token in place of the last one."""
        at, found = self._bearer_at, last.found
        if at < 0:
            return last.fields, found
        name, replaced = last.fields[at]
        value = b"Bearer " + token
        fields = (*last.fields[:at], (name, value), *last.fields[at + 1 :])
        size_bytes = found.size_bytes + len(value) - len(replaced)
        special = {**found.special, _AUTHORIZATION: [value]}
        return fields, Survey(size_bytes, found.copied, found.lines, special)


def _is_simple(data: bytes, admitted: Admitted) -> bool:
    """Whether nothing but the target and the token can matter: one head, no body, no upgrade."""
    is_plain = not (admitted.has_body or admitted.expects_continue or admitted.is_websocket)
    is_one_head = (
        data.find(_END_OF_HEAD) == len(data) - len(_END_OF_HEAD) and len(data) <= MAX_BYTES
    )
    # Of a head that came in pieces these may be the last, and look like a head of their own.
    is_whole = data.count(b"\r\n") == len(admitted.fields) + 2
    return is_plain and is_one_head and is_whole and admitted.content_length is None
