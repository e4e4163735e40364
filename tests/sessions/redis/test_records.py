"""How sessions are written in Redis: exactly, and read back with suspicion."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions.model import Session, Subject
from gateway.sessions.redis.records import (
    RubbishError,
    blocked_name,
    dump_sealed_key,
    dump_session,
    dump_text,
    dump_until,
    key_of_record,
    keys_name,
    load_block,
    load_record,
    load_sealed_key,
    note_name,
    read_map,
    read_names,
    read_optional,
    read_texts,
    read_truth,
    record_name,
    sessions_name,
)
from gateway.sessions.store import Block, SealedKey, Tombstone, subject_key_of
from tests.support.sessions import make_session, make_subject

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
    origin=st.sampled_from(["", "key", "other"]),
    successor=st.sampled_from([None, "next"]),
)


def fields_of(session: Session) -> dict[bytes, bytes]:
    words = dump_session(session, "subject key")
    return dict(zip(words[::2], words[1::2], strict=True))


GOOD = fields_of(make_session(1))


@given(SESSIONS)
def test_round_trip(session: Session) -> None:
    """Every session is read back as it was written, to the last bit of its moments."""
    assert load_record("key", fields_of(session)) == session


def test_scripts_find_what_they_read() -> None:
    """The fields that scripts read have the names and values they go by."""
    session = make_session(1)
    assert GOOD[b"subject"] == b"subject key"
    assert float(GOOD[b"expires_at"]) == session.expires_at
    assert float(GOOD[b"used_at"]) == session.last_used_at
    assert not {b"origin", b"successor"} & set(GOOD), "left out where they say nothing"
    renewed = fields_of(replace(session, origin="first", successor="next"))
    assert (renewed[b"origin"], renewed[b"successor"]) == (b"first", b"next")


def test_a_usual_record_is_small() -> None:
    """No value is over the 64 bytes up to which Redis keeps a hash in one piece."""
    session = replace(make_session(1, make_subject("o" * 28)), unionid="u" * 28, user_id="v" * 36)
    fields = fields_of(replace(session, origin="k" * 43))
    assert max(map(len, fields.values())) <= 64
    assert sum(len(name) + len(value) for name, value in fields.items()) < 400


@given(TEXTS)
def test_names_hold_nothing_from_outside(text: str) -> None:
    """X2: whatever the subject, all its names are on one slot, and hold hashes only."""
    key = subject_key_of(make_subject(text))
    makers = (record_name, sessions_name, keys_name, blocked_name, note_name)
    names = [make(key) for make in makers]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.startswith(f"gw:{{{key[0]}}}:")
        assert key in name
        assert name.count("{") == name.count("}") == 1
    assert key_of_record(names[0].encode()) == key


@given(st.binary(), MOMENTS)
def test_sealed_key_round_trip(sealed: bytes, created_at: float) -> None:
    """Any bytes and moment come back."""
    assert load_sealed_key(dump_sealed_key(sealed, created_at)) == SealedKey(sealed, created_at)


@given(TEXTS, st.none() | MOMENTS)
def test_block_round_trip(reason: str, until: float | None) -> None:
    """Any reason and end come back."""
    assert load_block(dump_text(reason), dump_until(until).encode()) == Block(reason, until)


def test_tombstone_and_nothing() -> None:
    """An ended record is a tombstone, a record without fields is none."""
    assert load_record("key", {b"ended": b"logout"}) == Tombstone("logout")
    assert load_record("key", {}) is None


def test_good() -> None:
    """What the rubbish below is made from is a session."""
    assert isinstance(load_record("key", GOOD), Session)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({b"other": b"1"}, "nothing of ours"),
        ({name: value for name, value in GOOD.items() if name != b"p"}, "no platform"),
        ({name: value for name, value in GOOD.items() if name != b"a"}, "no app"),
        ({name: value for name, value in GOOD.items() if name != b"c"}, "no login"),
        ({**GOOD, b"u": b"\xff"}, "an id that is no text"),
        ({**GOOD, b"k": b"root"}, "no such kind"),
        ({**GOOD, b"c": b"soon"}, "no moment"),
        ({**GOOD, b"expires_at": b"never"}, "no number"),
        ({**GOOD, b"used_at": b""}, "empty"),
        ({**GOOD, b"expires_at": b"inf"}, "it would never expire"),
        ({**GOOD, b"used_at": b"nan"}, "no moment of any clock"),
        ({b"ended": b"\xff"}, "a reason that is no text"),
    ],
)
def test_rubbish(fields: dict[bytes, bytes], reason: str) -> None:
    """Anything else is rubbish, never half a session."""
    with pytest.raises(RubbishError):
        load_record("key", fields)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.binary()))
def test_no_bytes_crash_the_reader(fields: dict[bytes, bytes]) -> None:
    """Whatever stands in a record, reading it gives nothing, a session, or says rubbish."""
    try:
        load_record("key", fields)
    except RubbishError:
        return
    assert not fields or set(GOOD) - {b"o", b"subject"} <= set(fields)


@pytest.mark.parametrize("value", [b"", b"1.5", b":", b"x:sealed", b"\xff:sealed", b"nan:s"])
def test_rubbish_sealed_key(value: bytes) -> None:
    """A list's entry without a moment before its colon is rubbish."""
    with pytest.raises(RubbishError):
        load_sealed_key(value)


@pytest.mark.parametrize(
    ("reason", "until"), [(b"\xff", b"1.5"), (b"spam", b"soon"), (b"a", b"inf")]
)
def test_rubbish_block(reason: bytes, until: bytes) -> None:
    """A block whose reason is no text, or whose end is no moment, is rubbish."""
    with pytest.raises(RubbishError):
        load_block(reason, until)


def test_replies() -> None:
    """What has the shape that is due is taken as it is."""
    assert read_texts([b"a", b"b"]) == [b"a", b"b"]
    assert read_map([b"a", b"b"]) == {b"a": b"b"}
    assert read_names([b"a"]) == ("a",)
    assert [read_truth(0), read_truth(1)] == [False, True]
    assert [read_optional(None), read_optional(b"a")] == [None, b"a"]


@pytest.mark.parametrize("reply", [None, 7, b"OK", [1], [[b"a"]], {}])
def test_odd_replies(reply: object) -> None:
    """Any other shape is rubbish: never an empty list, a no or a text."""
    for read in (read_texts, read_map, read_names, read_truth):
        with pytest.raises(RubbishError):
            read(reply)
    if not isinstance(reply, bytes | None):
        with pytest.raises(RubbishError):
            read_optional(reply)
