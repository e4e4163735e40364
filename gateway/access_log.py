"""Writes the access log behind the requests' back: a slow disk or pipe keeps no request waiting.

It decides how lines are gathered and what becomes of them when nobody takes them; what a line says
stands in `observe`. Lines leave whole, also where several processes write to one pipe.
"""

import contextlib
import io
import logging
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gateway.observe import Format, Visit, as_json, as_text

logger = logging.getLogger(__name__)
GATHER_S = 0.02
"""How long lines are gathered before they are written together."""
MANY = 64
"""Visits that wait until their lines are built together."""
MAX_LINES = 65_536
"""Lines that wait; what comes after them is lost, and counted."""
CLOSE_S = 2.0
"""How long closing waits for what is written to be taken."""
STUCK_S = 0.1
"""How often a pipe that takes nothing is looked at again."""
WARN_S = 60.0
"""The least time between two warnings of lost lines."""
_NOBODY = "nobody takes them"


class AccessLog:
    """Lines of visits, written by a thread to a file descriptor; close it to write the last.

    Lines are built many in a row: one at a time, each would find the processor's caches cold. The
    thread builds few of them, since it keeps the interpreter to itself meanwhile. `is_terminal`
    takes colours.
    """

    def __init__(self, descriptor: int, line_format: Format, *, is_terminal: bool = False) -> None:
        self._descriptor = descriptor
        self._build = as_json if line_format == "json" else _text_builder(is_terminal)
        self._piece_bytes = _whole_bytes(descriptor)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._visits: list[Visit] = []
        self._lines: list[str] = []
        self._handing_over = threading.Lock()  # both of the above; held for microseconds
        self._is_awake = False
        self._ends_s: float | None = None
        self._wake = threading.Event()
        self._is_idle = threading.Condition()
        self._is_writing = self._is_torn = False
        self._refused = 0  # `write` counts these, the writer those below: no lock
        self._written = self._failed = self._told = 0
        self._told_s = float("-inf")
        self._writer = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._writer.start()

    def write(self, visit: Visit) -> None:
        """Take a visit that has ended; neither a full disk nor a pipe nobody reads holds it up."""
        self._visits.append(visit)
        if len(self._visits) >= MANY:
            self._build_many()
        if not self._is_awake:
            self._is_awake = True
            self._wake.set()

    def _build_many(self) -> None:
        with self._handing_over:
            visits = self._visits[:]
            self._visits.clear()
        lines = [self._build(visit) for visit in visits]
        with self._handing_over:
            if len(self._lines) < MAX_LINES:
                self._lines += lines
            else:
                self._refused += len(lines)

    def flush(self, timeout_s: float = CLOSE_S) -> None:
        """Wait until all lines so far are written, or the time is over."""
        with self._is_idle:
            self._is_idle.wait_for(
                lambda: not (self._visits or self._lines or self._is_writing), timeout_s
            )

    def close(self) -> None:
        """Write the last lines, as far as they are taken within `CLOSE_S`, and tell of the rest."""
        self._ends_s = time.monotonic() + CLOSE_S
        self._wake.set()
        self._writer.join(CLOSE_S + 3 * STUCK_S)

    # -- the writer's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while self._ends_s is None or self._visits or self._lines:
            self._wake.wait()
            self._wake.clear()
            if self._ends_s is None:
                time.sleep(GATHER_S)
            self._is_writing = True
            self._is_awake = False  # what comes from here on wakes us again
            self._write(self._take())
            with self._is_idle:
                self._is_writing = False
                self._is_idle.notify_all()
        self._tell(_NOBODY, is_last=True)

    def _take(self) -> list[str]:
        with self._handing_over:
            lines, visits = self._lines, self._visits[:]
            self._lines = []
            del self._visits[: len(visits)]  # `write` may have put another behind them
        return lines + [self._build(visit) for visit in visits]

    def _write(self, lines: list[str]) -> None:
        goal = self._written + len(lines)
        reason = _NOBODY
        try:
            self._mend()
            for piece in _pieces(lines, self._piece_bytes):
                self._write_whole(piece.encode("ascii", "backslashreplace"))
        except OSError as error:
            self._failed += goal - self._written
            self._written = goal
            reason = _NOBODY if isinstance(error, TimeoutError) else type(error).__name__
        self._tell(reason)

    def _mend(self) -> None:
        """End the line that broke off when the disk was full: the next one stays whole."""
        if self._is_torn:
            os.write(self._descriptor, b"\n")
            self._is_torn = False

    def _write_whole(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            self._wait_until_taken()
            try:
                count = os.write(self._descriptor, view)
            except BlockingIOError:  # somebody else made the descriptor non-blocking
                continue
            self._written += bytes(view[:count]).count(b"\n")
            self._is_torn = view[count - 1] != ord("\n")
            view = view[count:]

    def _wait_until_taken(self) -> None:
        """Wait for somebody to read. Raises: TimeoutError, once closing takes too long."""
        while True:
            if self._ends_s is not None and time.monotonic() > self._ends_s:
                raise TimeoutError  # nor may we write any more: the number may be another file's
            if self._poll.poll(STUCK_S * 1000):
                return
            self._tell(_NOBODY)

    def _tell(self, reason: str, *, is_last: bool = False) -> None:
        """Tell of lost lines, seldom: each warning is a line, too."""
        lost = self._refused + self._failed - self._told
        now_s = time.monotonic()
        if lost and (is_last or now_s - self._told_s >= WARN_S):
            logger.warning("access log: %d lines lost (%s)", lost, reason)
            self._told += lost
            self._told_s = now_s


def _text_builder(is_terminal: bool) -> Callable[[Visit], str]:
    return lambda visit: as_text(visit, is_terminal)


def _whole_bytes(descriptor: int) -> int:
    """Say how many bytes stay together in one write: on a pipe few (POSIX, PIPE_BUF)."""
    mode = os.fstat(descriptor).st_mode
    return sys.maxsize if stat.S_ISREG(mode) else select.PIPE_BUF


def _pieces(lines: Iterable[str], piece_bytes: int) -> Iterator[str]:
    """Join lines into pieces of at most so many bytes; a longer line is a piece of its own."""
    piece: list[str] = []
    size_bytes = 0
    for line in lines:
        if piece and size_bytes + len(line) > piece_bytes:
            yield "".join(piece)
            piece, size_bytes = [], 0
        piece.append(line)
        size_bytes += len(line)
    if piece:
        yield "".join(piece)


@contextlib.contextmanager
def open_access_log(place: Path | str, line_format: Format) -> Iterator[AccessLog | None]:
    """Open the access log (`stdout`, `off` or a file) until the block ends.

    Raises: OSError for a file that cannot be opened.
    """
    if place == "off":
        yield None
        return
    with _open(place) as stream:
        log = AccessLog(stream.fileno(), line_format, is_terminal=stream.isatty())
        try:
            yield log
        finally:
            log.close()


def _open(place: Path | str) -> io.FileIO:
    if place == "stdout":
        return io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    return io.FileIO(place, "a")
