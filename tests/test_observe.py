"""What is written down: one line each, escaped, nothing secret (attacks.md L1, L2, L7)."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe import (
    MAX_PATH_CHARACTERS,
    AccessLog,
    Format,
    JsonFormatter,
    Visit,
    hash_subject,
    open_access_log,
    set_up_logging,
)

AT = 1_800_000_000.25
SUBJECT = "wechat:wx1:o-alice"
HOSTILE = "/a\r\nGET /b\x1b[31m\x7f\u2028\udce9\x00\"'\\"


def visit(**changes: object) -> Visit:
    """A visit with something in every field."""
    fields: dict[str, object] = {
        "request_id": "0123456789abcdef",
        "method": "GET",
        "path": "/api/orders/1",
        "route": "/api/",
        "status": 200,
        "sent_bytes": 12,
        "ended_s": 5.0125,
        "client": "203.0.113.9",
        "platform": "wechat",
        "app": "shop",
        "subject": SUBJECT,
        "upstream": "orders",
    }
    return Visit(AT, 5.0, **{**fields, **changes})  # type: ignore[arg-type] # the table above holds each field's type


class Terminal(io.StringIO):
    """A stream somebody looks at."""

    def isatty(self) -> bool:
        return True


def written(line_format: Format, **changes: object) -> str:
    """What one visit becomes in a file."""
    return written_to(io.StringIO(), line_format, **changes)


def written_to(stream: io.StringIO, line_format: Format, **changes: object) -> str:
    """What one visit becomes there."""
    AccessLog(stream, line_format).write(visit(**changes))
    return stream.getvalue()


def test_a_visit_as_json() -> None:
    """The fields of the first issue, in this order."""
    line = written("json")
    assert line.endswith("}\n")
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250+00:00",
        "request_id": "0123456789abcdef",
        "client": "203.0.113.9",
        "method": "GET",
        "path": "/api/orders/1",
        "route": "/api/",
        "status": 200,
        "bytes": 12,
        "ms": 12.5,
        "platform": "wechat",
        "app": "shop",
        "subject": hash_subject(SUBJECT),
        "upstream": "orders",
        "error": None,
        "platform_code": None,
        "detail": None,
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "orders [0123456789abcdef]"),
        ({"upstream": None}, "-> gateway ["),
        ({"error": "bad_request", "status": 400}, " 400 GET"),
        ({"error": "bad_request"}, " bad_request ["),
        ({"error": "bad_request", "detail": "send \x1b it"}, " bad_request (send \\u001b it) ["),
        ({"subject": None}, " - -> orders"),
        ({}, f"wechat/shop/{hash_subject(SUBJECT)}"),
        ({"status": 0}, " 0 GET"),
        ({}, "08:00:00.250 "),
    ],
)
def test_a_visit_as_text(changes: dict[str, object], text: str) -> None:
    """For people in development."""
    assert text in written("text", **changes)


def test_a_terminal_gets_colours() -> None:
    """Only where somebody looks, and never in JSON; a status of no kind gets none."""
    assert " \x1b[33m400\x1b[0m GET" in written_to(Terminal(), "text", status=400)
    assert " 0\x1b[0m GET" in written_to(Terminal(), "text", status=0)
    assert "\x1b" not in written_to(Terminal(), "json", status=400)


@pytest.mark.parametrize("line_format", ["json", "text"])
def test_nobody_is_named(line_format: Format) -> None:
    """L7: a subject leaves as a short hash."""
    assert "o-alice" not in written(line_format)
    assert hash_subject(SUBJECT) in written(line_format)
    assert len(hash_subject(SUBJECT)) == 12


@pytest.mark.parametrize("line_format", ["json", "text"])
@given(path=st.text(st.characters(exclude_categories=())) | st.just(HOSTILE))
def test_one_visit_is_one_line(line_format: Format, path: str) -> None:
    """L1: whatever the path holds, one line of printable ASCII."""
    line = written(line_format, path=path)
    assert line.isascii()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


def test_a_long_path_is_cut() -> None:
    """L1: a megabyte in the log helps nobody."""
    path = json.loads(written("json", path="/" + "a" * 10**6))["path"]
    assert len(path) == MAX_PATH_CHARACTERS
    assert len(written("text", path="/" + "\x00" * 10**6)) < 10 * MAX_PATH_CHARACTERS


class Disk(io.StringIO):
    """A stream that takes nothing while it is full."""

    is_full = True

    def write(self, text: str, /) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """D10: it is told once until a line is written again, without the line."""
    disk = Disk()
    log = AccessLog(disk, "json")
    for is_full in (True, True, False, True):
        disk.is_full = is_full
        log.write(visit())
    told = [record.getMessage() for record in caplog.records]
    assert told == ["access log not written: OSError"] * 2


def test_a_closed_stream_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that was closed under us."""
    stream = io.StringIO()
    log = AccessLog(stream, "text")
    stream.close()
    log.write(visit())
    assert "ValueError" in caplog.text


