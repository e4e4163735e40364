"""Identity headers: what a session says, no more, and nothing a header cannot carry."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.headers import IDENTITY_NAMES, fold
from gateway.identity import identity_lines
from gateway.sessions.model import Session
from tests.support.requests import code_of
from tests.support.sessions import make_session, make_subject

USER = replace(make_session(1), unionid="u-1", user_id="42")
GUEST = make_session(2, make_subject("a-guest", "douyin", "tt1", "anonymous"))


def told(session: Session) -> dict[str, str]:
    """The headers as a mapping; none is there twice, and each line has its end."""
    *lines, rest = identity_lines(session).split("\r\n")
    assert rest == ""
    named = dict(line.split(": ", 1) for line in lines)
    assert len(named) == len(lines)
    return named


def test_a_user() -> None:
    """Design section 7, native profile."""
    assert told(USER) == {
        "X-OpenId": "o-alice",
        "X-Platform": "wechat",
        "X-AppId": "wx1",
        "X-Subject": "wechat:wx1:o-alice",
        "X-UnionId": "u-1",
        "X-User-Id": "42",
        "X-Session-Id": USER.key,
    }


def test_a_guest_has_no_openid() -> None:
    """Only the anonymous one, and a subject that says so."""
    assert told(GUEST) == {
        "X-Platform": "douyin",
        "X-AppId": "tt1",
        "X-Subject": "douyin:tt1:anonymous:a-guest",
        "X-Anonymous-OpenId": "a-guest",
        "X-Session-Id": GUEST.key,
    }


@pytest.mark.parametrize("field", ["openid", "unionid", "anonymous_openid", "user_id"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_name_without_a_value_is_left_out(field: str, nothing: str | None) -> None:
    """Never empty (H18)."""
    session = replace(USER, **{field: nothing})  # type: ignore[arg-type] # each field may be None or text
    assert all(told(session).values())


def test_all_our_names_are_reserved() -> None:
    """What we may ever set, a client may never send through."""
    every = replace(USER, anonymous_openid="a-1")
    assert {fold(name.encode()) for name in told(every)} <= IDENTITY_NAMES


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("o\r\nX-Platform: evil", "a line of its own"),
        ("o\n", "a line feed"),
        ("o\x00", "NUL"),
        ("o\x7f", "DEL"),
        ("o\t", "a tab"),
        ("öpenid", "outside ASCII"),
        ("o\u2028", "a line separator"),
    ],
)
@pytest.mark.parametrize("field", ["openid", "unionid", "anonymous_openid", "user_id", "key"])
def test_what_no_header_can_carry_is_refused(field: str, value: str, why: str) -> None:
    """H21: logins refuse such ids; a store that was tampered with helps nobody either."""
    session = replace(USER, **{field: value})  # type: ignore[arg-type] # each of these fields is text
    assert code_of(lambda: identity_lines(session)) == "internal_error", why
    assert session.identity is None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128))
def test_every_usable_id_is_carried_as_it_is(openid: str) -> None:
    """No quoting, no folding, no cutting."""
    session = replace(make_session(3, make_subject(openid)))
    assert told(session)["X-OpenId"] == openid
    assert told(session)["X-Subject"].endswith(f":{openid}")


@pytest.mark.parametrize("session", [USER, GUEST])
def test_the_lines_are_built_once(session: Session) -> None:
    """A cached session is asked thousands of times; what is kept says nothing in a `repr`."""
    asked = replace(session)
    lines = identity_lines(asked)
    assert identity_lines(asked) is lines
    assert asked.identity is lines
    assert asked == session
    assert lines not in repr(asked)


def test_a_changed_session_is_told_anew() -> None:
    """What was built for another state of it is not carried over."""
    identity_lines(USER)
    assert told(replace(USER, unionid="u-2"))["X-UnionId"] == "u-2"
    assert "X-UnionId" not in told(replace(USER, unionid=None))
