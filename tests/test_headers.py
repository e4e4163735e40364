"""What a name means, in both directions (attacks.md H1 to H15, T3, T4)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.headers import (
    IN_ANSWER,
    IN_REQUEST,
    Kind,
    connection_tokens,
    fold,
    is_reserved,
    options_of,
    values,
)
from tests.support.names import HARMLESS, HOP_BY_HOP, OUR_NAMES, spellings
from tests.support.requests import fields

# -- names ----------------------------------------------------------------------------------------


@given(st.binary(max_size=40))
def test_fold_reads_every_byte(name: bytes) -> None:
    """ASCII letters lower-cased, digits kept, every other byte a hyphen."""
    assert fold(name) == re.sub(rb"[^a-z0-9]", b"-", name.lower())


@pytest.mark.parametrize("name", OUR_NAMES)
def test_what_only_we_may_say_is_reserved(name: str) -> None:
    """H1 to H6, H11, F2, F3, G4: each name, in each spelling, in each case."""
    for each in spellings(name):
        assert is_reserved(fold(each))


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_are_not_reserved(name: str) -> None:
    """Not even those that begin alike."""
    assert not is_reserved(fold(name.encode()))
    assert not is_reserved(fold(b"X-WXX-" + name.encode()))


def test_values_keep_their_order() -> None:
    """Several lines of one name, compared without case."""
    assert values(fields("A: 1", "B: 2", "a: 3"), b"a") == [b"1", b"3"]


# -- Connection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "tokens", "why"),
    [
        ([], set(), "none"),
        (["Connection: close"], {b"close"}, "one"),
        (["Connection: Close, X-OpenId"], {b"close", b"x-openid"}, "H13: lower-cased"),
        (["connection: a", "CONNECTION: b"], {b"a", b"b"}, "H13: two lines are one list"),
        (["Connection: , ,X-OpenId,"], {b"x-openid"}, "H13: empty members are nothing"),
        (["Connection: \ta\t,\tb"], {b"a", b"b"}, "tabs"),
        (["Connection: a b"], {b"a b"}, "two words are no token, and not two"),
        (["Connection:"], set(), "empty"),
    ],
)
def test_what_connection_names(lines: list[str], tokens: set[bytes], why: str) -> None:
    """RFC 9110 7.6.1."""
    assert connection_tokens(fields(*lines)) == tokens, why


def test_options_are_read_from_values_as_from_fields() -> None:
    """Who has the values already need not look for them again."""
    lines = fields("Connection: Close, X-A", "Accept: a", "connection: x-b")
    assert options_of([b"Close, X-A", b"x-b"]) == connection_tokens(lines)
    assert options_of([]) == frozenset()


# -- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("Host", Kind.HOST, "read by us"),
        ("Content-Length", Kind.LENGTH, "framing"),
        ("Transfer-Encoding", Kind.CODING, "framing"),
        ("Expect", Kind.EXPECT, "framing"),
        ("Upgrade", Kind.UPGRADE, "framing"),
        ("Connection", Kind.CONNECTION, "names what ends here"),
        ("Authorization", Kind.AUTHORIZATION, "may hold our token"),
        ("Cookie", Kind.COOKIE, "may hold our token"),
        ("X-Session-Token", Kind.TOKEN, "holds our token"),
        ("X_Session_Token", Kind.DROPPED, "only stripped: one spelling counts"),
        ("Content_Length", Kind.MISSPELT, "T3"),
        ("Content.Length", Kind.MISSPELT, "T3"),
        ("Transfer_Encoding", Kind.MISSPELT, "T4"),
        ("Transfer~Encoding", Kind.MISSPELT, "T4"),
        ("Proxy", Kind.DROPPED, "CVE-2016-5385"),
        ("Accept", Kind.COPIED, "none of ours"),
        ("Authorization_", Kind.COPIED, "another name"),
        ("Content-Type", Kind.COPIED, "of a request, nothing to us"),
    ],
)
def test_what_a_name_means_in_a_request(name: str, kind: Kind, why: str) -> None:
    """Whatever its case."""
    for each in (name, name.lower(), name.upper(), name.swapcase()):
        assert IN_REQUEST[each.encode()] is kind, why


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("Content-Length", Kind.LENGTH, "framing"),
        ("Transfer-Encoding", Kind.CODING, "framing"),
        ("Connection", Kind.CONNECTION, "names what ends here"),
        ("Set-Cookie", Kind.COOKIE, "may set our cookie"),
        ("Content-Type", Kind.CONTENT_TYPE, "tells an event stream"),
        ("Content_Length", Kind.COPIED, "clients speak HTTP: no CGI reads it"),
        ("X-Wx-Openid", Kind.COPIED, "reserved towards services only"),
        ("X-OpenId", Kind.DROPPED, "H20"),
        ("X_OpenId", Kind.DROPPED, "H20: in any spelling"),
        ("Server", Kind.COPIED, "none of ours"),
    ],
)
def test_what_a_name_means_in_an_answer(name: str, kind: Kind, why: str) -> None:
    """Whatever its case."""
    for each in (name, name.lower(), name.upper(), name.swapcase()):
        assert IN_ANSWER[each.encode()] is kind, why


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_hop_by_hop_names_are_never_copied(name: str) -> None:
    """H15: in neither direction, in no spelling."""
    for each in (name, name.lower(), name.upper(), name.replace("-", "_")):
        assert IN_REQUEST[each.encode()] is not Kind.COPIED
        assert IN_ANSWER[each.encode()] is not Kind.COPIED


@given(st.binary(min_size=1, max_size=20))
def test_a_name_means_the_same_each_time(name: bytes) -> None:
    """Remembered or not; and its case says nothing."""
    first = IN_REQUEST[name], IN_ANSWER[name]
    assert (IN_REQUEST[name], IN_ANSWER[name]) == first
    assert (IN_REQUEST[name.swapcase()], IN_ANSWER[name.swapcase()]) == first


def test_names_do_not_fill_memory() -> None:
    """As many as are sent, few are remembered, and no long one; known ones keep their meaning."""
    for number in range(5000):
        assert IN_REQUEST[b"X-Made-Up-%d" % number] is Kind.COPIED
        assert IN_REQUEST[b"X-Wx-Made-Up-%d" % number] is Kind.DROPPED
    assert len(IN_REQUEST) <= 1024
    before = len(IN_REQUEST)
    assert IN_REQUEST[b"X-" + b"a" * 32000] is Kind.COPIED
    assert len(IN_REQUEST) == before
    assert IN_REQUEST[b"Host"] is Kind.HOST
