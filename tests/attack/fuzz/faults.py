"""Faults to plant, one for each fuzzer at least: who does not find them finds nothing.

Each is put into a running process, never into the code. `witness` is an input that shows it, kept
from the fuzzer: a quick test sees that the oracle tells.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway import admission, headers, target
from gateway.headers import Kind
from gateway.loader.tree import Reader
from gateway.parser import Fed, RequestParser
from gateway.platforms import baidu, base, douyin, kuaishou, replies, wechat
from gateway.proxy.connection import UpstreamConnection
from gateway.sessions.redis import records
from gateway.sessions.token import TokenSigner
from gateway.survey import Survey
from tests.attack.fuzz.tokens import FUZZER as TOKENS

Put = Callable[[object, str, object], None]
"""`setattr`, or what undoes it later."""
_GET = b"GET /public/x HTTP/1.1\r\nHost: gw.test\r\n"
_POST = b"POST /public/x HTTP/1.1\r\nHost: gw.test\r\n"
WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, the fuzzer that is to find it, and how it is planted."""

    fuzzer: str
    title: str
    put: Callable[[Put], None]
    witness: bytes

    def plant(self, put: Put = setattr) -> None:
        """Put it into this process."""
        self.put(put)
        forget()


def forget() -> None:
    """Drop what was worked out before a fault came, or went."""
    for kinds in (headers.IN_REQUEST, headers.IN_ANSWER):
        assert isinstance(kinds, dict)
        kinds.clear()
    target._parse_short.cache_clear()


def _spelling(put: Put) -> None:
    table = bytearray(headers._FOLD)
    table[ord(".")] = ord(".")
    put(headers, "_FOLD", bytes(table))


def _dots(put: Put) -> None:
    read = target._spell
    put(target, "_spell", lambda match: "%2E" if match[0] == "%2E" else read(match))


def _length(put: Put) -> None:
    read = admission._read_framing

    def take_the_first(found: Survey, version: tuple[int, int]) -> tuple[int | None, bool]:
        special = {
            kind: values[:1] if kind is Kind.LENGTH else values
            for kind, values in found.special.items()
        }
        return read(found._replace(special=special), version)

    put(admission, "_read_framing", take_the_first)


def _length_before_the_parser(put: Put) -> None:
    """Have the parser see only the last of several lengths: so do lenient servers."""
    feed = RequestParser.feed_data
    again = re.compile(rb"Content-Length:[^\r\n]*\r\n(?=Content-Length:)")

    def feed_data(self: RequestParser, data: bytes) -> Fed:
        return feed(self, again.sub(b"", data))

    put(RequestParser, "feed_data", feed_data)


def _openid(put: Put) -> None:
    check = base.check_openid

    def check_less(value: object, name: str = "openid") -> str:
        if isinstance(value, str) and len(value) > 1:
            check(value.replace(",", "-"), name)
            return value
        return check(value, name)

    for module in (wechat, douyin, baidu, kuaishou, replies):
        put(module, "check_openid", check_less)


def _token(put: Put) -> None:
    verify = TokenSigner._verify

    def verify_less(self: TokenSigner, token: str) -> tuple[str, int]:
        for good in (token[:-1] + letter for letter in "AEIMQUYcgkosw048"):
            try:
                return verify(self, good)
            except Exception:  # noqa: BLE001, S112 - a fault may be as coarse as it likes
                continue
        return verify(self, token)

    put(TokenSigner, "_verify", verify_less)


def _twice(put: Put) -> None:
    refuse = Reader._refuse

    def refuse_less(
        self: Reader, loc: object, node: object, found: str, *rest: str, **more: bool
    ) -> None:
        if "again (first on line" not in found:
            refuse(self, loc, node, found, *rest, **more)  # type: ignore[arg-type] # handed on as they came

    put(Reader, "_refuse", refuse_less)


def _behind(put: Put) -> None:
    put(UpstreamConnection, "on_message_begin", lambda _self: None)


def _moment(put: Put) -> None:
    put(records, "_moment", float)


FAULTS: Mapping[str, Fault] = {
    "spelling": Fault(
        "heads",
        "a dot in a header's name is not folded: `X.OpenId` passes",
        _spelling,
        _GET + b"X.OpenId: evil\r\n\r\n",
    ),
    "dots": Fault(
        "targets",
        "`%2E` is not decoded: `/%2E%2E/` passes, `/%2e%2e/` does not",
        _dots,
        b"/public/%2E%2E/admin",
    ),
    "length": Fault(
        "heads",
        "admission takes the first of two `Content-Length`",
        _length,
        _POST + b"Content-Length: 5\r\nContent-Length: 1\r\n\r\n12345",
    ),
    "cutting": Fault(
        "framing",
        "the parser sees the last of two `Content-Length`",
        _length_before_the_parser,
        b"\x00\x00" + _POST + b"Content-Length: 5\r\nContent-Length: 1\r\n\r\n12345",
    ),
    "wire": Fault(
        WIRE,
        "the same, in a gateway that runs: a length is read that another reader would not",
        _length_before_the_parser,
        _POST + b"Content-Length: 0\r\nContent-Length: 4\r\n\r\nGET ",
    ),
    "wire-spelling": Fault(
        WIRE,
        "a dot in a header's name is not folded, in a gateway that runs",
        _spelling,
        _GET + b"X.OpenId: evil\r\n\r\n",
    ),
    "openid": Fault(
        "replies",
        "an openid may hold a comma",
        _openid,
        b'\x00\x00{"openid":"a,b"}',
    ),
    "token": Fault(
        "tokens",
        "a token's last character is not looked at",
        _token,
        TOKENS.seeds[0][:-1] + (b"A" if TOKENS.seeds[0][-1:] != b"A" else b"E"),
    ),
    "twice": Fault(
        "configuration",
        "a key may stand twice in the settings",
        _twice,
        b"environment: development\nlogs: {level: info, level: debug}\n",
    ),
    "behind": Fault(
        "answers",
        "half an answer behind a whole one does not end the connection",
        _behind,
        b"\x00\x00\x00HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP",
    ),
    "moment": Fault(
        "records",
        "a session's moment may be infinite",
        _moment,
        b"\x02inf:sealed",
    ),
}
