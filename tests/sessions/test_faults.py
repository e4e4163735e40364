"""What operators are told of a store's fault."""

import pytest

from gateway.errors import GatewayError
from gateway.sessions.faults import ToldError, tell


def chain(*causes: Exception) -> GatewayError:
    """An outcome with these causes, each the cause of the one before."""
    outcome = GatewayError("store_unavailable", "away")
    one: Exception = outcome
    for cause in causes:
        one.__cause__ = cause
        one = cause
    return outcome


@pytest.mark.parametrize(
    ("error", "text", "why"),
    [
        (chain(), "store_unavailable: away", "no cause"),
        (chain(OSError("10.0.0.1")), "store_unavailable: away", "words that may hold anything"),
        (chain(ToldError("full")), "store_unavailable: away (full)", "words for logs"),
        (
            chain(OSError("10.0.0.1"), ToldError("full"), ToldError("old")),
            "store_unavailable: away (full)",
            "the first of them, further down",
        ),
    ],
)
def test_tell(error: GatewayError, text: str, why: str) -> None:
    """Only words that are meant for logs are told."""
    assert tell(error) == text, why
