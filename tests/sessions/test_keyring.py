"""The key ring: what is sealed opens only whole, with its key, in its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sessions import keyring
from gateway.sessions.keyring import KeyRing, UnknownKeyError, UnreadableError

OLD, NEW = b"o" * 32, b"n" * 32
RING = KeyRing([NEW, OLD])
SEALED = RING.seal("HyVFkGl5F5OQWJZZaNzBBg==", "session_key:a")


@given(st.text(), st.text())
def test_round_trip(plaintext: str, context: str) -> None:
    """Opening undoes sealing, for any text and context."""
    assert RING.open(RING.seal(plaintext, context), context) == plaintext


def test_layout() -> None:
    """Version, key id, nonce, ciphertext and tag: 33 bytes more than the text."""
    assert SEALED[:1] == b"\x01"
    assert len(SEALED) == 1 + 4 + 12 + 24 + 16


def test_nonce() -> None:
    """The nonce is the randomness passed in, so the same text is never sealed alike."""
    ring = KeyRing([NEW], lambda count: b"\x07" * count)
    assert ring.seal("text", "context")[5:17] == b"\x07" * 12
    assert RING.seal("text", "context") != RING.seal("text", "context")


@pytest.mark.parametrize("position", range(5, len(SEALED)))
def test_damaged(position: int) -> None:
    """One bit of nonce, text or tag flipped, and it does not open."""
    damaged = bytearray(SEALED)
    damaged[position] ^= 1
    with pytest.raises(UnreadableError):
        RING.open(bytes(damaged), "session_key:a")


@pytest.mark.parametrize("length", [0, 1, 5, 16, 17, 32, len(SEALED) - 1])
def test_truncated(length: int) -> None:
    """A beginning does not open."""
    with pytest.raises(UnreadableError):
        RING.open(SEALED[:length], "session_key:a")


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ("session_key:b", "another subject's record"),
        ("ticket:a", "another purpose"),
        ("", "no context"),
    ],
)
def test_swapped(context: str, reason: str) -> None:
    """A record put in another's place does not open."""
    with pytest.raises(UnreadableError):
        RING.open(SEALED, context)


def test_other_version() -> None:
    """A version we do not know is unreadable."""
    with pytest.raises(UnreadableError):
        RING.open(b"\x02" + SEALED[1:], "session_key:a")


def test_not_text() -> None:
    """What opens to bytes that are no text is unreadable, not a crash."""
    sealed = KeyRing([NEW]).seal("x", "context")
    cipher = KeyRing([NEW])._ciphers[sealed[1:5]]
    odd = sealed[:17] + cipher.encrypt(sealed[5:17], b"\xff", sealed[:5] + b"context")
    with pytest.raises(UnreadableError):
        KeyRing([NEW]).open(odd, "context")


def test_rotation() -> None:
    """The newest key seals, older ones open; a key taken out is named as unknown."""
    old = KeyRing([OLD]).seal("text", "context")
    assert RING.open(old, "context") == "text"
    assert KeyRing([NEW]).open(RING.seal("text", "context"), "context") == "text"
    with pytest.raises(UnknownKeyError):
        KeyRing([NEW]).open(old, "context")


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"x" * 31], [b"x" * 33]])
def test_refused_keys(keys: list[bytes]) -> None:
    """Keys are 32 bytes each, and there is one at least."""
    with pytest.raises(ValueError, match="32 bytes"):
        KeyRing(keys)


def test_keys_with_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys whose ids fall together are refused; shorter ids make that happen."""
    monkeypatch.setattr(keyring, "_KEY_ID_BYTES", 0)
    with pytest.raises(ValueError, match="same id"):
        KeyRing([NEW, OLD])


def test_ids() -> None:
    """Newest first, each once; a sealed text begins with its key's, so it can be told apart."""
    (old,), (new,) = KeyRing([OLD]).key_ids, KeyRing([NEW]).key_ids
    assert RING.key_ids == KeyRing([NEW, OLD, NEW]).key_ids == (new, old)
    assert len(new) == 8
    assert SEALED[1:5].hex() == new


def test_same_key_twice() -> None:
    """A key named twice is harmless."""
    assert KeyRing([NEW, NEW]).open(RING.seal("text", "context"), "context") == "text"


def test_nothing_secret_is_shown() -> None:
    """Neither the ring nor its errors show a key or a text."""
    assert repr(NEW) not in repr(RING)
    with pytest.raises(UnreadableError) as caught:
        RING.open(SEALED, "other")
    assert "HyVF" not in str(caught.value)
