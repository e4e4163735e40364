"""aiohttp's C parser, fed one message at a time, and less lenient (attacks.md C2, T6 to T10).

It decides what aiohttp 3.14.5 lets through and RFC 9112 does not: more than single spaces in a
request line or RTSP in it (3), empty lines without end (2.2), chunk lines without measure (7.1).
Trailers never reach the parser, which takes the last one for a field of the next request.
"""

import logging
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from gateway.chunks import ChunkError, ChunkFollower
from gateway.limits import MAX_FIELDS, MalformedError, ProtocolLimits

if TYPE_CHECKING:
    import asyncio

    from aiohttp.base_protocol import BaseProtocol
    from yarl import URL

logger = logging.getLogger(__name__)

Message = tuple[RawRequestMessage | _ErrInfo, StreamReader]
Fed = tuple[Sequence[Message], bool, bytes]
"""As aiohttp's parser returns it: messages, whether the connection is upgraded, what is behind."""

READ_BYTES = 64 * 1024
MAX_WAITING = 32
"""Requests that may wait for their turn; aiohttp's own bound, where it stops reading."""
MAX_EMPTY_LINES = 2
"""Before a request line: a few are usual behind a body (RFC 9112 2.2)."""
_MAX_LENGTH_DIGITS = 20
"""Of a body's length: more is zeros in front, and Python refuses to read thousands."""
_END_OF_HEAD = b"\r\n\r\n"
_LINE = re.compile(rb"[^ \r]+ [^ \r]+ HTTP/1\.[01]")  # llhttp looks at the rest; it knows RTSP
_WHOLE_LINE = re.compile(rb"(?=[!-~])%b\r\n" % _LINE.pattern)


