"""A service behind that records raw bytes: no framework between, one thread for each connection.

It answers every request with its own request line, so that an answer given to the wrong request
shows. It must not know what was sent.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.attack.cutting import MalformedError, Seen, cut
from tests.attack.model import Reply

IDLE_S = 60.0
NO_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What services answer to bytes that are no request, before they close."""


def echo(seen: Seen) -> bytes:
    """The usual answer: 200, and the request line as its body."""
    body = seen.line
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head if seen.method == b"HEAD" else head + body


@dataclass(slots=True)
class Arrived:
    """One connection of the proxy's: its bytes, the requests in them, what could not be cut.

    `rest` is what came behind the last whole request.
    """

    requests: list[Seen] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    rest: bytes = b""
    fault: str | None = None
    is_closed: bool = False


class Recorder:
    """Listens, records, answers. `take` gives what has come since it was last asked."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((host, port), backlog=1024)
        self._lock = threading.Lock()
        self._connections: list[Arrived] = []
        self._replies: list[Reply] = []
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def say(self, replies: Sequence[Reply]) -> None:
        """Answer the next requests so, and then as usual again; canaries are always echoed."""
        with self._lock:
            self._replies = list(replies)

    def take(self) -> list[Arrived]:
        """Return what came since the last call; connections go on, but count anew."""
        with self._lock:
            found = [each for each in self._connections if each.raw]
            copies = [replace(each, requests=[*each.requests], raw=each.raw[:]) for each in found]
            self._connections = [each for each in self._connections if not each.is_closed]
            for each in found:
                each.requests.clear()
                each.raw.clear()
                each.fault = None
        return copies

    def close(self) -> None:
        """Stop listening and end every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        arrived = Arrived()
        with self._lock:
            self._connections.append(arrived)
        self._sockets.add(connection)
        with connection, contextlib.suppress(OSError):
            connection.settimeout(IDLE_S)
            self._talk(connection, arrived)
        self._sockets.discard(connection)
        arrived.is_closed = True

    def _talk(self, connection: socket.socket, arrived: Arrived) -> None:
        buffer = b""
        while data := connection.recv(65536):
            buffer += data
            with self._lock:
                arrived.raw += data
            for seen, rest in self._cut_all(buffer, arrived):
                buffer = rest
                reply = self._reply_to(seen)
                connection.sendall(reply.data)
                if reply.closes:
                    return
            with self._lock:
                arrived.rest = buffer
            if arrived.fault is not None:
                connection.sendall(NO_REQUEST)
                return

    def _cut_all(self, buffer: bytes, arrived: Arrived) -> Iterator[tuple[Seen, bytes]]:
        while buffer:
            try:
                found = cut(buffer)
            except MalformedError as error:
                arrived.fault = str(error)
                return
            if found is None:
                return
            seen, size = found
            buffer = buffer[size:]
            with self._lock:
                arrived.requests.append(seen)
                arrived.rest = buffer
            yield seen, buffer

    def _reply_to(self, seen: Seen) -> Reply:
        with self._lock:
            if self._replies and b"canary" not in seen.target:
                return self._replies.pop(0)
        return Reply(echo(seen))


@contextlib.contextmanager
def recording(port: int = 0) -> Iterator[Recorder]:
    """Record until the block ends."""
    recorder = Recorder(port)
    try:
        yield recorder
    finally:
        recorder.close()
