"""Tokens: one spelling, no forgery, no guessing (attacks.md S1 to S7)."""

import base64
import hashlib
import itertools
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from gateway.errors import GatewayError
from gateway.sessions.token import (
    MAX_AHEAD_S,
    MAX_TOKEN_BYTES,
    TokenSigner,
    is_session_key,
    new_session_id,
    session_key_of,
)

NOW = 1_800_000_000.75
LIFETIME_S = 1000.0
OLD_KEY, NEW_KEY, OTHER_KEY = "old-" * 8, "new-" * 8, "other-" * 8
SESSION_ID = "abcdefghijklmnopqrstuvwx"
SIGNER = TokenSigner([NEW_KEY, OLD_KEY])
TOKEN = SIGNER.sign(SESSION_ID, NOW)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def code_of(token: str, now: float = NOW, signer: TokenSigner = SIGNER) -> str:
    with pytest.raises(GatewayError) as caught:
        signer.read(token, now, LIFETIME_S)
    return caught.value.code


def test_round_trip() -> None:
    """A token gives its session id back."""
    assert SIGNER.read(TOKEN, NOW, LIFETIME_S) == SESSION_ID


def test_shape() -> None:
    """A token is `gw1.`, the session id, a date and a signature: 79 characters."""
    assert TOKEN.startswith(f"gw1.{SESSION_ID}.")
    assert len(TOKEN) == 79


@given(st.binary(min_size=18, max_size=18), st.floats(1, 2**40), st.floats(0, 1000))
def test_every_id_and_date_comes_back(random: bytes, now: float, age_s: float) -> None:
    """Whatever the randomness, the date and the age within the lifetime, reading undoes signing."""
    tag = session_key_of(base64.urlsafe_b64encode(random).decode())
    session_id = new_session_id(lambda _: random, tag)
    read_at = int(now) + age_s
    assert SIGNER.read(SIGNER.sign(session_id, now), read_at, LIFETIME_S) == session_id


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_flipped_bits(position: int) -> None:
    """S1: any bit flipped, at every position, makes the token invalid."""
    for bit in range(8):
        flipped = chr(ord(TOKEN[position]) ^ (1 << bit))
        assert code_of(TOKEN[:position] + flipped + TOKEN[position + 1 :]) == "session_invalid"


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_exchanged_characters(position: int) -> None:
    """S1: no other character of the alphabet, at any position, spells the same token."""
    for other in set(ALPHABET) - {TOKEN[position]}:
        assert code_of(TOKEN[:position] + other + TOKEN[position + 1 :]) == "session_invalid"


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_truncated(length: int) -> None:
    """S1: every beginning and every end of a token is invalid."""
    assert code_of(TOKEN[:length]) == "session_invalid"
    assert code_of(TOKEN[len(TOKEN) - length :]) == "session_invalid"


@pytest.mark.parametrize("character", [*ALPHABET, ".", "=", " ", "\n", "\t", "\0", "+", "/", "é"])
def test_extended(character: str) -> None:
    """S1: one more character, in front, behind or at any place within, is invalid."""
    for position in range(len(TOKEN) + 1):
        assert code_of(TOKEN[:position] + character + TOKEN[position:]) == "session_invalid"


def _signature_with_standard_alphabet() -> str:
    """A token whose signature has `-` or `_`, spelled in base64's standard alphabet."""
    for number in itertools.count():
        token = SIGNER.sign(SESSION_ID, NOW - number)
        head, signature = token.rsplit(".", 1)
        standard = signature.replace("-", "+").replace("_", "/")
        if standard != signature:
            return f"{head}.{standard}"
    raise AssertionError


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "empty"),
        ("null", "S2: what a client's storage gives for nothing"),
        ("undefined", "S2: the same, in JavaScript"),
        ("Bearer", "S2: the scheme without a token"),
        ("gw1.", "the prefix alone"),
        ("gw1...", "nothing but separators"),
        (TOKEN + TOKEN, "two concatenated"),
        (f"{TOKEN}.{TOKEN}", "two joined by the separator"),
        (f"{TOKEN},{TOKEN}", "two in one header field"),
        (TOKEN + "=", "padding"),
        (TOKEN + "==", "more padding"),
        (f" {TOKEN}", "white space in front"),
        (f"{TOKEN}\n", "a line end, which `$` would let through"),
        (TOKEN.replace(".", ". "), "white space within"),
        (_signature_with_standard_alphabet(), "the standard alphabet"),
        (TOKEN.replace("gw1.", "gw2.", 1), "a version we do not know"),
        (TOKEN.replace("gw1.", "GW1.", 1), "the prefix in capitals"),
        (TOKEN.removeprefix("gw1."), "no prefix"),
        (f"gw1.{TOKEN}", "the prefix twice"),
        (TOKEN.upper(), "capitals"),
        (TOKEN.replace("g", "ｇ", 1), "full-width letters"),
        ("gw1." + "A" * 65536, "64 kB"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "S3: a JWT without a signature"),
    ],
)
def test_malformed(token: str, reason: str) -> None:
    """S1 to S3: everything that is not exactly a token gets the same answer."""
    assert code_of(token) == "session_invalid", reason


