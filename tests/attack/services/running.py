"""Runs programs beside the gateway - services behind, proxies in front - and reads what services
wrote down.

It must not know what was sent.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import environment, free_ports

READY_S = 30.0
FINISH_S = 2.0
"""How long a request that a service has begun may take to come to its end."""


@dataclass(frozen=True, slots=True)
class Record:
    """A request as a service understood it; `names` are its variables or headers, as it has them.

    `is_whole` is False where the body ended early, or did not end.
    """

    method: str
    target: str
    length_bytes: int
    sha256: str
    names: tuple[tuple[str, str], ...]
    is_whole: bool = True


@dataclass(slots=True)
class Service:
    """A service that runs, and the file it writes each request to, a JSON object a line."""

    name: str
    port: int
    log: Path
    _read_bytes: int = 0

    def take(self) -> list[Record]:
        """Return what was begun since the last call, once it has ended."""
        deadline = time.monotonic() + FINISH_S
        while True:
            lines, end = self._lines()
            begun = sum(each.get("at") == "begin" for each in lines)
            ended = [each for each in lines if each.get("at") == "end"]
            if begun <= len(ended) or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        self._read_bytes = end
        return [_record(each) for each in ended]

    def _lines(self) -> tuple[list[dict[str, object]], int]:
        data = self.log.read_bytes() if self.log.exists() else b""
        whole = data[self._read_bytes : data.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], self._read_bytes + len(whole)


def _record(line: Mapping[str, object]) -> Record:
    names = line["names"]
    assert isinstance(names, list)
    return Record(
        method=str(line["method"]),
        target=str(line["target"]),
        length_bytes=int(str(line["length"])),
        sha256=str(line["sha256"]),
        names=tuple((str(name), str(value)) for name, value in names),
        is_whole=bool(line["whole"]),
    )


@dataclass(frozen=True, slots=True)
class Program:
    """How a program is found and started. In its command and its settings `@NAME@` are replaced:
    `@PORT@` where it listens, `@UPSTREAM@` the port behind, `@LOG@` the file to write requests to,
    `@FOLDER@` a folder of its own, `@SETTINGS@` the file of its settings.
    """

    name: str
    needs: str
    command: tuple[str, ...]
    version: tuple[str, ...]
    settings: str = ""

    @property
    def is_here(self) -> bool:
        """Tell whether it is installed."""
        return shutil.which(self.needs) is not None

    def ask_version(self) -> str:
        """Return what it says of its version, in one word."""
        done = subprocess.run(self.version, capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).split()
        numbers = (word for word in said if any(c.isdigit() for c in word))
        return next(numbers, "?").rpartition("/")[2].strip("v()")


@contextlib.contextmanager
def running(program: Program, upstream_port: int = 0) -> Iterator[Service]:
    """Run it until the block ends. Raises: RuntimeError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="attack-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # workers of another user read their settings here
        (port,) = free_ports(1)
        service = Service(program.name, port, folder / "requests.jsonl")
        marks = {
            "@PORT@": str(port),
            "@UPSTREAM@": str(upstream_port),
            "@LOG@": str(service.log),
            "@FOLDER@": name,
            "@SETTINGS@": str(folder / "settings"),
        }
        (folder / "settings").write_text(_filled(program.settings, marks))
        words = [_filled(word, marks) for word in program.command]
        with _process(words, folder, service):
            yield service


def _filled(text: str, marks: Mapping[str, str]) -> str:
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text


@contextlib.contextmanager
def _process(words: Sequence[str], folder: Path, service: Service) -> Iterator[None]:
    more = {"REQUESTS_LOG": str(service.log), "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment({**more, "XDG_CONFIG_HOME": str(folder)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_port(process, service.port, folder / "output.log")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not start: {output.read_text(errors='replace')}")
        time.sleep(0.02)
