"""Secrets as values."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from gateway.settings.findings import RefusedError
from gateway.settings.vault import parse_encryption_key, parse_secret, parse_store

BASE = Path("/etc/gateway")


def test_a_secret_never_prints() -> None:
    """Neither str nor repr show it."""
    secret = parse_secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r}"
    assert secret.get_secret_value() == "hunter2"
    assert parse_secret(SecretStr("hunter2")) == secret


@pytest.mark.parametrize("value", ["", None, 5, True, [], SecretStr("")])
def test_what_is_no_secret_is_refused(value: object) -> None:
    """Numbers have lost how they were written; an empty secret is none."""
    with pytest.raises(RefusedError):
        parse_secret(value)


@given(st.binary(min_size=32, max_size=32), st.booleans(), st.booleans())
def test_an_encryption_key_is_32_bytes_in_either_alphabet(
    key: bytes, is_url_safe: bool, is_padded: bool
) -> None:
    """Standard and URL-safe base64, with and without padding, give the same bytes."""
    encode = base64.urlsafe_b64encode if is_url_safe else base64.b64encode
    digits = encode(key).decode()
    parsed = parse_encryption_key(digits if is_padded else digits.rstrip("="))
    assert parsed.get_secret_value() == key
    assert parse_encryption_key(parsed) is parsed


@pytest.mark.parametrize(
    "value", ["AAAA", "not base64!", "é" * 44, "A" * 45, base64.b64encode(b"x" * 33).decode()]
)
def test_a_wrong_encryption_key_is_refused_unseen(value: str) -> None:
    """The refusal holds nothing of the key."""
    with pytest.raises(RefusedError) as caught:
        parse_encryption_key(value)
    assert value not in caught.value.allowed + (caught.value.found or "")


def test_a_sqlite_store_has_an_absolute_path() -> None:
    """A relative one counts from the settings file."""
    assert parse_store("sqlite:data/g.db", BASE).path == BASE / "data/g.db"
    assert str(parse_store("sqlite:/g.db", BASE)) == "sqlite:/g.db"


def test_a_redis_store_does_not_print_its_password() -> None:
    """Its URL is kept whole, but not shown."""
    store = parse_store("redis://me:hunter2@redis:6379/0", BASE)
    assert store.url == "redis://me:hunter2@redis:6379/0"
    assert "hunter2" not in f"{store} {store!r}"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("sqlite:", "no path"),
        ("sqlite::memory:", "workers would not share it"),
        ("sqlite:///data.db", "another program's way to write it"),
        ("sqlite:a.db?mode=ro", "options"),
        ("redis:6379", "no slashes"),
        ("redis://", "no host"),
        ("redis://r:port", "no port"),
        ("redis://r:0", "no port either"),
        ("redis://r/name", "no number of a database"),
        ("redis://r/0#x", "a fragment"),
        ("redis://r/0?decode_responses=1", "an option that changes what we read"),
        ("rediss://r/0?ssl_cert_reqs=none", "an option that switches the check off"),
        ("redis://[::1/0", "half a bracket"),
        ("postgres://r", "another store"),
        ("hunter2", "no scheme"),
        (5, "a number"),
    ],
)
def test_a_wrong_store_is_refused_unseen(value: object, why: str) -> None:
    """What is refused may hold a password."""
    with pytest.raises(RefusedError) as caught:
        parse_store(value, BASE)
    assert "hunter2" not in f"{caught.value.allowed}{caught.value.found}", why


@pytest.mark.parametrize(
    ("value", "found", "why"),
    [
        ("sqlite:///abs/x.db", "'sqlite:///abs/x.db'", "a path is no secret"),
        ("sqlite:", "'sqlite:'", "nor is none"),
        ("sqlite::memory:", "'sqlite::memory:'", "nor this"),
        ("sqlite:a.db?key=hunter2", "'sqlite:a.db?…'", "but an option may be one"),
        ("sqlite://me:hunter2@a/b", "'sqlite://***@a/b'", "and so may a password"),
    ],
)
def test_a_wrong_sqlite_store_is_shown(value: str, found: str, why: str) -> None:
    """With both ways to write a path."""
    with pytest.raises(RefusedError) as caught:
        parse_store(value, BASE)
    assert caught.value.found == found, why
    assert "sqlite:data/gateway.db or sqlite:/" in caught.value.allowed


def test_tls_files_may_be_named_for_rediss() -> None:
    """A private authority is common inside a company."""
    url = "rediss://redis/1?ssl_ca_certs=/etc/ca.pem"
    assert parse_store(SecretStr(url), BASE).scheme == "rediss"


def test_keys_are_bytes_and_hidden() -> None:
    """The bytes do not print either."""
    key = parse_encryption_key(base64.b64encode(bytes(range(32))).decode())
    assert isinstance(key, SecretBytes)
    assert "01" not in repr(key)
