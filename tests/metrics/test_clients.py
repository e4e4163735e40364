"""What is told of client connections."""

from dataclasses import dataclass

from gateway.metrics.catalogue import CLIENT_CONNECTIONS, IN_FLIGHT
from gateway.metrics.clients import read_clients


@dataclass(frozen=True, slots=True)
class Clients:
    """A server's connections as they stand."""

    open_connections: int = 7
    busy_connections: int = 2


def test_open_and_busy_connections_are_told() -> None:
    """Idle ones are the difference."""
    assert list(read_clients(Clients())) == [(CLIENT_CONNECTIONS, (), 7), (IN_FLIGHT, (), 2)]
