"""Hosts: one name, or none (attacks.md G1)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.host import MAX_HOST_BYTES, read_host


@pytest.mark.parametrize(
    ("field", "host", "why"),
    [
        (b"good", "good", "a name"),
        (b"GOOD.Example", "good.example", "names have no case"),
        (b"good:8080", "good", "the port says nothing about the name"),
        (b"good:1", "good", "the lowest port"),
        (b"good:65535", "good", "the highest"),
        (b"good.", "good", "the dot at the end says only that the name is whole"),
        (b"good.:80", "good", "with a port"),
        (b"127.0.0.1", "127.0.0.1", "an address"),
        (b"xn--fiq228c.example", "xn--fiq228c.example", "an international name in ASCII"),
        (b"my_service", "my_service", "names inside clusters hold underscores"),
        (b"[::1]", "::1", "IPv6 without brackets"),
        (b"[2001:DB8:0:0::1]:443", "2001:db8::1", "in its one spelling"),
        (b"a" * 253, "a" * 253, "as long as a name may be"),
        (b"0177.0.0.1", "0177.0.0.1", "no other spelling of an address: matches no route's host"),
    ],
)
def test_a_host_is_read(field: bytes, host: str, why: str) -> None:
    """Lower case, no port, no brackets, no dot at the end."""
    assert read_host(field) == host, why


@pytest.mark.parametrize(
    ("field", "why"),
    [
        (b"", "empty"),
        (b":80", "only a port"),
        (b".", "only a dot"),
        (b".good", "a dot in front"),
        (b"good..", "two at the end"),
        (b"a..b", "two inside"),
        (b"-good", "a hyphen in front"),
        (b"good:99999", "no such port"),
        (b"good:0", "nobody listens there"),
        (b"good:", "a colon without a port"),
        (b"good:80:80", "two ports"),
        (b"good:+80", "a signed port"),
        (b"good:8_0", "int() would take it"),
        (b"a b", "a space"),
        (b"good\t", "a tab"),
        (b"good\n", "a line feed"),
        (b"good,evil", "a list"),
        (b"good/evil", "a path"),
        (b"good\\evil", "the same to some"),
        (b"good?x", "a query"),
        (b"good#x", "a fragment"),
        (b"u@good", "a user"),
        (b"good%00.evil", "NUL"),
        (b"good\x00", "as it is"),
        (b"caf\xe9", "outside ASCII"),
        ("例子".encode(), "a raw international name"),
        (b"[::1", "half a bracket"),
        (b"::1", "no brackets"),
        (b"[]", "nothing in them"),
        (b"[1.2.3.4]", "no IPv6"),
        (b"[fe80::1%25eth0]", "a zone"),
        (b"[:::1]", "a colon too many"),
        (b"[::1]x", "something behind"),
        (b"[good]", "a name in brackets"),
        (b"a" * 8192, "8 KiB"),
    ],
)
def test_what_names_no_host_is_none(field: bytes, why: str) -> None:
    """Two servers would read these differently, or not at all."""
    assert read_host(field) is None, why


@given(st.binary(max_size=MAX_HOST_BYTES + 10))
def test_rubbish_never_crashes(field: bytes) -> None:
    """A name or None, and a name read again is itself."""
    host = read_host(field)
    if host is not None and ":" not in host:
        assert read_host(host.encode()) == host


@pytest.mark.parametrize("field", [b"a." * 131, b"a" * 262, b"[" + b"f:" * 130, b"1" * 32768])
def test_no_host_is_slow(field: bytes) -> None:
    """The patterns are linear, and long ones are not looked at."""
    began_s = time.process_time()
    for end in (b"", b"!", b":", b":x", b"]"):
        read_host(field + end)
    assert time.process_time() - began_s < 0.1
