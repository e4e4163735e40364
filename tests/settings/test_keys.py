"""Which keys production takes."""

import base64
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from gateway.errors import Problem
from gateway.settings import build
from gateway.settings.keys import DEVELOPMENT_MARK, DEVELOPMENT_PREFIX

Raw = dict[str, object]
GOOD = "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A"
GOOD_BYTES = base64.b64encode(bytes(range(32))).decode()


def keys(signing: object, encryption: object) -> Raw:
    return {"session": {"signing_keys": signing, "encryption_keys": encryption}}


def test_good_keys_are_taken() -> None:
    """32 characters, 32 bytes; read from a file or not."""
    settings = build(keys([GOOD, SecretStr(GOOD[::-1])], [GOOD_BYTES]))
    assert settings.session.signing_keys[0].get_secret_value() == GOOD
    assert settings.session.encryption_keys[0].get_secret_value() == bytes(range(32))


@pytest.mark.parametrize(
    ("signing", "why"),
    [
        (GOOD[:31], "one character short"),
        ("a" * 40, "one character again and again"),
        ("this-is-an-EXAMPLE-key-" + GOOD, "an example"),
        ("please-change-me-" + GOOD, "an example"),
        ("my-secret-" + GOOD, "an example"),
        (DEVELOPMENT_PREFIX + GOOD, "made for development"),
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


def test_what_is_no_key_is_told_once(refused: Callable[[Raw], dict[str, Problem]]) -> None:
    """The shape is the models' business."""
    problems = refused(keys([5], [None]))
    assert list(problems) == ["session.signing_keys[0]", "session.encryption_keys[0]"]
