"""How sessions are written in Redis: exactly, and read back with suspicion."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions.model import Session, Subject
from gateway.sessions.redis_records import (
    RubbishError,
    dump_sealed_key,
    dump_session,
    load_record,
    load_sealed_key,
)
from gateway.sessions.store import SealedKey, Tombstone

MOMENTS = st.floats(0, 2**40)
TEXTS = st.text(st.characters())  # lone surrogates too: JSON from a platform may hold them
OPTIONAL = st.none() | TEXTS
SESSIONS = st.builds(
    Session,
    key=st.just("key"),
    subject=st.builds(Subject, TEXTS, TEXTS, st.sampled_from(["user", "anonymous"]), TEXTS),
    app=TEXTS,
    openid=OPTIONAL,
    unionid=OPTIONAL,
    anonymous_openid=OPTIONAL,
    created_at=MOMENTS,
    expires_at=MOMENTS,
    last_used_at=MOMENTS,
    user_id=OPTIONAL,
)
GOOD = {
    "subject": ["wechat", "wx1", "user", "o-alice"],
    "app": "shop",
    "openid": "o-alice",
    "unionid": None,
    "anonymous_openid": None,
    "user_id": None,
    "created_at": 1.5,
}


def fields_of(record: object, **changes: bytes) -> dict[bytes, bytes]:
    fields = {"data": json.dumps(record).encode(), "expires_at": b"9.5", "last_used_at": b"2.5"}
    return {name.encode(): value for name, value in {**fields, **changes}.items()}


@given(SESSIONS)
def test_round_trip(session: Session) -> None:
    """Every session is read back as it was written, to the last bit of its moments."""
    fields = {
        b"data": dump_session(session).encode("ascii"),
        b"expires_at": repr(session.expires_at).encode(),
        b"last_used_at": repr(session.last_used_at).encode(),
    }
    assert load_record("key", fields) == session


@given(st.binary(), MOMENTS)
def test_sealed_key_round_trip(sealed: bytes, created_at: float) -> None:
    """Any bytes and moment come back."""
    assert load_sealed_key(dump_sealed_key(sealed, created_at)) == SealedKey(sealed, created_at)


def test_tombstone_and_nothing() -> None:
    """An ended record is a tombstone, a record without fields is none."""
    assert load_record("key", {b"ended": b"logout"}) == Tombstone("logout")
    assert load_record("key", {}) is None


def test_good() -> None:
    """What the rubbish below is made from is a session."""
    assert isinstance(load_record("key", fields_of(GOOD)), Session)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({b"other": b"1"}, "no data"),
        (fields_of(GOOD, data=b"\xff"), "no text"),
        (fields_of(GOOD, data=b""), "no JSON"),
        (fields_of(None), "no object"),
        (fields_of({}), "nothing in it"),
        (fields_of({**GOOD, "subject": "abcd"}), "four letters are no subject"),
        (fields_of({**GOOD, "subject": ["wechat", "wx1", "user"]}), "a part is missing"),
        (fields_of({**GOOD, "subject": ["wechat", "wx1", "root", "o"]}), "no such kind"),
        (fields_of({**GOOD, "subject": ["wechat", 7, "user", "o"]}), "a number for an id"),
        (fields_of({**GOOD, "app": None}), "no app"),
        (fields_of({**GOOD, "openid": 7}), "a number for an openid"),
        (fields_of({**GOOD, "created_at": "soon"}), "no moment"),
        (fields_of({**GOOD, "created_at": None}), "nothing for a moment"),
        (fields_of(GOOD, expires_at=b"never"), "no number"),
        (fields_of(GOOD, last_used_at=b""), "empty"),
        ({b"ended": b"\xff"}, "a reason that is no text"),
    ],
)
def test_rubbish(fields: dict[bytes, bytes], reason: str) -> None:
    """Anything else is rubbish, never half a session."""
    with pytest.raises(RubbishError):
        load_record("key", fields)


@given(st.dictionaries(st.sampled_from([b"data", b"expires_at", b"last_used_at"]), st.binary()))
def test_no_bytes_crash_the_reader(fields: dict[bytes, bytes]) -> None:
    """Whatever stands in a record, reading it gives nothing or says rubbish."""
    if fields:
        with pytest.raises(RubbishError):
            load_record("key", fields)


@pytest.mark.parametrize("value", [b"", b"1.5", b":", b"x:sealed", b"\xff:sealed"])
def test_rubbish_sealed_key(value: bytes) -> None:
    """A list's entry without a moment before its colon is rubbish."""
    with pytest.raises(RubbishError):
        load_sealed_key(value)