# -- where it goes --------------------------------------------------------------------------------


def test_no_access_log() -> None:
    """`off` writes nothing; closing it is nothing, too."""
    log, close = open_access_log("off", "json")
    assert log is None
    close()


def test_the_access_log_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """The default; the stream is not ours to close."""
    log, close = open_access_log("stdout", "json")
    assert log is not None
    log.write(visit())
    close()
    assert json.loads(capsys.readouterr().out)["status"] == 200
    assert not sys.stdout.closed


def test_the_access_log_in_a_file(tmp_path: Path) -> None:
    """Appended to, and closed by whoever opened it."""
    place = tmp_path / "access.log"
    for _ in range(2):
        log, close = open_access_log(place, "json")
        assert log is not None
        log.write(visit(path="/é\udce9"))
        close()
    lines = place.read_text("utf-8").splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["/é\udce9"] * 2


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Start-up tells; nothing is written somewhere else."""
    with pytest.raises(OSError, match="directory"):
        open_access_log(tmp_path, "json")


# -- the gateway's own log ------------------------------------------------------------------------


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Root logging as the test finds it, put back afterwards; pytest's handlers stay open."""
    root, own = logging.getLogger(), logging.getLogger("gateway")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    own.setLevel(own_level)


def fail() -> None:
    raise ValueError("first\nsecond")


@pytest.mark.usefixtures("_own_logging")
def test_our_log_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each record, on stderr; a traceback stays inside its string."""
    set_up_logging("info", "json")
    try:
        fail()
    except ValueError:
        logging.getLogger("gateway.x").exception("failed\r\n%s", "here")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    record = json.loads(lines[0])
    assert (record["level"], record["logger"]) == ("error", "gateway.x")
    assert record["message"] == "failed\r\nhere"
    assert "ValueError: first\nsecond" in record["traceback"]
    assert record["time"].endswith("+00:00")


@pytest.mark.usefixtures("_own_logging")
def test_our_log_in_text(capsys: pytest.CaptureFixture[str]) -> None:
    """For people in development."""
    set_up_logging("debug", "text")
    logging.getLogger("gateway.x").debug("hello")
    assert capsys.readouterr().err.endswith(" DEBUG gateway.x: hello\n")


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize(
    ("logger", "level", "is_heard"),
    [
        ("gateway.x", logging.INFO, True),
        ("gateway.x", logging.DEBUG, False),
        ("aiohttp.access", logging.INFO, False),
        ("aiohttp.server", logging.WARNING, True),
    ],
)
def test_libraries_speak_from_warning_up(logger: str, level: int, is_heard: bool) -> None:
    """Their debug lines hold headers, and so tokens (L2)."""
    set_up_logging("info", "json")
    assert logging.getLogger(logger).isEnabledFor(level) is is_heard


def test_a_record_without_a_failure_has_no_traceback() -> None:
    """The field is there only where there is something in it."""
    record = logging.LogRecord("gateway", logging.INFO, "x.py", 1, "hello", None, None)
    assert "traceback" not in json.loads(JsonFormatter().format(record))
