"""Whose address a request has (attacks.md F1 to F6)."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients import MAX_ADDRESS_CHARACTERS, MAX_CHAIN, MAX_PEERS, Client, Trust
from tests.support.requests import PEER, fields

PROXY = "10.0.0.1"
NETWORKS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
TRUST = Trust(NETWORKS, "X-Forwarded-For")
FORWARDED_NAMES = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Request-Id",
    "X-Real-IP",
    "Forwarded",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Envoy-External-Address",
    "X-ProxyUser-Ip",
    "X_Forwarded_For",
    "X.Forwarded.For",
]
RUBBISH = st.lists(
    st.tuples(st.sampled_from([name.encode() for name in FORWARDED_NAMES]), st.binary(max_size=60)),
    max_size=8,
)
HOPS = st.lists(
    st.sampled_from([b"10.1.1.1", b"1.2.3.4", b"::1", b"unknown", b"", b"fd00::5", b" 10.2.2.2 "]),
    max_size=80,
)


@given(RUBBISH, st.sampled_from([PEER, "", "2001:db8::1", "::ffff:203.0.113.9", "fe80::1%eth0"]))
def test_a_stranger_is_never_believed(received: list[tuple[bytes, bytes]], peer: str) -> None:
    """F1: the socket's address and nothing else, whatever was sent."""
    assert TRUST.client(peer, "http", received) == Client(peer, False, (peer,), "http")
    nobody = Trust((), "x-forwarded-for")
    assert nobody.client(PROXY, "http", received) == Client(PROXY, False, (PROXY,), "http")


@pytest.mark.parametrize("name", FORWARDED_NAMES)
def test_a_strangers_claim_to_be_local_is_void(name: str) -> None:
    """F1: each of the names that somebody believes somewhere."""
    client = TRUST.client(PEER, "http", fields(f"{name}: 127.0.0.1"))
    assert (client.address, client.is_trusted_peer) == (PEER, False)


@given(RUBBISH, st.sampled_from(["x-forwarded-for", "x-real-ip", "forwarded", "x-wx-client-ip"]))
def test_rubbish_from_a_trusted_peer_never_crashes(
    received: list[tuple[bytes, bytes]], header: str
) -> None:
    """F5: an address comes out, and it is one."""
    client = Trust(NETWORKS, header).client(PROXY, "http", received)
    assert client.chain[-1] == PROXY
    assert client.address == client.chain[0]
    assert all(str(ip_address(hop)) == hop for hop in client.chain)
    assert client.scheme in {"http", "https"}


@given(HOPS)
def test_the_chain_is_bounded_and_only_its_first_hop_is_a_stranger(hops: list[bytes]) -> None:
    """F4, F5: from the right, through whom we believe, at most 32 hops and the peer."""
    client = TRUST.client(PROXY, "http", [(b"X-Forwarded-For", b",".join(hops))])
    assert len(client.chain) <= MAX_CHAIN + 1
    assert all(TRUST.is_trusted(hop) for hop in client.chain[1:])


