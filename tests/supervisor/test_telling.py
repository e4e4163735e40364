"""One line that says why a start failed."""

import errno

import pytest

from gateway.errors import GatewayError
from gateway.sessions.faults import ToldError
from gateway.settings import build
from gateway.supervisor.telling import addresses_of, tell

ADDRESSES = "server.listen a:1, admin.listen b:2"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file", "a.log"), "a.log: No such file"),
        (OSError("Name or service not known"), f"Name or service not known ({ADDRESSES})"),
        (
            OSError(errno.EADDRINUSE, "bind on ('::', 80): in use"),
            "bind on ('::', 80): in use; is another gateway running?",
        ),
        (GatewayError("store_unavailable", "the file"), "store_unavailable: the file"),
    ],
)
def test_file_or_address_is_named(error: OSError | GatewayError, said: str) -> None:
    """Where the system's words name neither, the addresses of the settings are."""
    assert tell(error, ADDRESSES) == said


def test_both_addresses_are_named() -> None:
    """As the settings write them."""
    settings = build({"environment": "development", "server": {"listen": "127.0.0.1:1"}})
    assert addresses_of(settings) == "server.listen 127.0.0.1:1, admin.listen 127.0.0.1:8081"


def test_a_store_s_fault_is_told_with_its_cause() -> None:
    """As the log of a running gateway tells it."""
    error = GatewayError("store_unavailable", "away")
    error.__cause__ = ToldError("full")
    assert tell(error, ADDRESSES) == "store_unavailable: away (full)"
