"""What a note of a login attempt says, under which name, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OUTCOMES, GatewayError
from gateway.sessions.attempt_records import (
    KEPT_S,
    SHORT_S,
    Done,
    Failed,
    Record,
    Running,
    attempt_of,
    dump,
    is_over,
    load,
    release,
    settle,
)
from gateway.sessions.store import MAX_NOTE_BYTES
from gateway.sessions.token import MAX_AHEAD_S, is_session_key

NOW = 1_800_000_000.25
KEY = "the-clients-own-key-1"
moments = st.floats(0, 1e11)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Running, st.text(), moments),
    st.builds(Done),
    st.builds(Done, st.text(), st.binary(min_size=1, max_size=200)),
    st.builds(
        Failed,
        st.sampled_from(sorted(OUTCOMES)),
        moments,
        st.text(),
        st.one_of(st.none(), st.integers(), st.text()),
        st.one_of(st.none(), st.integers()),
        st.booleans(),
    ),
)


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """Whatever stands in it."""
    assert load(dump(record)) == record


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_what_is_no_record_is_the_stores_fault(value: bytes) -> None:
    """Never a crash, never somebody's session."""
    with pytest.raises(GatewayError) as refused:
        load(value)
    assert refused.value.code == "store_unavailable"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b'{"state": "done", "key": "k", "sealed": "no base64"}', "not base64"),
        (b'{"state": "done", "key": "k", "sealed": null}', "a key to nothing"),
        (b'{"state": "running", "owner": "o", "until": "now"}', "no moment"),
        (b'{"state": "running", "owner": "o", "until": NaN}', "no moment of any clock"),
        (b'{"state": "running", "owner": "o", "until": 1e999}', "it would never be over"),
        (b"[" * 4000, "nested without end"),
        (b'{"state": "perhaps"}', "no state we know"),
        (b"[1]", "no object"),
        (
            dump(Failed("platform_busy", 1.5)).replace(b"platform_busy", b"no_such_code"),
            "a code of no table",
        ),
    ],
)
def test_rubbish(value: bytes, why: str) -> None:
    """Each kind of it."""
    with pytest.raises(GatewayError) as refused:
        load(value)
    assert refused.value.code == "store_unavailable", why


def test_a_name_tells_apart_what_differs() -> None:
    """Platform, app, field and code; the key has a hash of its own under each."""
    parts = [
        ("wechat", "wx1", "code", "c" * 32),
        ("douyin", "wx1", "code", "c" * 32),
        ("wechat", "wx2", "code", "c" * 32),
        ("wechat", "wx1", "anonymous_code", "c" * 32),
        ("wechat", "wx1", "code", "d" * 32),
        ("wechat", "wx1code", "", "c" * 32),
    ]
    attempts = [attempt_of(*each[:2], [each[2:]], KEY, 5) for each in parts]
    assert len({attempt.name for attempt in attempts}) == len(parts)
    assert len({attempt.key_hash for attempt in attempts}) == len(parts)
    assert all(is_session_key(attempt.name) for attempt in attempts)
    one, other = [("code", "c" * 32)], [("anonymous_code", "c" * 32)]
    assert attempt_of("wechat", "wx1", one, KEY, 5) == attempts[0]
    assert attempt_of("wechat", "wx1", one, None, 5).key_hash is None
    both = attempt_of("wechat", "wx1", one + other, KEY, 5)
    assert both.names == (attempts[0].name, attempts[3].name)
    assert (both.name, both.key_hash) == (attempts[0].name, attempts[0].key_hash)


def test_nothing_tells_the_code_or_the_key() -> None:
    """Neither an attempt nor its repr."""
    told = repr(attempt_of("wechat", "wx1", [("code", "secret-code")], KEY, 5))
    assert "secret-code" not in told
    assert KEY not in told
    assert "sealed" not in repr(Done("k", b"sealed"))


def test_a_code_that_was_not_sent_is_free_whatever_was_told() -> None:
    """After a second; its note stands as much longer as clocks may differ."""
    failed, until = release(GatewayError("code_invalid"), NOW)
    assert (failed.is_free, failed.until) == (True, NOW + SHORT_S)
    assert until == NOW + SHORT_S + MAX_AHEAD_S
    assert is_over(dump(Running("o", NOW)), NOW + 1000) is False


@pytest.mark.parametrize(
    ("code", "is_exchanged", "told_s", "kept_s", "why"),
    [
        ("code_invalid", False, KEPT_S, KEPT_S, "used, expired, of another app"),
        ("platform_timeout", False, KEPT_S, KEPT_S, "its bytes may have arrived"),
        ("platform_error", False, KEPT_S, KEPT_S, "the same"),
        ("internal_error", False, KEPT_S, KEPT_S, "who knows"),
        ("platform_busy", False, SHORT_S, SHORT_S, "the code is as fresh as before"),
        ("rate_limited", False, SHORT_S, SHORT_S, "the same"),
        ("platform_config", False, SHORT_S, SHORT_S, "the same"),
        ("user_blocked", False, SHORT_S, SHORT_S, "the same"),
        ("store_unavailable", True, SHORT_S, KEPT_S, "the session was not kept: a new code"),
        ("user_blocked", True, SHORT_S, KEPT_S, "blocked by us, after the exchange"),
    ],
)
def test_how_long_a_refusal_stays(
    code: str, is_exchanged: bool, told_s: float, kept_s: float, why: str
) -> None:
    """As long as the code may not be sent again, or those who waited need it."""
    error = GatewayError(code, "why", platform_code=40029, retry_after_s=7)
    failed, until = settle(error, NOW, is_exchanged=is_exchanged)
    assert failed.is_free == (kept_s == SHORT_S)
    margin_s = MAX_AHEAD_S if failed.is_free else 0
    assert (failed.until, until) == (NOW + told_s, NOW + kept_s + margin_s), why
    assert is_over(dump(failed), NOW + told_s - 0.1) is False
    assert is_over(dump(failed), NOW + told_s) == failed.is_free
    again = failed.error()
    assert (again.code, again.detail, again.platform_code) == (code, "why", 40029)
    assert again.retry_after_s == 7


def test_the_longest_note_is_small_enough() -> None:
    """A detail is cut, in characters that JSON writes longest."""
    failed, _ = settle(GatewayError("platform_error", "\x01" * 10_000), NOW, is_exchanged=False)
    assert len(dump(failed)) < MAX_NOTE_BYTES
