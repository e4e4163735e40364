"""Plays one case over a raw socket and notes what came back and what arrived.

It must not know what should have come of it.
"""

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.attack.answers import Answer, cut_answers
from tests.attack.model import Abort, HalfClose, Pause, Reply, Step, Until
from tests.attack.recorder import Arrived, Recorder

_numbers = itertools.count()
CANARY = b"canary"


@dataclass(frozen=True, slots=True)
class Aim:
    """Who is attacked: address, the head line `Host`, a path that is open, and how long to wait.

    `settle_s`: how long after a fresh canary late requests may come; a proxy with one process and
    one connection at a time needs none.
    """

    port: int
    host: bytes = b"gw.test"
    public: bytes = b"/public"
    wait_s: float = 5.0
    settle_s: float = 0.0
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Play:
    """What is to be sent, and what to wait for: so many final answers, or the end.

    `first` is asked and answered before, on the same connection, and counts for nothing.
    """

    steps: Sequence[Step]
    methods: tuple[bytes, ...]
    answers: int
    closes: bool
    replies: Sequence[Reply] = ()
    first: bytes = b""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of it. `ended`: how the connection was when all was read.

    `canary` answered on the same connection where that stayed open; True: as it should be; and
    `after`, the bytes that came back to it.
    `arrived` by service; canaries left out.
    """

    raw: bytes
    answers: tuple[Answer, ...]
    ended: str
    canary: bool | None
    arrived: dict[str, list[Arrived]]
    after: bytes = b""

    @property
    def finals(self) -> tuple[Answer, ...]:
        return tuple(each for each in self.answers if each.status >= 200 or each.status == 101)


def play(aim: Aim, services: dict[str, Recorder], what: Play) -> Observation:
    """Send it and observe; each service's record is emptied before."""
    connection = socket.create_connection((aim.address, aim.port), timeout=aim.wait_s)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reading = _Reading(connection, aim.wait_s, what.methods)
        _ask_first(connection, aim.wait_s, what.first)
        for recorder in services.values():
            recorder.take()
            recorder.say(what.replies)
        is_open = _send(connection, reading, what.steps)
        if is_open:
            reading.until(what.answers, to_end=what.closes)
        raw = bytes(reading.raw)
        canary = _ask_canary(reading, aim, raw) if reading.ended == "open" and is_open else None
    if canary is None:
        _fresh_canary(aim)
    time.sleep(aim.settle_s)
    arrived = {name: _without_canaries(each.take()) for name, each in services.items()}
    for recorder in services.values():
        recorder.say(())
    answers = tuple(cut_answers(raw, what.methods))
    ended, after = reading.ended if is_open else "aborted", bytes(reading.raw[len(raw) :])
    return Observation(raw, answers, ended, canary, arrived, after)


class _Reading:
    """What has come back so far, and how the connection stands."""

    def __init__(
        self, connection: socket.socket, wait_s: float, methods: tuple[bytes, ...]
    ) -> None:
        self._connection = connection
        self._wait_s = wait_s
        self._methods = methods
        self.raw = bytearray()
        self.ended = "open"

    def until(self, answers: int, *, to_end: bool) -> None:
        """Read until so many final answers have come, or to the end of the connection."""
        while self.ended == "open":
            if not to_end and self._finals() >= answers:
                return
            if not self.more():
                return

    def until_bytes(self, wanted: bytes) -> None:
        while wanted not in self.raw and self.ended == "open":
            if not self.more():
                return

    def more(self) -> bool:
        """Read once; False when the time is up."""
        try:
            data = self._connection.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            self.ended = "reset"
            return True
        if not data:
            self.ended = "closed"
        self.raw += data
        return True

    def _finals(self) -> int:
        whole = (each for each in cut_answers(bytes(self.raw), self._methods) if each.is_whole)
        return sum(each.status >= 200 or each.status == 101 for each in whole)


def _ask_first(connection: socket.socket, wait_s: float, first: bytes) -> None:
    if first:
        reading = _Reading(connection, wait_s, (b"GET",))
        _send(connection, reading, [first])
        reading.until(1, to_end=False)


def _send(connection: socket.socket, reading: _Reading, steps: Sequence[Step]) -> bool:
    """Take the steps; False when the last was to reset."""
    for step in steps:
        match step:
            case bytes():
                with contextlib.suppress(OSError):  # it may have been closed on us: what came says
                    connection.sendall(step)
            case Pause(seconds):
                time.sleep(seconds)
            case Until(received):
                reading.until_bytes(received)
            case HalfClose():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            case Abort():
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()
                return False
    return True


def canary_of(aim: Aim) -> tuple[bytes, bytes]:
    """A harmless request, each time another one; and what its answer holds."""
    target = b"%b/%b/%d" % (aim.public, CANARY, next(_numbers))
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, aim.host), target


def _ask_canary(reading: _Reading, aim: Aim, before: bytes) -> bool | None:
    """Ask on the same connection; None: it was closed after all."""
    sent, expected = canary_of(aim)
    _send(reading._connection, reading, [sent])
    reading.until_bytes(expected)
    came = bytes(reading.raw[len(before) :])
    if not came and reading.ended != "open":
        return None
    found = list(cut_answers(came, (b"GET",)))
    return len(found) == 1 and found[0].status == 200 and expected in found[0].body


def _fresh_canary(aim: Aim) -> None:
    """Have one request go all the way: what was forwarded before has arrived before."""
    sent, expected = canary_of(aim)
    with (
        contextlib.suppress(OSError),
        socket.create_connection((aim.address, aim.port), timeout=aim.wait_s) as connection,
    ):
        reading = _Reading(connection, aim.wait_s, (b"GET",))
        _send(connection, reading, [sent])
        reading.until_bytes(expected)


def _without_canaries(arrived: list[Arrived]) -> list[Arrived]:
    for each in arrived:
        each.requests = [one for one in each.requests if CANARY not in one.target]
    return [each for each in arrived if each.requests or each.rest or each.fault]
