"""How problems are told."""

import pytest
from pydantic import SecretBytes, SecretStr

from gateway.settings.findings import Finding, Origin, describe, nowhere, one_of, quote, render


@pytest.mark.parametrize(
    ("loc", "path"),
    [
        ((), ""),
        (("routes", 0, "upstream"), "routes[0].upstream"),
        (("apps", "shop-wechat", "secret"), "apps.shop-wechat.secret"),
    ],
)
def test_a_place_is_written_as_operators_read_it(loc: tuple[str | int, ...], path: str) -> None:
    """Keys are joined by dots, positions stand in brackets."""
    assert render(loc) == path


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        (True, "true"),
        (5, "5"),
        ("10", "'10'"),
        ([], "an empty list"),
        ([1], "a list"),
        ({"a": "s3cret"}, "a mapping"),
        (SecretStr("0123456789ab"), "a secret of 12 characters"),
        (SecretBytes(b"0123"), "a secret of 4 characters"),
    ],
)
def test_a_value_is_described(value: object, shown: str) -> None:
    """Scalars are shown, collections named, secrets counted."""
    assert describe(value) == shown


def test_a_secret_in_plain_text_is_not_shown() -> None:
    """What stands where a secret belongs is only counted."""
    assert describe("hunter2", is_secret=True) == "a secret of 7 characters"


def test_a_value_from_the_environment_is_not_shown() -> None:
    """The text as written is shown, and how long the value was."""
    shown = describe("hunter2", written="${PORT}")
    assert shown == "'${PORT}' (read as 7 characters)"


def test_a_quoted_url_loses_its_password() -> None:
    """User and password of a URL are cut out."""
    assert quote("http://me:hunter2@proxy:3128") == "'http://***@proxy:3128'"


@pytest.mark.parametrize(
    "secret",
    [
        "6f1ed002ab5595859014ebf0951522d9",
        "q83vEjRWeJASNFZ4mrze8KvN7xI0VniQEjRWeJq83vA=",
        "K7mQ2vX9-bR4tY8wZ1_nL5pJ3hG6fD0sAc",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(secret: str) -> None:
    """A platform's, a key, a token: as a value, within one, as a key, in a list of names."""
    assert quote(secret) == "'***'"
    assert secret not in quote(f"secret:{secret}")
    assert render(("apps", "shop", secret)) == "apps.shop.***"
    assert secret not in one_of(("main", secret), secret)


@pytest.mark.parametrize(
    "text",
    [
        "order-service-v2-backend-1",
        "/api/v1/registers/wechat_program/orders",
        "http://10.0.0.1:9000/some/long/path/of/a/service",
        "trusted_proxies_networks_2",
        "maxConnectionsPerClientAddress2",
    ],
)
def test_names_and_paths_are_shown(text: str) -> None:
    """They are long, too, and may hold a digit."""
    assert text in quote(text)


def test_a_quoted_text_is_bounded_and_on_one_line() -> None:
    """Controls are escaped, and a long text is cut."""
    assert quote("a\nb") == r"'a\nb'"
    assert len(quote("x" * 1000)) < 100


def test_the_nearest_name_is_offered() -> None:
    """A slip of the pen gets its correction beside the list."""
    assert one_of(("listen", "limits"), "lisen") == "did you mean 'listen'? one of: limits, listen"
    assert one_of(()) == "none is defined"


def test_a_finding_takes_its_own_origin_first() -> None:
    """A second key of one name has another line than its place."""
    finding = Finding(("a",), "each key once", "again", Origin("f.yaml", 7))
    assert finding.problem(nowhere, "x").line == 7
