"""The access log: lines whole and in order, and nobody kept waiting for them (D10, L1)."""

import contextlib
import json
import os
import re
import resource
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access_log import CLOSE_S, MAX_LINES, AccessLog, open_access_log
from gateway.observe import Format, Visit, as_json, as_text

AT = 1_800_000_000.25
LOST = re.compile(r"access log: (\d+) lines lost \((.*)\)")


def visit(number: int = 0, path: str = "/x") -> Visit:
    """A visit that is told from others by its status."""
    return Visit(AT, 5.0, path=path, status=number, ended_s=5.0125)


def statuses(text: str) -> list[int]:
    """The numbers of the visits written, in order; every line must be whole."""
    return [json.loads(line)["status"] for line in text.splitlines()]


def lost(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """What was told of lines that were lost."""
    found = [LOST.fullmatch(record.getMessage()) for record in caplog.records]
    return [(int(match[1]), match[2]) for match in found if match is not None]


@contextlib.contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, in blocking mode, as a container's log driver has one."""
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        for each in (reading, writing):
            stack.callback(_close_quietly, each)
        yield reading, writing


def _close_quietly(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


class Reader:
    """Somebody who reads a pipe to its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while data := os.read(self._descriptor, 65536):
            self._read += data

    def text(self) -> str:
        """All that came; the writing end must be closed."""
        self._thread.join()
        return self._read.decode("ascii")


def read_now(descriptor: int) -> bytes:
    """What stands in a pipe, without waiting."""
    os.set_blocking(descriptor, False)
    read = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(descriptor, 65536):
            read += data
    return read


# -- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line_format", "build"),
    [("json", as_json), ("text", lambda visit: as_text(visit, is_terminal=False))],
)
def test_a_visit_is_written(
    tmp_path: Path, line_format: Format, build: Callable[[Visit], str]
) -> None:
    """As `observe` builds its line."""
    place = tmp_path / "access.log"
    with open_access_log(place, line_format) as log:
        assert log is not None
        log.write(visit(200))
    assert place.read_text() == build(visit(200))


def test_a_terminal_gets_colours() -> None:
    """Where somebody looks."""
    with a_pipe() as (reading, writing):
        log = AccessLog(writing, "text", is_terminal=True)
        log.write(visit(400))
        log.close()
        assert read_now(reading).decode() == as_text(visit(400), is_terminal=True)


@pytest.mark.parametrize("is_pipe", [False, True], ids=["a file", "a pipe"])
def test_lines_are_whole_and_in_order(tmp_path: Path, is_pipe: bool) -> None:
    """However many come at once, and from which threads."""
    numbers = list(range(20_000))
    place = tmp_path / "access.log"
    with a_pipe() as (reading, writing), place.open("ab", buffering=0) as file:
        reader = Reader(reading)
        log = AccessLog(writing if is_pipe else file.fileno(), "json")
        for number in numbers:
            log.write(visit(number))
        log.close()
        os.close(writing)
        assert statuses(reader.text() if is_pipe else place.read_text()) == numbers


def test_flush_waits_for_the_lines_so_far(tmp_path: Path) -> None:
    """Then they can be read; the log goes on."""
    place = tmp_path / "access.log"
    with open_access_log(place, "json") as log:
        assert log is not None
        for number in range(50):
            log.write(visit(number))
            if number % 10 == 9:
                log.flush()
                assert statuses(place.read_text()) == list(range(number + 1))
        log.flush()  # with nothing to wait for


def test_flush_gives_up(caplog: pytest.LogCaptureFixture) -> None:
    """On a pipe that nobody reads."""
    with full_pipe() as (reading, writing):
        log = AccessLog(writing, "json")
        log.write(visit(1))
        log.flush(timeout_s=0.05)
        came = read_now(reading)  # the line may come as soon as there is room
        log.flush()
        log.close()
        came += read_now(reading)
        assert came.startswith(b"#")
        assert statuses(came.lstrip(b"#").decode()) == [1]
    assert lost(caplog) == []


def test_what_no_ascii_can_say_is_escaped(tmp_path: Path) -> None:
    """A name from the settings, in a line for people."""
    place = tmp_path / "access.log"
    with open_access_log(place, "text") as log:
        assert log is not None
        odd = visit(200)
        odd.upstream = "订单"
        log.write(odd)
        log.write(visit(201))
    first, second = place.read_text("ascii").splitlines()
    assert "\\u8ba2\\u5355" in first
    assert " 201 " in second


# -- several writers on one pipe -------------------------------------------------------------------


def test_two_logs_on_one_pipe_do_not_mix_their_lines() -> None:
    """As the workers' do: each write is at most PIPE_BUF, so it stays together (POSIX, write)."""
    with a_pipe() as (reading, writing):
        reader = Reader(reading)
        copies = [os.dup(writing) for _ in range(2)]
        logs = [AccessLog(each, "json") for each in copies]
        for number in range(10_000):
            for which, log in enumerate(logs):
                path = "/" + "ab"[which] * (number % 600)
                log.write(visit(2 * number + which, path))
        for log in logs:
            log.close()
        for each in (*copies, writing):
            os.close(each)
        written = statuses(reader.text())
    for which in range(2):
        assert [n for n in written if n % 2 == which] == [2 * n + which for n in range(10_000)]


def test_several_processes_on_one_pipe_do_not_mix_their_lines() -> None:
    """Each process is a worker of `gateway serve` that has inherited stdout."""
    program = (
        "import sys\n"
        "from gateway.access_log import open_access_log\n"
        "from gateway.observe import Visit\n"
        "first = int(sys.argv[1])\n"
        "with open_access_log('stdout', 'json') as log:\n"
        "    for number in range(3000):\n"
        "        log.write(Visit(1.0, 1.0, path='/' + 'x' * 400, status=first + number))\n"
    )
    with a_pipe() as (reading, writing):
        reader = Reader(reading)
        workers = [
            os.posix_spawn(
                sys.executable,
                [sys.executable, "-c", program, str(first)],
                {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
            )
            for first in (0, 10_000, 20_000)
        ]
        os.close(writing)
        written = statuses(reader.text())
        assert [os.waitpid(worker, 0)[1] for worker in workers] == [0, 0, 0]
    assert sorted(written) == [first + n for first in (0, 10_000, 20_000) for n in range(3000)]
    for first in (0, 10_000, 20_000):
        own = [number for number in written if first <= number < first + 3000]
        assert own == sorted(own)


def test_a_pipe_that_somebody_made_non_blocking() -> None:
    """The mode belongs to the pipe, and so to others: the log waits as before."""
    with a_pipe() as (reading, writing):
        os.set_blocking(writing, False)
        log = AccessLog(writing, "json")
        for number in range(3000):
            log.write(visit(number))
        reader = Reader(reading)
        log.close()
        os.close(writing)
        assert statuses(reader.text()) == list(range(3000))


# -- where nobody takes them ----------------------------------------------------------------------


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that takes nothing until it is read."""
    with a_pipe() as (reading, writing):
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"#" * select.PIPE_BUF)
        os.set_blocking(writing, True)
        yield reading, writing


def test_a_pipe_that_nobody_reads_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a request nor, beyond `CLOSE_S`, the end; what was lost is counted and told."""
    with full_pipe() as (reading, writing):
        log = AccessLog(writing, "json")
        for number in range(100):
            log.write(visit(number))
        began_s = time.monotonic()
        log.close()
        assert time.monotonic() - began_s < CLOSE_S + 2  # far below for ever
        assert set(read_now(reading)) == {ord("#")}
    assert lost(caplog) == [(100, "nobody takes them")]


def test_only_so_many_lines_wait(caplog: pytest.LogCaptureFixture) -> None:
    """What comes after them is lost, counted and told; those that wait are written in order."""
    count = 2 * MAX_LINES + 1000
    with full_pipe() as (reading, writing):
        log = AccessLog(writing, "json")
        for number in range(count):
            log.write(visit(number))
        reader = Reader(reading)
        log.flush(30)
        log.close()
        os.close(writing)
        written = statuses(reader.text().lstrip("#"))
    # One load is with the writer already, and one waits.
    assert MAX_LINES <= len(written) <= 2 * MAX_LINES
    assert written == sorted(set(written))
    assert written[0] == 0
    assert sum(number for number, _ in lost(caplog)) == count - len(written)
    assert {reason for _, reason in lost(caplog)} == {"nobody takes them"}


def test_after_a_pause_lines_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """A reader that comes back reads every line that was kept."""
    with full_pipe() as (reading, writing):
        log = AccessLog(writing, "json")
        for number in range(2000):
            log.write(visit(number))
        reader = Reader(reading)
        log.flush()
        log.write(visit(2000))
        log.close()
        os.close(writing)
        assert statuses(reader.text().lstrip("#")) == list(range(2001))
    assert lost(caplog) == []


def test_a_closed_pipe_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """It is told once; at the end the rest is told."""
    with a_pipe() as (reading, writing):
        os.close(reading)
        log = AccessLog(writing, "text")
        for count in (1, 2, 3):
            for _ in range(count):
                log.write(visit())
            log.flush()
        assert lost(caplog) == [(1, "BrokenPipeError")]
        log.close()
    assert [count for count, _ in lost(caplog)] == [1, 5]


def test_a_full_disk_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """D10: it is told once, and how many lines are missing."""
    with Path("/dev/full").open("ab", buffering=0) as disk:
        log = AccessLog(disk.fileno(), "json")
        for _ in range(3):
            log.write(visit())
            log.flush()
        assert lost(caplog) == [(1, "OSError")]
        log.close()
    assert [count for count, _ in lost(caplog)] == [1, 2]


@contextlib.contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: a write is cut off, then refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_broke_off_spoils_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that fills up takes half a line; when there is room again, the next one is whole."""
    place = tmp_path / "access.log"
    length = len(as_json(visit(100)))
    with open_access_log(place, "json") as log:
        assert log is not None
        with room_for(2 * length + length // 2):
            for number in range(5):
                log.write(visit(100 + number))
            log.flush()
        log.write(visit(200))
    lines = place.read_text().splitlines()
    assert statuses("\n".join(lines[:2] + lines[3:])) == [100, 101, 200]
    assert as_json(visit(102)).startswith(lines[2])
    assert sum(count for count, _ in lost(caplog)) == 3


# -- where it goes --------------------------------------------------------------------------------


def test_no_access_log() -> None:
    """`off` writes nothing."""
    with open_access_log("off", "json") as log:
        assert log is None


def test_the_access_log_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """The default; the stream is not ours to close."""
    with open_access_log("stdout", "json") as log:
        assert log is not None
        log.write(visit(200))
    print("still open")  # noqa: T201 - what it is about
    line, rest = capfd.readouterr().out.splitlines()
    assert json.loads(line)["status"] == 200
    assert rest == "still open"


def test_the_access_log_in_a_file(tmp_path: Path) -> None:
    """Appended to, and closed by whoever opened it."""
    place = tmp_path / "access.log"
    for _ in range(2):
        with open_access_log(place, "json") as log:
            assert log is not None
            log.write(visit(path="/é\udce9"))
    lines = place.read_text("ascii").splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["/é\udce9"] * 2


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Start-up tells; nothing is written somewhere else."""
    with pytest.raises(OSError, match="directory"), open_access_log(tmp_path, "json"):
        pass


def test_a_closed_log_has_no_thread(tmp_path: Path) -> None:
    """Nothing is left behind."""
    before = threading.active_count()
    with open_access_log(tmp_path / "access.log", "json"):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
