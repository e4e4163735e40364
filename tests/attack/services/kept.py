"""A client that keeps its connection: one request after the other, as fast as they are answered."""

import contextlib
import socket
from types import TracebackType
from typing import Self

from tests.attack.answers import Answer, cut_answers

WAIT_S = 5.0


class KeptConnection:
    """Opens its connection anew whenever the other side has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def ask(self, data: bytes) -> Answer | None:
        """Send a request; return its final answer, None when the connection ended without one."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), WAIT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = None
        with contextlib.suppress(OSError):  # hung up on, or not answered in time
            self._socket.sendall(data)
            answer = self._read(self._socket, data.partition(b" ")[0])
        if answer is None or answer.status >= 400 or answer.value(b"connection") is not None:
            self._close()
        return answer

    def _read(self, source: socket.socket, method: bytes) -> Answer | None:
        raw = b""
        while data := source.recv(65536):
            raw += data
            for answer in cut_answers(raw, (method,)):
                if answer.is_whole and (answer.status >= 200 or answer.status == 101):
                    return answer
        return None

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
