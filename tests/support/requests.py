"""Requests for tests of the pure core, made from lines; nothing here opens a socket."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from gateway.admission import AdmissionLimits, Admitted, RawRequest, admit
from gateway.clients import Network, Trust
from gateway.errors import GatewayError
from gateway.headers import Field

_T = TypeVar("_T")

PEER = "203.0.113.9"
"""The socket address of every made-up request: a stranger."""
REQUEST_ID = "0123456789abcdef"
TCHAR_MARKS = "!#$%&'*+-.^_`|~"
"""What may stand in a header's name beside letters and digits (RFC 9110 5.6.2)."""


def fields(*lines: str) -> tuple[Field, ...]:
    """Header fields from `Name: value` lines."""
    pairs = (line.encode("latin-1").partition(b":") for line in lines)
    return tuple((name, value.strip(b" \t")) for name, _, value in pairs)


def raw(
    line: str = "GET /",
    *lines: str,
    host: str | None = "good",
    version: tuple[int, int] = (1, 1),
    peer: str = PEER,
    more: tuple[Field, ...] = (),
) -> RawRequest:
    """A request as aiohttp hands it over; `more` are fields that no line can hold."""
    method, _, target = line.partition(" ")
    own = () if host is None else fields(f"Host: {host}")
    return RawRequest(method, target, version, own + fields(*lines) + more, peer)


def admitted(
    request: RawRequest,
    trusted: tuple[Network, ...] = (),
    limits: AdmissionLimits = AdmissionLimits(),  # noqa: B008 - frozen
) -> Admitted:
    """What admission makes of a request."""
    return admit(request, REQUEST_ID, Trust(trusted, "x-forwarded-for"), limits)


def attempt(act: Callable[[], _T]) -> _T | GatewayError:
    """What an act gives, or the refusal; any other exception is a fault."""
    try:
        return act()
    except GatewayError as error:
        return error


def code_of(act: Callable[[], object]) -> str:
    """The code that an act is refused with."""
    with pytest.raises(GatewayError) as caught:
        act()
    return caught.value.code
