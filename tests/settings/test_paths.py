"""Which paths the settings may name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.findings import RefusedError
from gateway.settings.paths import (
    check_login_path,
    check_path,
    check_prefix,
    login_pattern,
)
from gateway.target import canonical


@pytest.mark.parametrize(
    "path", ["/", "/api/", "/a+b,c:@d", "/%20%25", "/%E8%AE%A2", "/.well-known/jwks.json", "/..a/"]
)
def test_an_unambiguous_path_is_taken(path: str) -> None:
    """Fine by design section 8."""
    assert check_path(path) == path


@pytest.mark.parametrize(
    ("path", "allowed", "why"),
    [
        ("api/", "begins with /", "no slash at the beginning"),
        ("", "begins with /", "nothing"),
        (5, "begins with /", "a number"),
        ("/a/../b", "segments", "a dot segment"),
        ("/a/.", "segments", "one at the end"),
        ("/%2e%2E/b", "segments", "an encoded one"),
        ("/a//b", "empty segments", "an empty segment"),
        ("/a%2fb", "%2F", "an encoded slash"),
        ("/a%5Cb", "%5C", "an encoded backslash"),
        ("/a\\b", "%5C", "a backslash"),
        ("/a;b", "without ;", "path parameters"),
        ("/a%00", "control", "an encoded control character"),
        ("/a%7f", "control", "the last of them"),
        ("/%61pi", "'/api'", "an encoded unreserved character"),
        ("/%e8", "'/%E8'", "hex digits in lower case"),
        ("/订单/", "'/%E8%AE%A2%E5%8D%95/'", "not ASCII"),
        ("/a%", "two hex digits", "half a percent sign"),
        ("/a%4", "two hex digits", "the same"),
        ("/a?b", "letters", "a query"),
        ("/a#b", "letters", "a fragment"),
        ("/a b", "letters", "a space"),
        ("/a\n", "letters", "a line feed"),
    ],
)
def test_a_path_that_would_never_match_is_refused(path: object, allowed: str, why: str) -> None:
    """What is allowed is told, the canonical spelling where there is one."""
    with pytest.raises(RefusedError) as caught:
        check_path(path)
    assert allowed in caught.value.allowed, why


@given(st.text(alphabet="/.%2eEfF5cC;aZ~-_\\", max_size=12).map("/".__add__))
def test_what_is_taken_is_canonical_and_harmless(path: str) -> None:
    """Whatever is taken has one spelling and no ambiguous part."""
    try:
        taken = check_path(path)
    except RefusedError:
        return
    assert canonical(taken) == taken
    assert not {".", "..", ""}.intersection(taken.split("/")[1:-1])
    assert not re.search(r"[;\\]|%2F|%5C", taken)


def test_a_prefix_to_cut_has_no_slash_at_its_end() -> None:
    """What remains must begin with one."""
    assert check_prefix("/api") == "/api"
    for wrong in ("/api/", "/"):
        with pytest.raises(RefusedError, match="slash"):
            check_prefix(wrong)


@pytest.mark.parametrize("path", ["/{name}", "/{app_id}/{app_id}", "/{app_id", "/{}", "x/{app_id}"])
def test_a_login_path_knows_two_places(path: str) -> None:
    """{platform} and {app_id}, each at most once."""
    with pytest.raises(RefusedError):
        check_login_path(path)


def test_a_login_path_becomes_a_pattern() -> None:
    """The rest of the path is taken literally."""
    choices = {"platform": "wechat|baidu", "app_id": "[a-z0-9]+"}
    pattern = login_pattern(check_login_path("/v1.0/{platform}_program/{app_id}"), choices)
    match = pattern.fullmatch("/v1.0/baidu_program/key1")
    assert match is not None
    assert match.groupdict() == {"platform": "baidu", "app_id": "key1"}
    assert pattern.fullmatch("/v1x0/baidu_program/key1") is None
