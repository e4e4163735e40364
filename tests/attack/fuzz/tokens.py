"""Fuzzes tokens, tickets and what is sealed: good is what was made here, byte for byte.

attacks.md S1 to S4; X2 for tickets.
"""

import base64
import hashlib
from collections.abc import Coroutine
from typing import TypeVar

from gateway.errors import GatewayError
from gateway.sessions.keyring import KeyRing, SealedError
from gateway.sessions.model import Session, Subject
from gateway.sessions.tickets import Tickets
from gateway.sessions.token import TokenSigner, is_session_key, session_key_of
from tests.attack.fuzz.fuzzer import MARKER, Fuzzer, must

_T = TypeVar("_T")
_KEYS = ("new-key-of-the-fuzzers-0123456789abcdef", "old-key-of-the-fuzzers-0123456789abcdef")
_NOW, _LIFETIME_S = 1_700_000_000.0, 3600.0
_IDS = ("AAAAAAAAAAAAAAAAAAAAAAAA", "abcdefghijklmnopqrstuvwx", "-_-_-_-_-_-_-_-_-_-_-_", "z" * 64)
_DATES = (_NOW, _NOW + 60, _NOW - _LIFETIME_S)
_MINTED = {
    TokenSigner(keys).sign(session_id, date): (session_id, int(date))
    for keys in ((_KEYS[0],), (_KEYS[1],))
    for session_id in _IDS
    for date in _DATES
}
_OUT = frozenset(
    TokenSigner(_KEYS).sign(session_id, date)
    for session_id in _IDS[:2]
    for date in (_NOW + 61, _NOW - _LIFETIME_S - 1, 0.0)
)
"""Ours too, but dated ahead or too old."""
_STRANGE = TokenSigner(("another-key-0123456789abcdef-0123456789",)).sign(_IDS[0], _NOW)
_SIGNER = TokenSigner(_KEYS)
_RING = KeyRing((b"k" * 32, b"o" * 32), bytes)
_SEALED = {_RING.seal(MARKER, "context"): MARKER, _RING.seal("", "context"): ""}
_SESSION = Session(
    key=session_key_of(_IDS[0]),
    subject=Subject("wechat", "wxfuzz", "user", "o1"),
    app="fuzz",
    openid="o1",
    unionid=None,
    anonymous_openid=None,
    created_at=_NOW,
    expires_at=_NOW + 99,
    last_used_at=_NOW,
)
_PATHS = ("/live/a", "/")


class _Notes:
    """A store of notes whose values the fuzzer may choose, and a service that knows one session."""

    def __init__(self) -> None:
        self.notes: dict[str, bytes] = {}
        self.rubbish: bytes | None = None

    async def keep_note(self, name: str, value: bytes, until: float) -> bytes | None:
        if name in self.notes:
            return self.notes[name]
        self.notes[name] = value
        return None

    async def read_note(self, name: str) -> bytes | None:
        must(is_session_key(name), "a note's name that is no hash")
        return self.notes.get(name, self.rubbish)

    async def take_note(self, name: str) -> bytes | None:
        return await self.read_note(name)

    async def living(self, key: str) -> Session:
        must(is_session_key(key), "a session is asked for by what is no key")
        if key != _SESSION.key:
            raise GatewayError("session_expired")
        return _SESSION


def _done(coroutine: Coroutine[object, None, _T]) -> _T:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: _T = end.value
        return value
    raise AssertionError("it waits")


def _tickets() -> tuple[_Notes, Tickets, dict[str, str]]:
    notes = _Notes()
    numbers = iter(range(256))
    tickets = Tickets(notes, notes, lambda: _NOW, lambda size: bytes((next(numbers),)) * size)
    return notes, tickets, {_done(tickets.issue(_SESSION, path)): path for path in _PATHS}


_GIVEN = tuple(_tickets()[2])


def check(data: bytes) -> None:
    """Try a token, a ticket, a note and a sealed text."""
    text = data.decode("utf-8", "surrogateescape")
    _check_token(text)
    _check_ticket(text, None)
    _check_ticket(_GIVEN[0][:-1] + "B", data)
    _check_sealed(data)


def _check_token(text: str) -> None:
    try:
        found = _SIGNER.read_dated(text, _NOW, _LIFETIME_S)
    except GatewayError as error:
        must(error.code in {"session_invalid", "session_expired"}, "another refusal")
        must(text not in _MINTED, "a good token was refused")
        must(error.code == "session_invalid" or text in _OUT, "a forged token is called old")
        must(len(text) < 8 or text not in str(error), "a refusal repeats the token")
        return
    must(text in _MINTED, "a token is good that was not made here")
    must(_MINTED[text] == found, "a token means another session")


def _check_ticket(text: str, rubbish: bytes | None) -> None:
    notes, tickets, given = _tickets()
    notes.rubbish = rubbish
    for path in _PATHS:
        try:
            session = _done(tickets.redeem(text, path))
        except GatewayError as error:
            must(error.code in {"session_invalid", "session_expired"}, "another refusal")
            must(given.get(text) != path, "a good ticket was refused")
            must(len(text) < 8 or text not in str(error), "a refusal repeats the ticket")
        else:
            is_noted = rubbish == b"%b.%b" % (_SESSION.key.encode(), _hash(path))
            must(given.get(text) == path or is_noted, "a ticket is good that was not given")
            must(session is _SESSION, "another session")


def _hash(text: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")


def _check_sealed(data: bytes) -> None:
    for context in ("context", "another"):
        try:
            opened = _RING.open(data, context)
        except SealedError as error:
            must(MARKER not in str(error), "a refusal repeats what is sealed")
            must(data not in _SEALED or context != "context", "what was sealed does not open")
        else:
            must(context == "context" and _SEALED.get(data) == opened, "what was not sealed opens")


FUZZER = Fuzzer(
    name="tokens",
    title="tokens, tickets and sealed texts: only what was made here is good",
    modules=("gateway.sessions.token", "gateway.sessions.tickets", "gateway.sessions.keyring"),
    check=check,
    seeds=(
        *(token.encode() for token in (*_MINTED, *sorted(_OUT), _STRANGE)),
        *(ticket.encode() for ticket in _GIVEN),
        *_SEALED,
        f"{_SESSION.key}.{session_key_of(_PATHS[0])}".encode(),
        b"gw1.AAAAAAAAAAAAAAAAAAAAAAAA..AAAA",
    ),
    words=(
        *(b"gw1.", b"gwt1.", b".", b"=", b"==", b"-", b"_", b"+", b"/", b"\n", b" ", b"\x00"),
        *(_IDS[0].encode(), _IDS[1].encode(), b"\x01", b"AEIMQUYcgkosw048", b"ZVNyAA"),
    ),
    max_bytes=600,
)
