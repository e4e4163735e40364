"""Where we listen, whom we believe, where services are."""

from pathlib import Path

import pytest

from gateway.settings.addresses import (
    Listen,
    Target,
    check_header_name,
    check_host,
    parse_base,
    parse_listen,
    parse_network,
    parse_proxy,
    parse_target,
)
from gateway.settings.findings import RefusedError

BASE = Path("/etc/gateway")


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("0.0.0.0:8080", Listen("0.0.0.0", 8080)),
        ("[::1]:0", Listen("::1", 0)),
        ("localhost:80", Listen("localhost", 80)),
        ("unix:/run/g.sock", Listen(path=Path("/run/g.sock"))),
        ("unix:g.sock", Listen(path=BASE / "g.sock")),
    ],
)
def test_a_listener_has_a_port_or_a_socket(written: str, listen: Listen) -> None:
    """A relative socket counts from the settings file."""
    assert parse_listen(written, BASE) == listen
    assert parse_listen(str(listen), BASE) == listen


@pytest.mark.parametrize("written", ["8080", ":8080", 8080, "a:b", "host", "h:65536", "unix:", ""])
def test_a_wrong_listener_is_refused(written: object) -> None:
    """Host and port are both named."""
    with pytest.raises(RefusedError):
        parse_listen(written, BASE)


@pytest.mark.parametrize(
    ("written", "target", "authority"),
    [
        ("http://10.0.0.1:9000", Target("http", "10.0.0.1", 9000), "10.0.0.1:9000"),
        ("http://Orders/", Target("http", "orders", 80), "orders"),
        ("https://[2001:DB8::1]", Target("https", "2001:db8::1", 443), "[2001:db8::1]"),
        ("https://a.b:80", Target("https", "a.b", 80), "a.b:80"),
        ("unix:/run/a.sock", Target("unix", path=Path("/run/a.sock")), "localhost"),
    ],
)
def test_a_target_is_http_https_or_a_socket(written: str, target: Target, authority: str) -> None:
    """The port is filled in, the host is lower-case, and `Host` has its shortest form."""
    assert parse_target(written, BASE) == target
    assert target.authority == authority
    assert parse_target(str(target), BASE) == target


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ftp://a", "another scheme"),
        ("HTTP://a", "one spelling is enough"),
        ("http://u:p@a", "a user"),
        ("http://a@b", "the same without a password"),
        ("http://a/b", "a path"),
        ("http://a?b", "a query"),
        ("http://a#b", "a fragment"),
        ("http://a:0", "no port"),
        ("http://a:99999", "a port too high"),
        ("http://", "no host"),
        ("http://a b", "a space"),
        ("http://a\n", "a line feed"),
        ("http://[::1", "half a bracket"),
        ("http://[fe80::1%eth0]", "a zone"),
        ("http://[fe80::1%25eth0]", "as RFC 6874 writes it"),
        ("http://[a]", "no address in brackets"),
        ("http://0x7f.0.0.1", "an address to some resolvers only"),
        ("http://2130706433", "the same in one number"),
        ("http://127.1", "the same, short"),
        ("http://0x7f000001", "the same in hex"),
        ("//a", "no scheme"),
        (5, "a number"),
    ],
)
def test_a_target_with_anything_more_is_refused(written: object, why: str) -> None:
    """Nothing in a target is left to interpretation (attacks.md X4)."""
    with pytest.raises(RefusedError):
        parse_target(written, BASE)
    if isinstance(written, str):
        with pytest.raises(RefusedError):
            parse_base(written)


def test_a_base_loses_its_slash() -> None:
    """Paths are appended to it."""
    assert parse_base("https://api.example.com/") == "https://api.example.com"


def test_a_proxy_is_http_without_password() -> None:
    """The way out carries no secret of its own."""
    assert parse_proxy("http://proxy:3128") == "http://proxy:3128"
    for wrong in ("https://proxy", "http://u:p@proxy", "proxy:3128", None):
        with pytest.raises(RefusedError):
            parse_proxy(wrong)


@pytest.mark.parametrize(
    ("written", "host"),
    [("API.Example.com", "api.example.com"), ("[::1]", "::1"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_host_is_lower_case_and_without_brackets(written: str, host: str) -> None:
    """Hosts compare in one spelling."""
    assert check_host(written) == host


@pytest.mark.parametrize(
    "written",
    ["a:80", "a.", ".a", "-a", "a..b", "例子.中国", "a" * 64, "a." * 127 + "a", "*", "", None],
)
def test_a_wrong_host_is_refused(written: object) -> None:
    """Ports, wildcards, empty labels and international letters are no host here."""
    with pytest.raises(RefusedError):
        check_host(written)


def test_a_network_has_no_host_bits() -> None:
    """A slip in the mask would trust others than meant."""
    assert str(parse_network("10.0.0.1")) == "10.0.0.1/32"
    assert str(parse_network("2001:db8::/32")) == "2001:db8::/32"
    for wrong in ("10.0.0.1/8", "10.0.0.0/33", "localhost", 10, None):
        with pytest.raises(RefusedError):
            parse_network(wrong)


def test_a_header_name_is_lower_case() -> None:
    """Underscores read differently in some servers, so they are refused."""
    assert check_header_name("X-Real-IP") == "x-real-ip"
    for wrong in ("X_Real_IP", "", "a b", 5):
        with pytest.raises(RefusedError):
            check_header_name(wrong)
