"""Finding places in models and data."""

from typing import Literal

import pytest

from gateway.settings.findings import Loc
from gateway.settings.scalars import Reads
from gateway.settings.walk import entries, find, parts, section, value_at

RAW: dict[str, object] = {"apps": {"a": {"x": 1}, "b": None}, "routes": [{"path": "/"}, 5]}


@pytest.mark.parametrize(
    ("loc", "reads"),
    [
        (("session", "signing_keys", 0), Reads.SECRET),
        (("session", "encryption_keys", 3), Reads.SECRET),
        (("session", "store"), Reads.SECRET),
        (("admin", "tokens", 0, "token"), Reads.SECRET),
        (("login", "callback", "secret"), Reads.SECRET),
        (("identity", "signing_keys", 0), Reads.SECRET),
        (("apps", "any", "secret"), Reads.SECRET),
        (("apps", "any", "next_secret"), Reads.SECRET),
        (("apps", "any", "phone_private_key"), Reads.SECRET),
        (("routes", 0, "respond", "file"), Reads.CONTENT),
        (("upstreams", "any", "tls", "ca"), Reads.FILE),
        (("upstreams", "any", "tls", "key"), Reads.PRIVATE_FILE),
        (("server", "tls", "key"), Reads.PRIVATE_FILE),
        (("server", "listen"), Reads.NOTHING),
        (("apps", "any"), Reads.NOTHING),
    ],
)
def test_the_models_say_what_stands_behind_a_value(loc: Loc, reads: Reads) -> None:
    """Every secret and every file of the contract is known as such."""
    spot = find(loc)
    assert spot is not None
    assert spot.reads is reads


@pytest.mark.parametrize("loc", [("x",), ("apps", 0), ("routes", "x"), ("server", "listen", "x")])
def test_an_unknown_place_is_none(loc: Loc) -> None:
    """The models say nothing of it."""
    assert find(loc) is None


def test_a_spot_knows_its_keys_and_type() -> None:
    """Keys for suggestions; optional types without their None."""
    top, callback, access = find(()), find(("login", "callback")), find(("routes", 0, "session"))
    assert top is not None
    assert callback is not None
    assert access is not None
    assert "environment" in top.keys
    assert callback.keys == ("url", "secret", "timeout", "required")
    assert access.annotation == Literal["required", "optional", "none"]
    assert access.keys == ()


def test_values_are_taken_without_failing() -> None:
    """What is not there, or of another shape, is None or empty."""
    assert value_at(RAW, ("apps", "a", "x")) == 1
    assert value_at(RAW, ("routes", 0, "path")) == "/"
    assert value_at(RAW, ("routes", 7)) is None
    assert value_at(RAW, ("routes", "x", "y")) is None
    assert section(RAW, "routes") == {}
    assert section(RAW, "apps", "a") == {"x": 1}


def test_entries_carry_their_places() -> None:
    """Mappings and lists alike; `parts` gives only mappings."""
    assert [loc for loc, _ in entries(RAW, "apps")] == [("apps", "a"), ("apps", "b")]
    assert [loc for loc, _ in entries(RAW, "routes")] == [("routes", 0), ("routes", 1)]
    assert list(entries(RAW, "nothing")) == []
    assert [loc for loc, _ in parts(RAW, "apps")] == [("apps", "a")]
