"""Session ids, their tokens, and when a session expires."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions.issuing import Issuer, SessionPolicy, as_held
from gateway.sessions.store import subject_key_of
from gateway.sessions.token import TokenSigner, session_key_of
from tests.support.sessions import START_AT, HandClock, make_session, make_subject

SIGNER = TokenSigner(["k" * 32])
ALICE = make_subject("o-alice")


def policy(lifetime_s: float, max_lifetime_s: float) -> SessionPolicy:
    return SessionPolicy(lifetime_s, max_lifetime_s, None, 10)


@pytest.mark.parametrize(
    ("created_at", "expires_at", "reason"),
    [
        (START_AT, int(START_AT) + 100, "a login"),
        (START_AT - 50, int(START_AT) + 100, "a renewal: the lifetime starts again"),
        (START_AT - 950, int(START_AT) + 50, "near the end, `max_lifetime` counts"),
        (START_AT - 1000, int(START_AT), "at the end"),
    ],
)
def test_lifetime_and_its_cap(created_at: float, expires_at: float, reason: str) -> None:
    """Lifetime from now, `max_lifetime` from the login, whichever ends sooner."""
    assert policy(100, 1000).expires_at(created_at, START_AT) == expires_at, reason


@given(
    now=st.floats(1e9, 2e9),
    age_s=st.floats(0, 1e6),
    lifetime_s=st.integers(1, 10**6),
    max_lifetime_s=st.integers(1, 10**6),
)
def test_never_longer_than_the_token_or_the_cap(
    now: float, age_s: float, lifetime_s: int, max_lifetime_s: int
) -> None:
    """What a client is told can be kept: its token, dated now, is good until then."""
    expires_at = policy(lifetime_s, max_lifetime_s).expires_at(now - age_s, now)
    assert expires_at <= int(now) + lifetime_s
    assert expires_at <= now - age_s + max_lifetime_s


def test_a_token_names_its_session() -> None:
    """It is dated now; the id lies on its subject's slot and shows in no repr."""
    clock = HandClock()
    issuer = Issuer(SIGNER, clock, secrets.token_bytes, 2000.0)
    session_id = issuer.new_id(ALICE)
    issued = issuer.issue(session_id, make_session(1, ALICE))
    assert SIGNER.read_dated(issued.token, clock(), 1.0) == (session_id, int(clock()))
    assert session_key_of(session_id)[0] == subject_key_of(ALICE)[0]
    assert session_id not in repr(issued)
    assert issuer.new_id(ALICE) != session_id


def test_a_session_is_held_no_longer_than_its_token() -> None:
    """Whichever ends sooner; what is signed now tells the end of its own token."""
    clock, session = HandClock(), make_session(1, ALICE, lifetime_s=1000)
    signed_at = int(START_AT)
    assert as_held(session, signed_at, 999).expires_at == signed_at + 999
    assert as_held(session, signed_at, 1001) is session
    issuer = Issuer(SIGNER, clock, secrets.token_bytes, 600.0)
    issued = issuer.issue(issuer.new_id(ALICE), session)
    assert issued.session.expires_at == signed_at + 600
