"""What a client's connection, its owner and the fast path know of each other; no decision."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from gateway.errors import GatewayError
from gateway.limits import ProtocolLimits
from gateway.recollection import Recollection

Refuse = Callable[[web.BaseRequest, GatewayError], web.StreamResponse]
"""Answers what never became a request."""


class Flight(Protocol):
    """A request that was sent on by the fast path; its answer has not come whole."""

    def hand_over(self) -> None:
        """Let a task of its own go on with it; a second call does nothing."""
        ...

    def abandon(self) -> None:
        """End it: the client has gone."""
        ...


class Client(Protocol):
    """The connection a request came on; `recollection` is of its last one."""

    address: str
    scheme: str
    recollection: Recollection

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be written to it any more."""
        ...

    def land(self, data: bytes) -> bool:
        """Write the whole answer of the flight and wait for a next request.

        False: the client has gone, or takes it so slowly that a task must `claim` the flight.
        """
        ...

    def take_over(self, message: RawRequestMessage, body: StreamReader) -> None:
        """Give a flight's request to a task after all; its handler will `claim` it."""
        ...

    def parse(self, data: bytes) -> None:
        """Parse what was known again after all, and give it to a task as `take_over` does."""
        ...

    def claim(self) -> Flight | None:
        """Take the flight that the request now handled was on, if it was on one."""
        ...


class FastPath(Protocol):
    """Answers simple requests without a task of their own."""

    def begin_again(self, client: Client, data: bytes) -> Flight | None:
        """Send on a request that is known by its bytes; None: parse them, nothing was done."""
        ...

    def begin(
        self, client: Client, message: RawRequestMessage, body: StreamReader, data: bytes
    ) -> Flight | None:
        """Send a request on at once; None leaves it to a task, nothing was done.

        `data` is what it was parsed from.
        """
        ...


class Owner(Protocol):
    """Who makes connections, and counts them."""

    limits: ProtocolLimits
    refuse: Refuse
    fast_path: FastPath | None

    def admit(self, address: str) -> bool:
        """Count a new connection; False when it is one too many."""
        ...

    def leave(self, address: str) -> None:
        """Count a connection that has ended."""
        ...