@pytest.mark.parametrize(
    ("lines", "chain", "why"),
    [
        ([], (PROXY,), "the proxy says nothing"),
        (["1.2.3.4"], ("1.2.3.4", PROXY), "it names its client"),
        (["evil, 1.2.3.4, 10.0.0.2"], ("1.2.3.4", "10.0.0.2", PROXY), "F4: from the right"),
        (["127.0.0.1, 1.2.3.4"], ("1.2.3.4", PROXY), "F4: stop at the first stranger"),
        (["10.0.0.3, 10.0.0.2"], ("10.0.0.3", "10.0.0.2", PROXY), "only trusted ones"),
        (["1.2.3.4", "10.0.0.2"], ("1.2.3.4", "10.0.0.2", PROXY), "two lines are one list"),
        (["1.2.3.4,10.0.0.2"], ("1.2.3.4", "10.0.0.2", PROXY), "no spaces"),
        (["1.2.3.4\t,\t10.0.0.2"], ("1.2.3.4", "10.0.0.2", PROXY), "tabs"),
        (["2001:DB8::1"], ("2001:db8::1", PROXY), "IPv6 in its one spelling"),
        (["::ffff:1.2.3.4"], ("1.2.3.4", PROXY), "F6: a mapped address is what it maps"),
        (["::ffff:10.0.0.2"], ("10.0.0.2", PROXY), "F6: and trusted where that is"),
        (["fd00::2"], ("fd00::2", PROXY), "a trusted IPv6 hop"),
        (["a"], (PROXY,), "F5: no address"),
        (["1.2.3"], (PROXY,), "F5: not a whole one"),
        (["unknown"], (PROXY,), "F5: RFC 7239's word"),
        (["_hidden"], (PROXY,), "F5: and its other one"),
        (['"[::1]:80"'], (PROXY,), "F5: quoted, with a port"),
        (["1.2.3.4:80"], (PROXY,), "F5: with a port"),
        (["1.2.3.4, "], (PROXY,), "F5: an empty hop ends the walk"),
        (["1.2.3.4, x, 10.0.0.2"], ("10.0.0.2", PROXY), "F5: behind rubbish nothing counts"),
        (["0177.0.0.1"], (PROXY,), "F6: octal"),
        (["2130706433"], (PROXY,), "F6: one number"),
        (["0x7f.0.0.1"], (PROXY,), "F6: hex"),
        (["fe80::1%eth0"], (PROXY,), "F6: a zone"),
        (["\xa01.2.3.4"], (PROXY,), "a no-break space is no space"),
        (["1.2.3.4\x0b"], (PROXY,), "nor is a vertical tab"),
        (["\xb9.2.3.4"], (PROXY,), "a superscript is no digit"),
    ],
)
def test_the_chain_is_read_from_the_right(
    lines: list[str], chain: tuple[str, ...], why: str
) -> None:
    """F4 to F6: whom we believe is asked, one hop after the other."""
    received = fields(*(f"X-Forwarded-For: {line}" for line in lines))
    client = TRUST.client(PROXY, "http", received)
    assert client.chain == chain, why
    assert client.address == chain[0], why


@pytest.mark.parametrize(
    "value", [",".join(["10.0.0.2"] * 3000), "," * 32000, "1" * 32000, "10.0.0.2, " * 3000]
)
def test_a_long_list_is_cheap_and_bounded(value: str) -> None:
    """F5: only the last 32 hops are looked at."""
    client = TRUST.client(PROXY, "http", fields(f"X-Forwarded-For: {value}"))
    assert len(client.chain) <= MAX_CHAIN + 1


@pytest.mark.parametrize(
    ("lines", "chain", "why"),
    [
        (["X-Real-IP: 1.2.3.4"], ("1.2.3.4", PROXY), "the configured header"),
        (["x-real-ip: 1.2.3.4"], ("1.2.3.4", PROXY), "names have no case"),
        (["X_Real_IP: 1.2.3.4"], (PROXY,), "but one spelling"),
        (["X-Forwarded-For: 1.2.3.4"], (PROXY,), "another header does not count"),
        (["X-Real-IP: 1.2.3.4", "X-Real-IP: 5.6.7.8"], (PROXY,), "two are none"),
        (["X-Real-IP: 1.2.3.4, 5.6.7.8"], (PROXY,), "nor is a list"),
        (["X-Real-IP: rubbish"], (PROXY,), "nor is rubbish"),
        (["X-Real-IP:"], (PROXY,), "nor is nothing"),
    ],
)
def test_another_header_names_one_client(
    lines: list[str], chain: tuple[str, ...], why: str
) -> None:
    """`client_ip_header` other than a list is one address."""
    assert Trust(NETWORKS, "X-Real-IP").client(PROXY, "http", fields(*lines)).chain == chain, why


