"""What the services in Python write down of a request: one line, to a file.

It runs within the services' processes.
"""

import hashlib
import json
import os
from collections.abc import Iterable


class Note:
    """One request: begun, its body piece by piece, and ended."""

    def __init__(self, method: str, target: str, names: Iterable[tuple[str, str]]) -> None:
        self._method, self._target, self._names = method, target, list(names)
        self.length_bytes, self._hash = 0, hashlib.sha256()
        _write({"at": "begin"})

    def add(self, piece: bytes) -> None:
        """Count a piece of the body."""
        self.length_bytes += len(piece)
        self._hash.update(piece)

    def end(self, *, is_whole: bool = True) -> bytes:
        """Write it down; return the body of the answer, which tells requests apart."""
        line = {
            "at": "end",
            "method": self._method,
            "target": self._target,
            "length": self.length_bytes,
            "sha256": self._hash.hexdigest(),
            "names": self._names,
            "whole": is_whole,
        }
        _write(line)
        return f"{self._method} {self._target} HTTP/1.1".encode("latin-1")


def _write(line: dict[str, object]) -> None:
    """Append in one call: lines of several threads do not mix."""
    data = json.dumps(line).encode() + b"\n"
    log = os.open(os.environ["REQUESTS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(log, data)
    finally:
        os.close(log)
