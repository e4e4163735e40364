"""D6: one address holds all places at a service; another gets one, and honest ones keep theirs."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.attack.asking import tell
from tests.attack.crowd import crowd
from tests.attack.model import Check, Entry, Reply
from tests.attack.rows.d_stages import PLACES
from tests.attack.rows.w_parts import GOOD, KEY, UPGRADE, VERSION
from tests.attack.stage import Stage

_CROWD, _VISITOR = "127.0.0.3", "127.0.0.2"
_HEAD = b"%b HTTP/1.1\r\nHost: gw.test\r\n"
_SHAKE = _HEAD % b"GET /public/ws" + b"\r\n".join((*UPGRADE, VERSION, KEY)) + b"\r\n\r\n"
_AWAITED = _HEAD % b"POST /public/up" + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
_VISIT = _HEAD % b"GET /public/visit" + b"\r\n"
_TRY_LATER = b"\x88\x11\x03\xf5try again later"
"""A Close of a server, 1013 (RFC 6455 5.5.1)."""
_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
_PATIENCE_S = 1.05
"""How long a client may keep a service waiting before its place is wanted, and a little more."""
_LOOKS_S = 0.3


def entries() -> Iterator[Entry]:
    """List them."""
    for title, run in (
        ("all places held with WebSockets", _websockets),
        ("all places held with event streams", _event_streams),
        ("who waits for the service's 100 holds nobody up", _awaited),
    ):
        yield Check(row="D6", title=title, run=run, stage="small")


def _websockets(stage: Stage) -> list[str]:
    """The one that has to go is told so."""
    held = _hold(stage, _SHAKE, Reply(GOOD.data))
    with ExitStack() as stack:
        for one in held:
            stack.enter_context(one)
        amiss = _visited(stage)
        told = [one for one in held if _TRY_LATER in _read(one)]
    return amiss if len(told) == 1 else [*amiss, f"{len(told)} were told to try again later"]


def _event_streams(stage: Stage) -> list[str]:
    held = _hold(stage, _HEAD % b"GET /public/events" + b"\r\n", Reply(_EVENTS))
    with ExitStack() as stack:
        for one in held:
            stack.enter_context(one)
        return _visited(stage)


def _hold(stage: Stage, asked: bytes, reply: Reply) -> list[socket.socket]:
    """Ask for what lasts until each place is taken; return when all have their heads."""
    stage.services["main"].say([reply] * PLACES)
    held = []
    for _ in range(PLACES):
        one = socket.create_connection(("127.0.0.1", stage.port), 5, (_CROWD, 0))
        one.sendall(asked)
        one.recv(4096)
        held.append(one)
    return held


def _read(one: socket.socket) -> bytes:
    one.setblocking(False)
    try:
        return one.recv(4096)
    except OSError:  # nothing has come, or it was reset
        return b""


def _visited(stage: Stage) -> list[str]:
    status = tell(stage, "GET /public/visit", source=_VISITOR).status
    return [] if status == 200 else [f"another address is answered {status}"]


def _awaited(stage: Stage) -> list[str]:
    """The service is late, and no client of it is put out for another."""
    address = ("127.0.0.1", stage.port)
    with crowd(stage.port) as many, socket.create_connection(address, 5, (_VISITOR, 0)) as visitor:
        many.join(PLACES, (_CROWD,), _AWAITED)
        time.sleep(_PATIENCE_S)
        visitor.sendall(_VISIT)
        time.sleep(_LOOKS_S)
        left = many.count()
    return [] if left == PLACES else [f"only {left} of {PLACES} were left to wait"]
