"""Fuzzes the cutting of a client's bytes into requests, in one piece and in several.

A differential oracle: what the parser takes for requests a strict reader of RFC 9112 takes for
the same ones, with the same bodies; where that reader is in doubt, nothing is forwarded.
"""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from gateway.admission import AdmissionLimits, RawRequest, admit
from gateway.clients import Trust
from gateway.errors import GatewayError
from gateway.limits import ProtocolLimits
from gateway.parser import RequestParser
from tests.attack.fuzz.fuzzer import Fuzzer, must
from tests.attack.fuzz.pieces import cut_by
from tests.attack.fuzz.reading import Reading, Sent, read

_LIMITS = ProtocolLimits()


class Connection:
    """What a parser needs of a connection and of a loop that nothing waits in."""

    _reading_paused = False
    ssl_context = peername = sockname = None

    def pause_reading(self) -> None: ...

    def resume_reading(self, *, resume_parser: bool = True) -> None: ...


@dataclass(slots=True)
class Parsed:
    """What came out: messages with their bodies, and whether it ended in an error or an upgrade."""

    messages: list[tuple[RawRequestMessage, StreamReader]] = field(default_factory=list)
    is_refused: bool = False
    is_upgraded: bool = False

    @property
    def whole(self) -> list[tuple[bytes, ...]]:
        """Those whose body has ended."""
        return [
            (message.method.encode(), message.path.encode("utf-8", "surrogateescape"), body(stream))
            for message, stream in self.messages
            if is_whole(stream)
        ]


def is_whole(stream: StreamReader) -> bool:
    """Whether a body has come to a good end."""
    return stream.is_eof() and stream.exception() is None


def body(stream: StreamReader) -> bytes:
    """What has come of a body."""
    return b"" if stream is EMPTY_PAYLOAD else b"".join(stream._buffer)


def parse(pieces: list[bytes]) -> Parsed:
    """Feed the gateway's parser as its connections do; each request is taken at once."""
    parser = RequestParser(
        Connection(),  # type: ignore[arg-type] # all that the parser touches
        Connection(),  # type: ignore[arg-type] # the same: nobody waits for a body here
        _LIMITS,
    )
    found = Parsed()
    for piece in pieces:
        fed = parser.feed_data(piece)
        while fed[0]:
            for message, stream in fed[0]:
                if not isinstance(message, RawRequestMessage):
                    found.is_refused = True
                    return found
                _as_aiohttp(message, stream)
                found.messages.append((message, stream))
                parser.message_consumed()
            if fed[1]:
                found.is_upgraded = True
                return found
            fed = parser.feed_data(b"")
    return found


def _as_aiohttp(message: RawRequestMessage, stream: StreamReader) -> None:
    """Make a request of it as aiohttp's task does, whose end any failure would be."""
    nobody: Any = Connection()
    web.BaseRequest(message, stream, nobody, nobody, nobody, nobody)


def check(data: bytes) -> None:
    """Read bytes in one piece and in several; the first two bytes say where it is cut."""
    seed, data = data[:2], data[2:]
    whole, cut = parse([data]), parse(cut_by(seed, data))
    reading = read(data)
    for parsed in (whole, cut):
        _compare(parsed, reading)
    must(whole.whole == cut.whole, "in pieces it is read otherwise")
    must(whole.is_refused == cut.is_refused, "in pieces it is refused, in one not, or the reverse")


def _compare(parsed: Parsed, reading: Reading) -> None:
    read_here = [*reading.requests, *([reading.last] if reading.last is not None else [])]
    for number, (message, stream) in enumerate(parsed.messages):
        if number >= len(read_here):
            must(_is_refused(message), "a request was read that was not sent")
            return
        is_last = number == len(reading.requests)  # which is not whole
        if is_last and reading.end == "doubt" and _is_refused(message):
            return
        _compare_one(message, stream, read_here[number])
        if is_last:
            fine = parsed.is_upgraded or not is_whole(stream)
            must(fine, "a body was read to an end that it does not have")
    if reading.end == "doubt":
        must(parsed.is_refused or parsed.is_upgraded, "a doubt was passed over")


def _compare_one(message: RawRequestMessage, stream: StreamReader, sent: Sent) -> None:
    must(message.method.encode() == sent.method, "another method was read")
    must(message.path.encode("utf-8", "surrogateescape") == sent.target, "another target was read")
    must(message.raw_headers == sent.fields, "other fields were read")
    must(sent.body.startswith(body(stream)), "another body was read")


def _is_refused(message: RawRequestMessage) -> bool:
    version = (message.version.major, message.version.minor)
    raw = RawRequest(message.method, message.path, version, message.raw_headers, "203.0.113.9")
    try:
        admit(raw, "0123456789abcdef", Trust((), "x-forwarded-for"), AdmissionLimits())
    except GatewayError:
        return True
    return False


_GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
_POST = b"POST /b HTTP/1.1\r\nHost: a\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
FUZZER = Fuzzer(
    name="framing",
    title="the cutting of bytes into requests: lengths, chunks, trailers, pipelines, pieces",
    modules=("gateway.parser", "gateway.chunks"),
    check=check,
    seeds=(
        b"\x00\x00" + _GET + _GET,
        b"\x05\x03" + _POST + b"Content-Length: 5\r\n\r\n12345" + _GET,
        b"\x01\x00" + _CHUNKED + b"5\r\n12345\r\n0\r\n\r\n" + _GET,
        b"\xff\x80" + _CHUNKED + b"2;x=y\r\nab\r\n00\r\nX: y\r\n\r\n\r\n" + _GET,
        b"\x07\x00" + _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x02\x00" + _GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\nrest",
        b"\x04\x00" + _POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n" + _GET,
        b"\x04\x00GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n" + _GET,
        b"\x04\x00CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x04\x00GET /a HTTP/1.0\r\nHost: a\r\n\r\n" + _GET,
    ),
    words=(
        *(
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
            b"\r",
            b"0\r\n\r\n",
            b"0\r\n",
            b"5\r\n12345\r\n",
            b"1\r\nx\r\n",
        ),
        *(b";x", b';x="y"', b"ffffffffffffffff", b"00000000", b"0x1", b"+1", b"-1", b" 1", b"1 "),
        *(b"Content-Length: ", b"Content-Length: 5\r\n", b"Transfer-Encoding: ", b"chunked"),
        *(b"chunked, chunked", b"gzip, chunked", b"identity", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n"),
        *(b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"/a", b"Host: a\r\n", b"Trailer: x\r\n"),
        *(b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n"),
        *(b"http://", b"xn--", b"xn--a", b"[]@", b"[::1]", b"@", b"?", b"#", b"%", b"00000000"),
        *(b": ", b":", b"\t", b" ", b"\x00", b"\x80", b"\x0b", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ),
    max_bytes=512,
)
