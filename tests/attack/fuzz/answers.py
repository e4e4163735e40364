"""Fuzzes a service's answers: one whole answer or a failure, however the bytes come in pieces.

A differential oracle: what is called whole a strict reader of RFC 9112 6.3 calls whole, too, with
the same body; what has bytes behind it is never used again (attacks.md T17, T18, H20).
"""

import re
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.framing import AnswerHead
from gateway.proxy.head import build_answer, build_interim
from tests.attack.fuzz.fuzzer import Fuzzer, must
from tests.attack.fuzz.names import HOP_BY_HOP, IDENTITY, folded
from tests.attack.fuzz.pieces import cut_by

_METHODS = ("GET", "HEAD", "POST")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_HEAD = re.compile(rb"[\r\n]*(.*?)\r\n\r\n", re.DOTALL)
"""Empty lines before it, of whatever kind, are passed by: they cannot be taken for anything."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_NOT_FOR_CLIENTS = IDENTITY | {b"x-gateway-error", b"x-session-token"}
_COOKIE = "gw_session"


class _Transport:
    """A connection's other side, which takes nothing and is asked for nothing."""

    def __init__(self) -> None:
        self.is_aborted = False

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass(slots=True)
class Result:
    """What became of an answer."""

    answer: AnswerHead | None
    body: bytes
    is_complete: bool
    has_failed: bool
    is_reusable: bool
    is_upgraded: bool
    interims: list[AnswerHead] = field(default_factory=list)

    @property
    def outcome(self) -> tuple[object, ...]:
        """What must not depend on pieces; reuse may: a lone empty line ends a connection."""
        status = None if self.answer is None else (self.answer.status, self.answer.fields)
        return (self.is_complete, self.is_complete and (status, self.body))


def receive(pieces: list[bytes], method: str, *, ends: bool) -> Result:
    """Give an upstream connection the bytes; `ends`: the service closes behind them."""
    connection = UpstreamConnection(None)  # type: ignore[arg-type] # nothing waits: no loop is asked
    connection.connection_made(_Transport())  # type: ignore[arg-type] # all of it that is used
    connection.begin(method)
    body = b""
    for piece in pieces:
        connection.data_received(piece)
        body += _take(connection)
    if ends:
        connection.eof_received()
        body += _take(connection)
    is_complete = connection.is_complete and not connection.has_failed
    is_upgraded = connection.is_upgraded
    return Result(
        connection.answer,
        body,
        is_complete,
        connection.has_failed,
        connection.end(),
        is_upgraded,
        connection.early,
    )


def _take(connection: UpstreamConnection) -> bytes:
    try:
        return connection.take_or_fail() or b""
    except GatewayError as error:
        must(error.code == "upstream_error", "another failure")
        return b""


def check(data: bytes) -> None:
    """Read an answer whole and in pieces; the first three bytes say method, end and pieces."""
    if len(data) < 3:
        return
    method, ends = _METHODS[data[0] % len(_METHODS)], bool(data[0] & 0x80)
    raw = data[3:]
    whole = receive([raw] if raw else [], method, ends=ends)
    cut = receive(cut_by(data[1:3], raw), method, ends=ends)
    must(whole.outcome == cut.outcome, "in pieces it is another answer")
    for result in (whole, cut):
        _check_result(result, raw, method, ends=ends)


def _check_result(result: Result, raw: bytes, method: str, *, ends: bool) -> None:
    strict = read_answer(raw, method, ends=ends)
    for interim in result.interims:
        must(100 <= interim.status < 200, "no interim answer")
        _check_head(build_interim(interim, _COOKIE))
    if result.answer is not None and not result.is_upgraded:
        _check_answer(result.answer)
    if not result.is_complete or result.is_upgraded:
        must(not result.is_reusable, "a connection is used again that is not at an end")
        return
    must(strict is not None, "a whole answer was read where there is none")
    assert strict is not None
    status, body, rest = strict
    must(result.answer is not None and result.answer.status == status, "another status")
    must(result.body == body, "another body")
    # Empty lines are no answer to anybody: the parser passes them by.
    behind = rest.strip(b"\r\n")
    must(not result.is_reusable or not behind, "used again although there are bytes behind")
    must(not result.is_reusable or not ends, "used again although it has closed")


def _check_answer(answer: AnswerHead) -> None:
    framing = [name.lower() for name, _ in answer.fields]
    lengths = framing.count(b"content-length") + framing.count(b"transfer-encoding")
    must(lengths <= 1, "two lengths were taken")
    for is_chunked in (False, True):
        head = build_answer(answer, "id-of-ours", _COOKIE, b"", is_chunked=is_chunked)
        codings = _check_head(head).count(b"transfer-encoding")
        must(codings == is_chunked, "another framing is said")


