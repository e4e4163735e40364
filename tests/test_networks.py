"""Whose an address is, wherever clients are counted."""

import pytest

from gateway.networks import network_of


@pytest.mark.parametrize(
    ("one", "other", "are_one", "why"),
    [
        ("192.0.2.1", "192.0.2.1", True, "the same"),
        ("192.0.2.1", "192.0.2.2", False, "neighbours"),
        ("2001:db8::1", "2001:db8::ffff:2", True, "one customer's /64"),
        ("2001:db8::1", "2001:DB8:0:0:ffff::1", True, "however it is written"),
        ("2001:db8::1", "2001:db8:0:1::1", False, "the next /64"),
        ("::ffff:192.0.2.1", "192.0.2.1", True, "IPv4 through a socket for both"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, "two clients, though of one /64"),
        ("fe80::1%eth0", "fe80::2", True, "an interface is no customer"),
        ("no address", "nor this", True, "whatever is no address counts together"),
        ("", "no address", False, "a unix socket's clients have none"),
    ],
)
def test_whose_an_address_is(one: str, other: str, are_one: bool, why: str) -> None:
    """IPv6 by /64."""
    assert (network_of(one) == network_of(other)) is are_one, why


def test_nobody_has_no_address() -> None:
    """So that who counts can leave it out."""
    assert not network_of("")
