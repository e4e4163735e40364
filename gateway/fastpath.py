"""Answers simple requests without a task of their own: most of what a gateway does all day.

Every decision is the one that `entry` makes, by the same functions; where one cannot be made at
once (a look-up, a connection to open, a refusal, a body still coming), nothing has been done yet
and `entry` takes the request as if it had just come. Where an answer does not come whole and
soon, `entry` goes on with what was sent.
"""

import asyncio
from dataclasses import dataclass
from time import perf_counter

from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from gateway.access import Grant
from gateway.admission import Admitted, RawRequest, admit
from gateway.entry import Entry, EntryParts
from gateway.flights import Client
from gateway.observe import CLIENT_CLOSED, Visit
from gateway.proxy.leg import Launched

PATIENCE_S = 0.1
"""How long an answer may keep a request here; then it gets a task, with its time-outs."""
_HTTP_1_1 = (1, 1)
SMALL_BYTES = 64 * 1024
"""Bodies up to this size are taken whole, both ways."""


class FastPath:
    """Sends simple requests on and answers them; `entry` has all others."""

    def __init__(self, entry: Entry, parts: EntryParts) -> None:
        self._entry = entry
        self._parts = parts
        self._flights: dict[Flight, None] = {}  # in the order of their start
        self._sweeper: asyncio.TimerHandle | None = None

    def begin_again(self, client: Client, data: bytes) -> "Flight | None":
        """Send on a request that is known by its bytes; None: parse them, nothing was done."""
        if self._entry.is_draining:
            return None
        began_s = perf_counter()
        parts = self._parts
        admitted = client.recollection.read(data, parts.new_request_id, parts.limits)
        if admitted is None:
            return None
        return self._launch(client, None, EMPTY_PAYLOAD, data, admitted, began_s)

    def begin(
        self, client: Client, message: RawRequestMessage, body: StreamReader, data: bytes
    ) -> "Flight | None":
        """Send a request on at once; None leaves it to a task, nothing was done."""
        if message.should_close or message.upgrade or message.chunked:
            return None
        if self._entry.is_draining or message.version != _HTTP_1_1:
            return None
        if body is not EMPTY_PAYLOAD and body.total_bytes > SMALL_BYTES:
            return None
        began_s = perf_counter()
        parts = self._parts
        raw = RawRequest(
            message.method,
            message.path,
            message.version,
            message.raw_headers,
            client.address,
            client.scheme,
        )
        try:
            admitted = admit(raw, parts.new_request_id(), parts.trust, parts.limits)
        except Exception:  # noqa: BLE001 - `entry` comes to the same, and says so
            return None
        if admitted.expects_continue:
            return None
        flight = self._launch(client, message, body, data, admitted, began_s)
        if flight is not None and body is EMPTY_PAYLOAD:
            client.recollection.keep(data, admitted, len(message.raw_headers))
        return flight

    def _launch(
        self,
        client: Client,
        message: RawRequestMessage | None,
        body: StreamReader,
        data: bytes,
        admitted: Admitted,
        began_s: float,
    ) -> "Flight | None":
        """Decide and send, or find out that this needs a task. Nothing fails once it is sent."""
        parts = self._parts
        try:
            if parts.endpoints.find(admitted.host, admitted.target) is not None:
                return None
            route = parts.access.match(admitted)
            grant = None if route.upstream is None else parts.access.recall(admitted, route)
            if grant is None:
                return None
            visit = self._entry.visit(admitted, grant, began_s)
            launched = parts.proxy.launch(admitted, grant, body)
        except Exception:  # noqa: BLE001 - `entry` comes to the same, and says so
            return None
        if launched is None:
            return None
        flight = Flight(self, client, message, body, data, admitted, grant, launched, visit)
        launched.connection.on_news = flight.on_news
        self._flights[flight] = None
        if self._sweeper is None:
            self._schedule_sweep()
        return flight

    # -- the end of a flight --------------------------------------------------------------------

    def land(self, flight: "Flight") -> None:
        """Write an answer that has come whole; a task waits where the client does not take it."""
        launched, visit = flight.launched, flight.visit
        answer = launched.connection.answer
        assert answer is not None  # noqa: S101 - it is complete
        body = launched.connection.take_or_fail() or b""
        del self._flights[flight]
        launched.release(is_over=True)
        visit.status = answer.status
        data = self._parts.proxy.build_whole(flight.admitted, answer, body)
        client = flight.client
        if client.land(data):
            visit.sent_bytes = len(body)
            self._entry.record(visit)
        elif client.is_gone:
            visit.error = self._entry.why_gone
            client.claim()
            self._entry.record(visit)
        else:
            visit.sent_bytes, visit.head_bytes = len(body), len(data) - len(body)
            flight.is_written = True
            flight.queue()

    def leave(self, flight: "Flight") -> None:
        """Let a flight go to a task of its own."""
        del self._flights[flight]

    def abandon(self, flight: "Flight") -> None:
        """End a flight whose client has gone."""
        if not flight.is_written:
            self._flights.pop(flight, None)
            flight.launched.release(is_over=False)
            flight.visit.status = CLIENT_CLOSED
        flight.visit.error = self._entry.why_gone
        self._entry.record(flight.visit)

    # -- patience -------------------------------------------------------------------------------

    def _schedule_sweep(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(PATIENCE_S, self._sweep)

    def _sweep(self) -> None:
        """Hand over what has waited too long; one timer does for all."""
        self._sweeper = None
        before_s = perf_counter() - PATIENCE_S
        late = []
        for flight in self._flights:
            if flight.visit.began_s > before_s:
                break
            late.append(flight)
        for flight in late:
            flight.hand_over()
        if self._flights:
            self._schedule_sweep()


@dataclass(slots=True, eq=False)
class Flight:
    """One request that was sent on, until its answer has come whole or a task takes it.

    Without a `message` the parser has not seen its bytes.
    """

    path: FastPath
    client: Client
    message: RawRequestMessage | None
    body: StreamReader
    data: bytes
    admitted: Admitted
    grant: Grant
    launched: Launched
    visit: Visit
    is_handed_over: bool = False
    is_written: bool = False

    def on_news(self) -> None:
        """Land when the answer is whole; wait for the rest of a small one; else hand over."""
        connection = self.launched.connection
        if connection.is_complete:
            connection.on_news = None
            self.path.land(self)
        elif connection.has_failed or not self._is_small():
            self.hand_over()

    def _is_small(self) -> bool:
        """Whether what is still to come will come soon, and at once."""
        connection = self.launched.connection
        answer = connection.answer
        if answer is None:
            return not connection.early  # interim answers are passed on by a task
        return answer.length is not None and answer.length <= SMALL_BYTES

    def hand_over(self) -> None:
        """Let a task of its own go on with it; a second call does nothing."""
        if self.is_handed_over or self.is_written:
            return
        self.is_handed_over = True
        self.launched.connection.on_news = None
        self.path.leave(self)
        self.queue()

    def queue(self) -> None:
        """Give the request to a task, which will claim this flight."""
        if self.message is None:
            self.client.parse(self.data)
        else:
            self.client.take_over(self.message, self.body)

    def abandon(self) -> None:
        """End it: the client has gone."""
        self.launched.connection.on_news = None
        self.path.abandon(self)
