"""How the address of a Redis store is read, and what is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.findings import RefusedError
from gateway.settings.redis_url import RedisAddress, parse_redis_url


@pytest.mark.parametrize(
    ("url", "expected", "why"),
    [
        ("redis://r", RedisAddress("single", False, (("r", 6379),)), "as little as can be"),
        (
            "redis://me:p%40ss%2F@r:1/3",
            RedisAddress("single", False, (("r", 1),), "me", "p@ss/", database=3),
            "a password in its own encoding",
        ),
        (
            "redis://:pw@[::1]:7/",
            RedisAddress("single", False, (("::1", 7),), None, "pw"),
            "no user, an IPv6 address",
        ),
        (
            "rediss://r?ssl_ca_certs=/ca&ssl_certfile=/c&ssl_keyfile=/k&ssl_server_name=n",
            RedisAddress(
                "single",
                True,
                (("r", 6379),),
                ca_file="/ca",
                cert_file="/c",
                key_file="/k",
                server_name="n",
            ),
            "all options of TLS",
        ),
        (
            "redis+sentinel://me:pw@a,b:7,[::1]/main-1/2?sentinel_password=s",
            RedisAddress(
                "sentinel",
                False,
                (("a", 26379), ("b", 7), ("::1", 26379)),
                "me",
                "pw",
                "main-1",
                2,
                sentinel_password="s",
            ),
            "the user is the servers', the options are the sentinels'",
        ),
        (
            "rediss+sentinel://a/m?ssl_ca_certs=/ca&sentinel_username=u&sentinel_password=s",
            RedisAddress(
                "sentinel",
                True,
                (("a", 26379),),
                master_name="m",
                ca_file="/ca",
                sentinel_user="u",
                sentinel_password="s",
            ),
            "both kinds of options",
        ),
        (
            "redis+cluster://a:1,b/0",
            RedisAddress("cluster", False, (("a", 1), ("b", 6379))),
            "a Cluster's only number",
        ),
        ("rediss+cluster://a", RedisAddress("cluster", True, (("a", 6379),)), "with TLS"),
    ],
)
def test_read(url: str, expected: RedisAddress, why: str) -> None:
    """Each kind of address, with what may stand in it."""
    assert parse_redis_url(url) == expected, why


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis:r", "no slashes"),
        ("redis://", "no host"),
        ("redis://a,b", "two hosts of one server"),
        ("redis://a:65536", "no port"),
        ("redis://a:0", "no port either"),
        ("redis://a b", "a space"),
        ("redis://[::1", "half a bracket"),
        ("redis://a/x", "no number"),
        ("redis://a/1000", "too large a number"),
        ("redis://a#x", "a fragment"),
        ("redis://hunter2@", "only a user"),
        ("redis://a?ssl_ca_certs=/ca", "TLS options without TLS"),
        ("rediss://a?ssl_cert_reqs=none", "an option that switches the check off"),
        ("rediss://a?ssl_check_hostname=false", "another one"),
        ("rediss://a?ssl_keyfile=/k", "a key without its certificate"),
        ("rediss://a?ssl_ca_certs=", "an empty option"),
        ("rediss://a?ssl_ca_certs=/a&ssl_ca_certs=/b", "an option twice"),
        ("rediss://a?sentinel_password=hunter2", "a sentinel's option without sentinels"),
        ("redis+sentinel://a", "no master's name"),
        ("redis+sentinel://a/", "an empty one"),
        ("redis+sentinel://a/m/x", "no number behind it"),
        ("redis+sentinel://a/m%20", "an odd name"),
        ("redis+sentinel://,/m", "no host at all"),
        ("redis+cluster://a/1", "a Cluster has one database"),
        ("redis+cluster://a,/0", "an empty host"),
        ("redis+ring://a", "another kind"),
        ("unix://a", "another scheme"),
    ],
)
def test_refused(url: str, why: str) -> None:
    """What is refused is not quoted: it may hold a password."""
    with pytest.raises(RefusedError) as caught:
        parse_redis_url(url)
    assert "hunter2" not in f"{caught.value.allowed}{caught.value.found}", why


def test_passwords_do_not_print() -> None:
    """Neither password is in what an address prints."""
    url = "redis+sentinel://me:hunter2@a/m?sentinel_password=hunter2"
    assert "hunter2" not in repr(parse_redis_url(url))


@pytest.mark.parametrize("password", ["pa/ss", "pa#ss", "pa?ss"])
def test_a_password_as_it_is_hints_at_its_encoding(password: str) -> None:
    """The likeliest slip; the password itself is not quoted."""
    with pytest.raises(RefusedError) as caught:
        parse_redis_url(f"redis://me:{password}@r:1/0")
    assert "percent-encoded" in caught.value.allowed
    assert password not in repr(caught.value)


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """Any text is read or refused."""
    for scheme in ("redis://", "rediss+sentinel://", "redis+cluster://", ""):
        with contextlib.suppress(RefusedError):
            parse_redis_url(scheme + text)
