"""Which keys production takes."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from gateway.errors import Problem
from gateway.settings import build
from gateway.settings.keys import DEVELOPMENT_MARK, DEVELOPMENT_PREFIX

Raw = dict[str, object]
GOOD = "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A"
KEY = hashlib.sha256(b"as if it were random").digest()
GOOD_BYTES = base64.b64encode(KEY).decode()


def keys(signing: object, encryption: object) -> Raw:
    return {"session": {"signing_keys": signing, "encryption_keys": encryption}}


def test_good_keys_are_taken() -> None:
    """32 characters, 32 bytes; read from a file or not."""
    settings = build(keys([GOOD, SecretStr(GOOD[::-1])], [GOOD_BYTES]))
    assert settings.session.signing_keys[0].get_secret_value() == GOOD
    assert settings.session.encryption_keys[0].get_secret_value() == KEY


@pytest.mark.parametrize(
    ("signing", "why"),
    [
        (GOOD[:31], "one character short"),
        ("a" * 40, "one character again and again"),
        ("this-is-an-EXAMPLE-key-" + GOOD, "an example"),
        ("please-change-me-" + GOOD, "an example"),
        ("my-secret-" + GOOD, "an example"),
        (DEVELOPMENT_PREFIX + GOOD, "made for development"),
        (DEVELOPMENT_PREFIX.upper() + GOOD, "the same in capitals"),
        ("1234567890" * 4, "a pattern"),
        ("abcdefghijklmnopqrstuvwxyz012345", "the alphabet"),
    ],
)
def test_a_weak_signing_key_is_refused_unseen(
    signing: str, why: str, refused: Callable[[Raw], dict[str, Problem]]
) -> None:
    """Whoever knows the key is anybody; the refusal does not show it."""
    problems = refused(keys([GOOD, signing], [GOOD_BYTES]))
    assert list(problems) == ["session.signing_keys[1]"], why
    assert signing not in str(problems["session.signing_keys[1]"])


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (bytes(32), "one byte again and again"),
        (DEVELOPMENT_MARK + bytes(range(24)), "made for development"),
        (bytes(range(31)), "one byte short"),
        (bytes(range(32)), "a row"),
        (KEY[:8] * 4, "a pattern"),
        (b"this is an example of 32 bytes..", "a sentence"),
    ],
)
def test_a_weak_encryption_key_is_refused_unseen(
    key: bytes, why: str, refused: Callable[[Raw], dict[str, Problem]]
) -> None:
    """The same for keys at rest."""
    digits = base64.b64encode(key).decode()
    problems = refused(keys([GOOD], [digits]))
    assert list(problems) == ["session.encryption_keys[0]"], why
    assert digits not in str(problems["session.encryption_keys[0]"])


@pytest.mark.parametrize("raw", [{}, keys([], []), keys(None, None), {"session": {}}])
def test_production_needs_keys(raw: Raw, refused: Callable[[Raw], dict[str, Problem]]) -> None:
    """Nothing is made up where it matters."""
    problems = refused(raw)
    assert {"session.signing_keys", "session.encryption_keys"} <= set(problems)


def test_development_takes_what_production_refuses() -> None:
    """There the keys protect nobody; they must still be long enough."""
    settings = build({"environment": "development", **keys(["a" * 32], [])})
    assert len(settings.session.signing_keys) == 1


def test_a_key_of_words_in_base64_is_refused(
    refused: Callable[[Raw], dict[str, Problem]],
) -> None:
    """Its bytes look random; its text does not."""
    problems = refused(keys([GOOD], ["ThisIsMySecretKeyForTheStoreOfSessions00000="]))
    assert list(problems) == ["session.encryption_keys[0]"]


@pytest.mark.parametrize("token", ["changeme-changeme", "aaaaaaaaaaaaaaaa", "1234567890123456"])
def test_a_weak_admin_token_is_refused_unseen(
    token: str, refused: Callable[[Raw], dict[str, Problem]]
) -> None:
    """Who guesses it ends everybody's sessions."""
    admin = {"tokens": [{"name": "ops", "token": token, "scopes": ["revoke"]}]}
    problems = refused({**keys([GOOD], [GOOD_BYTES]), "admin": admin})
    assert list(problems) == ["admin.tokens[0].token"]
    assert token not in str(problems["admin.tokens[0].token"])


def test_a_short_weak_secret_is_told_once(refused: Callable[[Raw], dict[str, Problem]]) -> None:
    """That it is short is enough to know."""
    admin = {"tokens": [{"name": "ops", "token": "aaaa", "scopes": ["read"]}]}
    problems = refused({**keys(["aaaa"], [GOOD_BYTES]), "admin": admin})
    allowed = {place: problem.allowed for place, problem in problems.items()}
    assert allowed == {
        "session.signing_keys[0]": "a secret of at least 32 characters",
        "admin.tokens[0].token": "a secret of at least 16 characters",
    }


def test_what_is_no_key_is_told_once(refused: Callable[[Raw], dict[str, Problem]]) -> None:
    """The shape is the models' business."""
    problems = refused(keys([5], [None]))
    assert list(problems) == ["session.signing_keys[0]", "session.encryption_keys[0]"]


@pytest.mark.parametrize("token", [GOOD, GOOD_BYTES])
def test_an_admin_token_is_no_key(token: str, refused: Callable[[Raw], dict[str, Problem]]) -> None:
    """It goes through shells and scripts; a key among them signs anybody in."""
    admin = {"tokens": [{"name": "ops", "token": token, "scopes": ["revoke"]}]}
    problems = refused({**keys([GOOD], [GOOD_BYTES]), "admin": admin})
    assert list(problems) == ["admin.tokens[0].token"]
    assert "one of the session's keys" in str(problems["admin.tokens[0].token"])
    assert token not in str(problems["admin.tokens[0].token"])
