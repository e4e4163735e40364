"""Sends a script's bytes over a raw socket and notes what came back and what arrived.

It must not know what should have come of it. Faster than `play`, and for any bytes: how many
answers to wait for is said by a strict reading of them.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.attack.answers import Answer, cut_answers
from tests.attack.cutting import Seen
from tests.attack.fuzz.reading import Reading, read
from tests.attack.stage import Stage

WAIT_S = 3.0
_GAP_S = 0.001
"""Between pieces, so that they are read one by one."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of a script. `begun` is what stood behind the last whole request at a service."""

    reading: Reading
    answers: tuple[Answer, ...]
    is_closed: bool
    seen: tuple[Seen, ...]
    begun: tuple[bytes, ...]
    faults: tuple[str, ...]


class Wire:
    """One stage, and a second connection whose answer says that all before it has arrived."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tokens: dict[str, bytes] = {
            name: each.token.encode() for name, each in stage.people.items()
        }
        self._number = 0
        self._canary: socket.socket | None = None

    def next_number(self) -> int:
        """A number that no other example has."""
        self._number += 1
        return self._number

    def exchange(self, pieces: tuple[bytes, ...], number: int) -> Exchange:
        """Send the pieces; wait for as many answers as there are requests, or for the end."""
        for recorder in self.stage.services.values():
            recorder.take()
        reading = read(b"".join(pieces))
        methods = tuple(each.method for each in reading.requests)
        if reading.last is not None:
            methods += (reading.last.method,)
        address = ("127.0.0.1", self.stage.port)
        with socket.create_connection(address, timeout=WAIT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _send(connection, pieces)
            wanted = len(reading.requests)
            raw, is_closed = _receive(connection, methods, wanted, reading.end == "doubt")
            self._await_arrival()
        answers = tuple(cut_answers(raw, methods))
        return Exchange(reading, answers, is_closed, *self._arrived(number))

    def _arrived(self, number: int) -> tuple[tuple[Seen, ...], tuple[bytes, ...], tuple[str, ...]]:
        mark = b"%06d" % number
        connections = [each for one in self.stage.services.values() for each in one.take()]
        seen = [one for each in connections for one in each.requests if mark in one.target]
        begun = [each.rest for each in connections if mark in each.rest]
        faults = [each.fault for each in connections if each.fault and mark in each.raw]
        return tuple(seen), tuple(begun), tuple(faults)

    def _await_arrival(self) -> None:
        """Have one request go all the way on a connection of its own, kept open."""
        for _ in range(2):
            if self._canary is None:
                address = ("127.0.0.1", self.stage.port)
                self._canary = socket.create_connection(address, timeout=WAIT_S)
            sent = b"GET /public/canary HTTP/1.1\r\nHost: gw.test\r\n\r\n"
            with contextlib.suppress(OSError):
                self._canary.sendall(sent)
                if _receive(self._canary, (b"GET",), 1, to_end=False)[0]:
                    return
            self.close()
        raise AssertionError("the gateway answers nobody any more")

    def close(self) -> None:
        """End the second connection."""
        if self._canary is not None:
            self._canary.close()
            self._canary = None


@contextlib.contextmanager
def wired(stage: Stage) -> Iterator[Wire]:
    """A wire to a stage until the block ends."""
    wire = Wire(stage)
    try:
        yield wire
    finally:
        wire.close()


def _send(connection: socket.socket, pieces: tuple[bytes, ...]) -> None:
    for number, piece in enumerate(pieces):
        if number:
            time.sleep(_GAP_S)
        with contextlib.suppress(OSError):  # closed on us: what came back says why
            connection.sendall(piece)


def _receive(
    connection: socket.socket, methods: tuple[bytes, ...], wanted: int, to_end: bool
) -> tuple[bytes, bool]:
    """Read so many final answers, or to the end; say whether it has ended."""
    raw = b""
    while to_end or _finals(raw, methods) < wanted:
        try:
            data = connection.recv(65536)
        except TimeoutError:
            return raw, False
        except OSError:
            return raw, True
        if not data:
            return raw, True
        raw += data
    return raw, False


def _finals(raw: bytes, methods: tuple[bytes, ...]) -> int:
    answers = cut_answers(raw, methods)
    return sum(each.is_whole and (each.status >= 200 or each.status == 101) for each in answers)