@pytest.mark.parametrize(
    ("peer", "is_trusted", "why"),
    [
        (PROXY, True, "in the network"),
        ("::ffff:10.0.0.1", True, "F6: the same address, mapped"),
        ("fd00::1", True, "in the other network"),
        (PEER, False, "in neither"),
        ("::ffff:203.0.113.9", False, "F6: a stranger, mapped"),
        ("fe80::1%eth0", False, "a zone is nobody's"),
        ("", False, "a unix socket has no address"),
    ],
)
def test_who_is_trusted(peer: str, is_trusted: bool, why: str) -> None:
    """Peers inside the configured networks."""
    assert TRUST.is_trusted(peer) is is_trusted, why
    assert TRUST.client(peer, "http", ()).is_trusted_peer is is_trusted, why


@pytest.mark.parametrize(
    ("lines", "scheme", "host", "request_id", "why"),
    [
        ([], "http", None, None, "nothing is said"),
        (["X-Forwarded-Proto: https"], "https", None, None, "the scheme"),
        (["X-Forwarded-Proto: HTTPS"], "https", None, None, "schemes have no case"),
        (["X-Forwarded-Proto: ftp"], "http", None, None, "no such scheme"),
        (["X-Forwarded-Proto: https,http"], "http", None, None, "a list"),
        (["X-Forwarded-Proto: https"] * 2, "http", None, None, "said twice"),
        (["X_Forwarded_Proto: https"], "http", None, None, "another spelling"),
        (["X-Forwarded-Host: Shop.example:81"], "http", "Shop.example:81", None, "as it came"),
        (["X-Forwarded-Host: a, b"], "http", None, None, "a list"),
        (["X-Forwarded-Host: a/b"], "http", None, None, "no host"),
        (["X-Forwarded-Host: a"] * 2, "http", None, None, "said twice"),
        (["X-Request-Id: 0123-abc_DEF"], "http", None, "0123-abc_DEF", "kept"),
        (["X-Request-Id: " + "a" * 64], "http", None, "a" * 64, "as long as may be"),
        (["X-Request-Id: " + "a" * 65], "http", None, None, "too long"),
        (["X-Request-Id: short"], "http", None, None, "too short to be unique"),
        (["X-Request-Id: 01234567 x"], "http", None, None, "a space"),
        (["X-Request-Id: 0123456\xe9"], "http", None, None, "outside ASCII"),
        (["X-Request-Id: 01234567"] * 2, "http", None, None, "said twice"),
    ],
)
def test_what_else_a_trusted_peer_says(
    lines: list[str], scheme: str, host: str | None, request_id: str | None, why: str
) -> None:
    """Scheme, host and request id: once, and only where they make sense."""
    client = TRUST.client(PROXY, "http", fields(*lines))
    assert (client.scheme, client.host, client.request_id) == (scheme, host, request_id), why


# -- what is remembered ---------------------------------------------------------------------------

PEERS = st.sampled_from(
    [PEER, PROXY, "", "10.0.0.2", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0", "x"]
)


@given(st.lists(PEERS | st.text(max_size=80), max_size=10))
def test_what_is_remembered_changes_no_trust(peers: list[str]) -> None:
    """A peer seen before is believed as if it were new."""
    used = Trust(NETWORKS, "x-forwarded-for")
    for peer in peers * 2:
        assert used.is_trusted(peer) == Trust(NETWORKS, "x-forwarded-for").is_trusted(peer)
        forwarded = fields("X-Forwarded-For: 1.2.3.4")
        fresh = Trust(NETWORKS, "x-forwarded-for").client(peer, "http", forwarded)
        assert used.client(peer, "http", forwarded) == fresh


def test_addresses_do_not_fill_memory() -> None:
    """Few peers are remembered; what is too long to be an address is nobody's."""
    trust = Trust(NETWORKS, "x-forwarded-for")
    for number in range(MAX_PEERS + 10):
        assert trust.is_trusted(str(ip_address(0x0A000000 + number)))
    assert trust._is_trusted.cache_info().currsize == MAX_PEERS
    assert not trust.is_trusted("10.0.0.1" + " " * MAX_ADDRESS_CHARACTERS)
    hops = ", ".join(["x" * 1000, "10.0.0.3"])
    assert trust.client(PROXY, "http", fields(f"X-Forwarded-For: {hops}")).address == "10.0.0.3"
