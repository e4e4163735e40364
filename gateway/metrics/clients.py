"""What is told of client connections, read at each snapshot: no request pays for it."""

from collections.abc import Iterator
from typing import Protocol

from gateway.metrics.catalogue import CLIENT_CONNECTIONS, IN_FLIGHT
from gateway.metrics.counts import Sample


class ClientsState(Protocol):
    """A server as it stands."""

    @property
    def open_connections(self) -> int:
        """Client connections, busy or not."""

    @property
    def busy_connections(self) -> int:
        """Those with a request under way, or handed over to a tunnel."""


def read_clients(state: ClientsState) -> Iterator[Sample]:
    """Read how many clients there are, and how many of them wait for something."""
    yield CLIENT_CONNECTIONS, (), state.open_connections
    yield IN_FLIGHT, (), state.busy_connections