class RequestParser:
    """Takes the place of aiohttp's parser in its server protocol."""

    __slots__ = (
        "_body",
        "_empty_lines",
        "_held",
        "_inner",
        "_line",
        "_payload",
        "_seam",
        "_waiting",
        "is_between",
        "pause_reading",
        "set_upgraded",
    )

    def __init__(
        self, protocol: "BaseProtocol", loop: "asyncio.AbstractEventLoop", limits: ProtocolLimits
    ) -> None:
        self._inner = inner = HttpRequestParser(
            protocol,
            loop,
            READ_BYTES,
            max_line_size=limits.line_bytes,
            max_field_size=limits.field_bytes,
            max_headers=MAX_FIELDS,
            payload_exception=RequestPayloadError,
            auto_decompress=False,  # bodies pass as they are; no gzip bombs in the process
        )
        self.pause_reading = inner.pause_reading
        self.set_upgraded = inner.set_upgraded
        self.is_between = True  # no byte of the next head has come
        self._body: ChunkFollower | int | None = None  # that is coming; its bytes still to come
        self._payload: StreamReader = EMPTY_PAYLOAD  # of the request that was parsed last
        self._held = b""  # behind a request that must be read or taken first
        self._waiting = 0
        self._empty_lines = 0
        self._line: bytes | None = b""  # the request line so far; None behind it
        self._seam = b""  # the last bytes of half a head

    def message_consumed(self) -> None:
        """Note that a request has been taken."""
        self._waiting -= 1

    @property
    def is_in_head(self) -> bool:
        """Whether a next request has begun whose head is not there."""
        return self._body is None and not self.is_between

    def feed_data(self, data: bytes) -> Fed:
        """Parse what has come; b"" goes on with what could not be taken before.

        What is no request stands among the messages, as its error; nothing behind it counts.
        """
        messages: list[Message] = []
        try:
            if (
                self.is_between
                and not self._held
                and (end := data.find(_END_OF_HEAD) + len(_END_OF_HEAD)) >= len(_END_OF_HEAD)
                and _WHOLE_LINE.match(data)
                and self._may_begin
            ):
                # A whole head, as most come; what `_cut_head` would do, in one step.
                self.is_between = False
                upgraded, tail = self._parse(data[:end], messages, is_whole=True)
                data = data[end:]
                if not data or upgraded:
                    return messages, upgraded, tail + data
            upgraded, tail = self._parse_each(data, messages)
        except HttpProcessingError as error:
            return _broken(messages, error), False, b""
        except ChunkError as error:
            return _broken(messages, MalformedError(str(error))), False, b""
        except Exception as error:  # noqa: BLE001 - what yarl makes of a target may raise anything
            # aiohttp's task would end with it, and leave the connection to nobody.
            logger.debug("a request could not be parsed: %s", type(error).__name__)
            return _broken(messages, BadHttpMessage("")), False, b""
        return messages, upgraded, tail

    @property
    def _may_begin(self) -> bool:
        """Whether the next head may be parsed: the body before it is, and it may wait its turn."""
        return self._waiting < MAX_WAITING and self._payload.is_eof()

    def _parse_each(self, data: bytes, messages: list[Message]) -> tuple[bool, bytes]:
        """Parse heads and bodies one by one; keep what must wait."""
        if not data:
            self._parse(b"", messages)  # the parser goes on, too, with what it had to keep
        rest, self._held = self._held + data, b""
        while rest:
            is_whole = False
            if self._body is not None:
                piece, rest = self._cut_body(self._body, rest)
            elif self._may_begin:
                piece, rest, is_whole = self._cut_head(rest)
            else:
                self._held = rest
                break
            upgraded, tail = self._parse(piece, messages, is_whole=is_whole)
            if upgraded:
                return True, tail + rest
        return False, b""

    def _parse(
        self, piece: bytes, messages: list[Message], *, is_whole: bool = False
    ) -> tuple[bool, bytes]:
        """Parse a piece of one message; `is_whole` says that a head ends with it."""
        found, upgraded, tail = self._inner.feed_data(piece)
        if len(found) != is_whole:
            raise MalformedError("two readers of a head disagree about its end")
        for message, payload in found:
            if not message.path.startswith("/"):
                _read_host(message.url)
            messages.append((message, payload))
            self._begin_body(message, payload)
        return upgraded, tail

    # -- heads ----------------------------------------------------------------------------------

    def _cut_head(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return the part of it that is the next head, the rest, and whether the head ends."""
        if self.is_between:
            data = self._pass_empty_lines(data)
            if not data:
                return b"", b"", False
            self.is_between = False
        self._check_line(data)
        begun = len(self._seam)
        joined = self._seam + data
        end = joined.find(_END_OF_HEAD)
        if end < 0:
            self._seam = joined[1 - len(_END_OF_HEAD) :]
            return data, b"", False
        end += len(_END_OF_HEAD) - begun
        return data[:end], data[end:], True

    def _pass_empty_lines(self, data: bytes) -> bytes:
        while data.startswith(b"\r\n"):
            data = data[2:]
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise MalformedError("too many empty lines before a request")
        if data == b"\r":  # its LF may be on the way
            self._held, data = data, b""
        if data.startswith((b"\r", b"\n")):
            raise MalformedError("a line ends in CR or LF alone")
        return data

    def _check_line(self, data: bytes) -> None:
        """Check a request line when its end has come (RFC 9112 3)."""
        if self._line is None:
            return
        end = data.find(b"\r")
        self._line += data if end < 0 else data[:end]
        if end >= 0:
            if _LINE.fullmatch(self._line) is None:
                raise MalformedError(
                    "the request line is not method, target and HTTP/1.1 with single spaces"
                )
            self._line = None

    # -- bodies ---------------------------------------------------------------------------------

    def _begin_body(self, message: RawRequestMessage, payload: StreamReader) -> None:
        self._waiting += 1
        self._payload = payload
        self._seam = b""
        if payload is EMPTY_PAYLOAD:
            self._begin_anew()
        elif message.chunked:
            self._body = ChunkFollower()
        else:  # CONNECT has neither: all that comes is behind it
            self._body = _length_of(message) or sys.maxsize

    def _cut_body(self, body: ChunkFollower | int, data: bytes) -> tuple[bytes, bytes]:
        """Return the part of it that is this body, and what is behind that."""
        if isinstance(body, int):
            piece, rest = data[:body], data[body:]
            self._body = body - len(piece)
            has_ended = not self._body
        else:
            piece, behind = body.feed(data)
            rest, has_ended = behind or b"", behind is not None
        if has_ended:
            self._begin_anew()
        return piece, rest

    def _begin_anew(self) -> None:
        self._body = None
        self.is_between = True
        self._empty_lines = 0
        self._line = b""


def _length_of(message: RawRequestMessage) -> int:
    digits = message.headers.get("Content-Length", "0")
    if len(digits) > _MAX_LENGTH_DIGITS:
        raise MalformedError("the Content-Length is not one plain number")
    return int(digits)


def _read_host(url: "URL") -> None:
    """Read what aiohttp's request will read, where a failure is still a refusal.

    Raises: MalformedError, for a name such as `xn--`, which IDNA cannot have written.
    """
    try:
        if url.absolute:
            _ = (url.with_scheme("http") if url.scheme else url).host, url.relative()
    except ValueError:
        raise MalformedError("the target's host is no name") from None


def _broken(messages: list[Message], error: HttpProcessingError) -> list[Message]:
    """Put an error behind the requests before it; one whose own body is broken never starts."""
    if messages and not messages[-1][1].is_eof():
        del messages[-1]
    messages.append((_ErrInfo(status=400, exc=error, message=error.message), EMPTY_PAYLOAD))
    return messages
