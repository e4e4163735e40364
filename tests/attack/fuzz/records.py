"""Fuzzes what a store gives back: a record reads as one of ours, or is refused as rubbish.

Whoever can write to the store can end sessions; he shall not crash a process or make a value up
that we never write (attacks.md X2).
"""

import math
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from gateway.errors import GatewayError
from gateway.identity import identity_lines
from gateway.sessions import attempt_records
from gateway.sessions.model import Session, Subject
from gateway.sessions.redis import records
from gateway.sessions.sqlite.sessions import session_of
from gateway.sessions.store import Tombstone, subject_key_of
from tests.attack.fuzz.fuzzer import Fuzzer, must

_KEY = "k" * 43
_NAMES = (b"p", b"i", b"k", b"u", b"a", b"o", b"n", b"g", b"v", b"c", b"origin", b"successor")
_MORE = (b"used_at", b"expires_at", b"ended", b"subject")


def check(data: bytes) -> None:
    """Read the bytes as every kind of record; the first says which, fields are cut by NUL."""
    if not data:
        return
    kind, rest = data[0] % 5, data[1:]
    if kind == 0:
        _check_session(rest.split(b"\x00"))
    elif kind == 1:
        _check_attempt(rest)
    elif kind == 2:
        _check_sealed_key(rest)
    elif kind == 3:
        _check_block(rest)
    else:
        _check_row(rest.split(b"\x00"))


def _check_session(words: list[bytes]) -> None:
    try:
        fields = records.read_map(list(words))
        found = records.load_record(_KEY, fields)
    except (records.RubbishError, ValueError) as error:
        must(isinstance(error, records.RubbishError) or len(words) % 2, "another refusal")
        return
    if isinstance(found, Session):
        _check_moments(found.created_at, found.expires_at, found.last_used_at)
        must(found.subject.kind in {"user", "anonymous"}, "another kind of subject")
        must(_again(found) == found, "written anew it is another session")
        _check_identity(found)
    elif isinstance(found, Tombstone):
        must(fields[b"ended"].decode("utf-8", "surrogatepass") == found.reason, "another reason")
    else:
        must(not fields, "fields are no record")


def _again(session: Session) -> Session | Tombstone | None:
    written = records.dump_session(session, subject_key_of(session.subject))
    return records.load_record(_KEY, dict(zip(written[::2], written[1::2], strict=True)))


def _check_moments(*moments: float) -> None:
    must(all(math.isfinite(each) for each in moments), "a moment that is none")


def _check_identity(session: Session) -> None:
    """What no header can carry is refused, whoever wrote it."""
    try:
        lines = identity_lines(session)
    except GatewayError as error:
        must(error.code == "internal_error", "another refusal")
        return
    must(re.fullmatch(r"(?:X-[A-Za-z-]+: [\x20-\x7e]*\r\n)+", lines), "lines that are no fields")


def _check_attempt(value: bytes) -> None:
    try:
        found = attempt_records.load(value)
    except GatewayError as error:
        must(error.code == "store_unavailable", "another refusal")
        return
    if isinstance(found, attempt_records.Running | attempt_records.Failed):
        _check_moments(found.until)
    if isinstance(found, attempt_records.Failed):
        must(found.error().code == found.code, "another refusal is told")
    must(attempt_records.load(attempt_records.dump(found)) == found, "written anew it is another")


def _check_sealed_key(value: bytes) -> None:
    try:
        found = records.load_sealed_key(value)
    except records.RubbishError:
        return
    _check_moments(found.created_at)
    again = records.load_sealed_key(records.dump_sealed_key(found.sealed, found.created_at))
    must(again == found, "written anew it is another")


def _check_block(value: bytes) -> None:
    reason, _, until = value.partition(b"\x00")
    try:
        found = records.load_block(reason, until)
    except records.RubbishError:
        return
    if found.until is not None:
        _check_moments(found.until)
    written = records.dump_text(found.reason), records.dump_until(found.until).encode()
    must(records.load_block(*written) == found, "another block")


def _check_row(words: list[bytes]) -> None:
    """A row of SQLite's: its columns may hold any type."""
    values = [_value(word) for word in words[:15]]
    row = tuple(values + [None] * (15 - len(values)))
    try:
        found = session_of(row)
    except sqlite3.DatabaseError:
        return
    must(replace(found) == found and found.key == row[0], "another session")
    _check_moments(found.created_at, found.expires_at, found.last_used_at)
    must(found.subject.kind in {"user", "anonymous"}, "another kind of subject")
    _check_identity(found)


def _value(word: bytes) -> object:
    """A column's value: `N` nothing, `F…` a number, `B…` bytes, else a text."""
    if word == b"N":
        return None
    if word[:1] == b"F":
        try:
            return float(word[1:])
        except ValueError:
            return 0
    return word[1:] if word[:1] == b"B" else word.decode("utf-8", "replace")


def _fields(values: Mapping[bytes, bytes]) -> bytes:
    return b"\x00" + b"\x00".join(word for pair in values.items() for word in pair)


_SESSION = Session(
    key=_KEY,
    subject=Subject("wechat", "wxfuzz", "user", "o1"),
    app="fuzz",
    openid="o1",
    unionid="u1",
    anonymous_openid=None,
    created_at=1.5,
    expires_at=1e9,
    last_used_at=2.25,
    user_id="7",
    successor="s" * 43,
)
_WRITTEN = records.dump_session(_SESSION, subject_key_of(_SESSION.subject))
_RUNNING = attempt_records.Running("me", 12.5)
_DONE = attempt_records.Done("h" * 43, b"sealed")
_FAILED = attempt_records.Failed("code_invalid", 12.5, "used", 40163, None)
FUZZER = Fuzzer(
    name="records",
    title="what a store gives back: sessions, login attempts, sealed keys, blocks, rows",
    modules=("gateway.sessions.redis.records", "gateway.sessions.attempt_records"),
    check=check,
    seeds=(
        _fields(dict(zip(_WRITTEN[::2], _WRITTEN[1::2], strict=True))),
        b"\x00ended\x00revoked",
        *(b"\x01" + attempt_records.dump(each) for each in (_RUNNING, _DONE, _FAILED)),
        b"\x01" + attempt_records.dump(attempt_records.Done()),
        b"\x02" + records.dump_sealed_key(b"sealed", 1.5),
        b"\x03reason\x001.5",
        b"\x04"
        + b"\x00".join(
            b"%b wechat wxfuzz user o1 fuzz o1 N N F1.5 F9e9 F2.5 N %b N".replace(
                b"%b", _KEY.encode()
            ).split()
        ),
    ),
    words=(
        *_NAMES,
        *_MORE,
        *(b"\x00", b"user", b"anonymous", b"nan", b"inf", b"-inf", b"1e400", b"1_0", b" 1", b"N"),
        *(b'"state"', b'"running"', b'"done"', b'"failed"', b'"until"', b'"owner"', b'"free"'),
        *(b'"code"', b'"detail"', b'"platform_code"', b'"retry_after_s"', b'"key"', b'"sealed"'),
        *(b"NaN", b"Infinity", b"1e999", b"null", b"true", b"[", b"{", b"}", b":", b",", b"\xff"),
        *(b"\xed\xa0\x80", b"\r\n", b"F1", b"Fnan", b"B", b"[[[[[[[["),
    ),
    max_bytes=4096,
)
