"""T14: a service's leg that was left within a request is closed, and nobody else's comes on it."""

import socket
import struct
import time
from collections.abc import Callable, Iterator

from tests.attack.asking import tell
from tests.attack.model import Abort, Check, Entry, HalfClose, Step
from tests.attack.recorder import Arrived
from tests.attack.rows.t_parts import CHUNKED, SMUGGLED, post
from tests.attack.stage import Stage

_SENT_S = 0.05
_WAIT_S = 5.0
_UNFINISHED = (
    ("half a length", post(b"Content-Length: 1000", body=b"half")),
    ("a request within a length", post(b"Content-Length: 1000", body=SMUGGLED)),
    ("half a chunk", post(CHUNKED, body=b"ff\r\nhalf")),
    ("no last chunk", post(CHUNKED, body=b"4\r\nhalf\r\n")),
)
_ENDS: tuple[tuple[str, Step], ...] = (("reset", Abort()), ("half-closed", HalfClose()))
_NEXT = 3


def _not_used_again(sent: bytes, end: Step) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        legs = _legs(stage, stage.fill(sent, "public", "none"), end)
        left = [each for each in legs if b"POST /public/x " in each.raw]
        amiss = [] if len(left) == 1 else [f"{len(left)} legs had the upload"]
        if any(b"GET /public/next" in each.raw for each in left):
            amiss.append("another request came on the leg that was left")
        if sum(each.raw.count(b"GET /public/next") for each in legs) != _NEXT:
            amiss.append("not every later request arrived once")
        return amiss

    return run


def _legs(stage: Stage, sent: bytes, end: Step) -> list[Arrived]:
    """Break an upload off, ask for something else, and see which connections had what."""
    service = stage.services["main"]
    tell(stage, "GET /public/before")  # a leg is there to be taken, and to be used again
    service.take()
    with socket.create_connection(("127.0.0.1", stage.port), _WAIT_S) as client:
        client.sendall(sent)
        time.sleep(_SENT_S)
        if isinstance(end, Abort):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            client.shutdown(socket.SHUT_WR)
            client.recv(65536)  # its refusal, or its end
    for _ in range(_NEXT):
        tell(stage, "GET /public/next")
    return service.take()


def entries() -> Iterator[Entry]:
    """List this row's checks."""
    for title, sent in _UNFINISHED:
        for how, end in _ENDS:
            name = f"the leg is not used again: {title}, {how}"
            yield Check(row="T14", title=name, run=_not_used_again(sent, end))
