"""Runs services in processes of their own, which can really be killed, stopped and resumed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("target_program.py")


@dataclass(frozen=True, slots=True)
class TargetProcess:
    """One service; `received` tells what it has read, also after its death."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> list[str]:
        """Method and path of each whole request, in order."""
        return self.log.read_text().splitlines()

    def kill(self) -> None:
        """End it at once: it cannot say goodbye."""
        self.process.kill()

    def stop(self) -> None:
        """Have it hang: its kernel goes on taking connections and bytes."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def target_process(folder: Path, name: str) -> Iterator[TargetProcess]:
    """Start a service; yield it once it listens."""
    folder.mkdir(exist_ok=True)
    log = folder / f"{name}.log"
    command = [sys.executable, str(PROGRAM), str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield TargetProcess(process, port, log)
        finally:
            process.kill()
