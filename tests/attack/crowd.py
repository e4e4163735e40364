"""Many connections at once, from any loopback address, and one visitor who behaves among them.

It must not know what a gateway should make of either.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.attack.answers import cut_answers

EVERY_S = 0.02
WAIT_S = 10.0


class Crowd:
    """Connections that are held as they are; closed ones are counted, never opened again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []

    def join(self, count: int, sources: Sequence[str], first: bytes) -> None:
        """Open so many, from these addresses in turn, and send these bytes on each."""
        for number in range(count):
            source = (sources[number % len(sources)], 0)
            one = socket.create_connection(("127.0.0.1", self._port), WAIT_S, source)
            one.setblocking(False)
            self._sockets.append(one)
            _send(one, first)

    def send(self, data: bytes) -> None:
        """Send these bytes on each that still takes them."""
        for one in self._sockets:
            _send(one, data)

    def count(self) -> int:
        """Count those that are open; what came on them is read and forgotten."""
        self._sockets = [one for one in self._sockets if _is_open(one)]
        return len(self._sockets)

    def close(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets.clear()


@contextlib.contextmanager
def crowd(port: int) -> Iterator[Crowd]:
    """A crowd that leaves with the block."""
    made = Crowd(port)
    try:
        yield made
    finally:
        made.close()


def _send(one: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # closed on us, or full: the count tells
        one.send(data)


def _is_open(one: socket.socket) -> bool:
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    one.close()
    return False


@dataclass(slots=True)
class Visits:
    """What became of a visitor's requests: seconds of each answered one, and what went wrong."""

    latencies_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class Visitor:
    """Asks for a page again and again, on a connection that is kept and on fresh ones, in turn."""

    def __init__(self, port: int, request: bytes, source: str) -> None:
        self._port = port
        self._request = request
        self._source = source
        self._kept: socket.socket | None = None
        self._ends = threading.Event()
        self.visits = Visits()

    def ask(self) -> None:
        """Ask until told to end."""
        number = 0
        while not self._ends.wait(EVERY_S):
            number += 1
            began_s = time.monotonic()
            try:
                status = self._ask_kept() if number % 2 else self._ask_fresh()
            except OSError as error:
                self._drop()
                self.visits.failures.append(f"request {number}: {type(error).__name__}")
                continue
            if status != 200:
                self.visits.failures.append(f"request {number}: answered {status}")
                continue
            self.visits.latencies_s.append(time.monotonic() - began_s)
        self._drop()

    def end(self) -> None:
        self._ends.set()

    def _ask_kept(self) -> int | None:
        if self._kept is None:
            self._kept = self._connect()
        return self._ask(self._kept)

    def _ask_fresh(self) -> int | None:
        with self._connect() as one:
            return self._ask(one)

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), WAIT_S, (self._source, 0))

    def _ask(self, one: socket.socket) -> int | None:
        one.sendall(self._request)
        raw = b""
        while not (found := [*cut_answers(raw, (b"GET",))]) or not found[0].is_whole:
            if not (data := one.recv(65536)):
                raise ConnectionResetError
            raw += data
        return found[0].status

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


@contextlib.contextmanager
def visiting(
    port: int, host: bytes, path: bytes = b"/public/visit", source: str = "127.0.0.2"
) -> Iterator[Visits]:
    """A visitor who asks from another address for as long as the block goes on."""
    request = b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, host)
    visitor = Visitor(port, request, source)
    thread = threading.Thread(target=visitor.ask, daemon=True)
    thread.start()
    try:
        yield visitor.visits
    finally:
        visitor.end()
        thread.join(2 * WAIT_S)
