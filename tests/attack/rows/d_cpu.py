"""D7, T9: what hostile bytes cost the workers, in processor time: linear in what was sent.

The bounds are ten times what was measured on two slow cores, so that only a cost that grows with
the square fails. Wall time says nothing: other processes run beside it.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.attack.model import Check, Entry
from tests.attack.slow import workers
from tests.attack.stage import Stage

_TICKS = os.sysconf("SC_CLK_TCK")
_WAIT_S = 20.0
_START = b"GET /public/x HTTP/1.1\r\nHost: gw.test\r\n"
_POST = b"POST /public/x HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNKS = 100_000
_HEAD_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Cost:
    """Bytes that get a 200, how often and in what pieces they come, what they may cost at most."""

    row: str
    title: str
    data: bytes
    bound_s: float
    times: int = 1
    segment_bytes: int = 0


def _filled(size_bytes: int) -> bytes:
    """A head of just this size, in fields of some 300 bytes."""
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 300) for number in range(100))
    left = size_bytes - len(_START) - len(b"X-Last: \r\n\r\n")
    kept = lines[: lines[:left].rfind(b"\r\n") + 2]
    return _START + kept + b"X-Last: " + b"a" * (left - len(kept)) + b"\r\n\r\n"


def _costs() -> Iterator[_Cost]:
    many = _POST + b"1\r\nx\r\n" * _CHUNKS + b"0\r\n\r\n"
    yield _Cost("T9", f"{_CHUNKS} chunks of a byte", many, 1.2)
    fields = b"".join(b"X-%d: a\r\n" % number for number in range(127))
    yield _Cost("D7", "1,000 heads of 128 fields", _START + fields + b"\r\n", 0.8, 1000)
    junk = _START + b"Cookie: " + b"=;, " * 2000 + b"\r\n\r\n"
    yield _Cost("D7", "1,000 cookies of 8 kB of junk", junk, 1.0, 1000)
    head = _filled(_HEAD_BYTES - 100)
    yield _Cost("D7", "a head of 32 KiB, byte by byte", head, 4.0, segment_bytes=1)
    field = _START + b"X-A: " + b"a" * (_HEAD_BYTES // 2) + b"\r\n\r\n"
    yield _Cost("D7", "a field of 16 KiB, byte by byte", field, 2.0, segment_bytes=1)


def entries(family: str) -> Iterator[Entry]:
    """List those of a family."""
    for cost in _costs():
        if not cost.row.startswith(family):
            continue
        yield Check(row=cost.row, title=f"processor time: {cost.title}", run=_measured(cost))


def _measured(cost: _Cost) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        before_s = _spent_s(stage)
        amiss = [*_sent(stage, cost)]
        spent_s = _spent_s(stage) - before_s
        for recorder in stage.services.values():
            recorder.take()
        is_much = spent_s > cost.bound_s
        return amiss + [f"{spent_s:.1f} s of processor time were spent"] * is_much

    return run


def _sent(stage: Stage, cost: _Cost) -> Iterator[str]:
    with closing(socket.create_connection(("127.0.0.1", stage.port), _WAIT_S)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = cost.segment_bytes or len(cost.data)
        for _ in range(cost.times):
            for at in range(0, len(cost.data), size):
                connection.sendall(cost.data[at : at + size])
                time.sleep(0)  # the reader's turn, so that each is a read of its own
            said = connection.recv(65536)
            if not said.startswith(b"HTTP/1.1 200 "):
                yield f"answered {said[:16]!r}"
                return


def _spent_s(stage: Stage) -> float:
    """What the workers have spent, in user and system time (proc(5), fields 14 and 15)."""
    spent = 0
    for pid in workers(stage):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent += int(fields[11]) + int(fields[12])
    return spent / _TICKS