def _check_head(head: bytes) -> list[bytes]:
    """Check a head and return its names, lower-cased.

    What a client gets is one head, and nothing in it is ours but what we say.
    """
    must(head.endswith(b"\r\n\r\n") and head.count(b"\r\n\r\n") == 1, "not one head")
    first, *lines = head[:-4].split(b"\r\n")
    must(_STATUS.fullmatch(first), "a malformed status line")
    names = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        must(found, "a malformed field")
        assert found is not None
        names.append(found[1].lower())
        is_cookie = names[-1] == b"set-cookie"
        must(not is_cookie or not re.match(rb"[= \t]*gw_session[ \t]*=", found[2]), "our cookie")
    must(not _NOT_FOR_CLIENTS & {folded(each) for each in names}, "a name that only we say")
    must(set(names) & HOP_BY_HOP <= {b"transfer-encoding"}, "a hop-by-hop name goes on")
    must(names.count(b"x-request-id") <= 1, "two request ids")
    return names


# -- a strict reader ------------------------------------------------------------------------------


def read_answer(raw: bytes, method: str, *, ends: bool) -> tuple[int, bytes, bytes] | None:
    """Read the first final answer: status, body, what is behind; None where there is none whole."""
    while True:
        found = _HEAD.match(raw)
        if found is None:
            return None
        rest = raw[found.end() :]
        first, *lines = found[1].split(b"\r\n")
        status, fields = _STATUS.fullmatch(first), [_FIELD.fullmatch(each) for each in lines]
        if status is None or None in fields:
            return None
        number = int(status[2])
        if number >= 200 or number == 101:
            break
        raw = rest
    values = [(each[1].lower(), each[2]) for each in fields if each is not None]
    lengths = [value for name, value in values if name == b"content-length"]
    codings = [value for name, value in values if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1 or number < 100:
        return None
    if method == "HEAD" or number in (204, 304):
        return number, b"", rest
    if codings:
        return _read_chunked(number, rest) if codings[0].lower() == b"chunked" else None
    if not lengths:
        return (number, rest, b"") if ends else None
    if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]) or len(rest) < int(lengths[0]):
        return None
    return number, rest[: int(lengths[0])], rest[int(lengths[0]) :]


def _read_chunked(status: int, rest: bytes) -> tuple[int, bytes, bytes] | None:
    body = b""
    while True:
        line, mark, rest = rest.partition(b"\r\n")
        size = _CHUNK.fullmatch(line)
        if not mark or size is None:
            return None
        length = int(size[1], 16)
        if not length:
            break
        if rest[length : length + 2] != b"\r\n":
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
    while True:
        line, mark, rest = rest.partition(b"\r\n")
        if not mark:
            return None
        if not line:
            return status, body, rest
        if not _FIELD.fullmatch(line):
            return None


_OK = b"HTTP/1.1 200 OK\r\n"
FUZZER = Fuzzer(
    name="answers",
    title="services' answers: heads, lengths, chunks, interim answers, what is behind them",
    modules=("gateway.proxy.connection", "gateway.proxy.framing", "gateway.proxy.head"),
    check=check,
    seeds=(
        b"\x00\x01\x00" + _OK + b"Content-Length: 2\r\n\r\nok",
        b"\x00\x05\x00" + _OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
        b"\x80\x02\x00" + _OK + b"\r\nuntil close",
        b"\x01\x02\x00" + _OK + b"Content-Length: 2\r\n\r\n",
        b"\x00\x09\x00HTTP/1.1 204 No Content\r\n\r\n",
        b"\x00\x09\x00HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"\x00\x03\x00HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        + _OK
        + b"Content-Length: 0\r\n\r\n",
        b"\x00\x07\x00HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nab",
        b"\x00\x01\x00" + _OK + b"Set-Cookie: gw_session=1\r\nX-OpenId: evil\r\nX_Platform: e\r\n"
        b"X-Gateway-Error: x\r\nConnection: close, X-A\r\nX-A: b\r\nContent-Length: 0\r\n\r\n",
        b"\x00\x01\x00HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
        b"\x00\x01\x00" + _OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    words=(
        *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"200 OK", b"204", b"304", b"100 Continue\r\n\r\n", b"101"),
        *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b": ", b"Content-Length: ", b"Content-Length: 2\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"chunked", b"identity", b"gzip", b", ", b"0\r\n\r\n"),
        *(b"1\r\na\r\n", b";x=y", b"Connection: ", b"close", b"keep-alive", b"Upgrade: websocket"),
        *(b"Set-Cookie: ", b"gw_session=", b"X-OpenId: ", b"x.openid", b"X-Request-Id: a\r\n"),
        *(b"ffffffff", b"\x00", b"\x80", b"\t", b" ", b"+1", b"-1", b"0x1", b"Trailer: x\r\n"),
    ),
    max_bytes=512,
)