def test_length_is_checked_first() -> None:
    """A text over the limit is refused as a text, whatever it holds."""
    assert code_of("\ud800" * (MAX_TOKEN_BYTES + 1)) == "session_invalid"


def test_the_date_is_told_too() -> None:
    """Who keeps a token in memory needs to know when it ends."""
    assert SIGNER.read_dated(TOKEN, NOW, LIFETIME_S) == (SESSION_ID, int(NOW))


@given(st.text(max_size=600))
def test_no_text_crashes_the_reader(text: str) -> None:
    """Any text at all is `session_invalid`."""
    assert code_of(text) == "session_invalid"
    assert code_of(f"gw1.{text}") == "session_invalid"


def test_foreign_salt() -> None:
    """A signature made with our key for another purpose is no token."""
    foreign = TimestampSigner(
        NEW_KEY, salt="another purpose", key_derivation="hmac", digest_method=hashlib.sha256
    )
    assert code_of("gw1." + foreign.sign(SESSION_ID).decode()) == "session_invalid"


def test_weaker_digest() -> None:
    """S3: itsdangerous' own default digest, SHA-1, is not accepted."""
    weak = TimestampSigner(NEW_KEY, salt="gateway.session-token.v1", key_derivation="hmac")
    assert code_of("gw1." + weak.sign(SESSION_ID).decode()) == "session_invalid"


def test_one_answer() -> None:
    """S7: a bad signature, an unknown key and rubbish cannot be told apart."""
    texts = set()
    for token in (TOKEN[:-2] + "AA", TokenSigner([OTHER_KEY]).sign(SESSION_ID, NOW), "rubbish"):
        with pytest.raises(GatewayError) as caught:
            SIGNER.read(token, NOW, LIFETIME_S)
        assert caught.value.__cause__ is None
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_key_rotation() -> None:
    """S6: the newest key signs, older ones verify until they are taken out."""
    old_token = TokenSigner([OLD_KEY]).sign(SESSION_ID, NOW)
    assert SIGNER.read(old_token, NOW, LIFETIME_S) == SESSION_ID
    assert TokenSigner([NEW_KEY]).read(TOKEN, NOW, LIFETIME_S) == SESSION_ID
    assert code_of(old_token, signer=TokenSigner([NEW_KEY])) == "session_invalid"
    assert code_of(TOKEN, signer=TokenSigner([OLD_KEY])) == "session_invalid"


@pytest.mark.parametrize(
    ("age_s", "expected", "reason"),
    [
        (0, None, "just signed"),
        (LIFETIME_S, None, "the last moment"),
        (LIFETIME_S + 1, "session_expired", "S4: expired by one second"),
        (LIFETIME_S * 1e6, "session_expired", "long ago"),
        (-MAX_AHEAD_S, None, "dated ahead as far as clocks may differ"),
        (-MAX_AHEAD_S - 1, "session_invalid", "S4: further ahead"),
        (-(2**40), "session_invalid", "the far future"),
    ],
)
def test_age(age_s: float, expected: str | None, reason: str) -> None:
    """A token's own date decides, with one minute for clocks that differ."""
    token = SIGNER.sign(SESSION_ID, int(NOW) - age_s)
    if expected is None:
        assert SIGNER.read(token, int(NOW), LIFETIME_S) == SESSION_ID, reason
    else:
        assert code_of(token, int(NOW)) == expected, reason


def test_forged_beats_expired() -> None:
    """An old forgery is invalid, not expired."""
    assert code_of(TOKEN[:-2] + "AA", NOW + 10 * LIFETIME_S) == "session_invalid"


def test_session_ids() -> None:
    """Session ids are 144 bits of the randomness passed in, and differ."""
    ids = {new_session_id(secrets.token_bytes, tag) for tag in "AAzz09-_"}
    assert len(ids) == 8
    assert {session_key_of(each)[0] for each in ids} == set("Az09-_")


@pytest.mark.parametrize("session_id", ["", "short", "a" * 65, "a" * 23 + ".", "a" * 23 + "é"])
def test_sign_refuses_what_could_not_be_read(session_id: str) -> None:
    """A session id that no token can carry is a programming error."""
    with pytest.raises(ValueError, match="session id"):
        SIGNER.sign(session_id, NOW)


def test_no_keys() -> None:
    """A signer without keys is refused."""
    with pytest.raises(ValueError, match="signing key"):
        TokenSigner([])


def test_session_key() -> None:
    """The store's key is base64url(SHA-256(session id)) without padding."""
    digest = hashlib.sha256(SESSION_ID.encode()).digest()
    assert session_key_of(SESSION_ID) == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert is_session_key(session_key_of(SESSION_ID))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("A" * 42, "too short"),
        ("A" * 44, "too long"),
        ("A" * 42 + "B", "another spelling of the same bytes"),
        ("A" * 42 + "\n", "a line end"),
        ("*" * 43, "a pattern"),
        ("A" * 40 + "{a}", "a hash tag"),
    ],
)
def test_not_a_session_key(text: str, reason: str) -> None:
    """X2: nothing but a hash may become a part of a store's keys."""
    assert not is_session_key(text), reason
