"""What is written down: one line each, escaped, nothing secret (attacks.md L1, L2, L7)."""

import json
import logging
import select
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe import (
    MAX_PATH_CHARACTERS,
    Format,
    JsonFormatter,
    Visit,
    as_json,
    as_text,
    set_up_logging,
)
from gateway.sessions.model import hash_subject

AT = 1_800_000_000.25
TRACE = hash_subject("wechat:wx1:o-alice")
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
        "subject": TRACE,
        "upstream": "orders",
    }
    return Visit(AT, 5.0, **{**fields, **changes})  # type: ignore[arg-type] # the table above holds each field's type


def written(line_format: Format, **changes: object) -> str:
    """What one visit becomes in a file."""
    made = visit(**changes)
    return as_json(made) if line_format == "json" else as_text(made, is_terminal=False)


def coloured(**changes: object) -> str:
    """What one visit becomes on a terminal."""
    return as_text(visit(**changes), is_terminal=True)


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
        "subject": TRACE,
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
        ({}, f" 203.0.113.9 wechat/shop/{TRACE} ->"),
        ({"status": 0}, " 0 GET"),
        ({}, "08:00:00.250 "),
    ],
)
def test_a_visit_as_text(changes: dict[str, object], text: str) -> None:
    """For people in development."""
    assert text in written("text", **changes)


def test_a_terminal_gets_colours() -> None:
    """Only where somebody looks, and never in JSON; a status of no kind gets none."""
    assert " \x1b[33m400\x1b[0m GET" in coloured(status=400)
    assert " 0\x1b[0m GET" in coloured(status=0)
    assert "\x1b" not in written("text", status=400)
    assert "\x1b" not in written("json", status=400)


@pytest.mark.parametrize("line_format", ["json", "text"])
def test_nobody_is_named(line_format: Format) -> None:
    """L7: a subject arrives as a short hash, and leaves as one."""
    assert len(TRACE) == 12
    assert TRACE in written(line_format)
    assert "o-alice" not in written(line_format)


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


@pytest.mark.parametrize("line_format", ["json", "text"])
@pytest.mark.parametrize("character", ["\x00", "\udce9", "\U0001f600", '"', "a"])
def test_a_line_fits_into_one_write_on_a_pipe(line_format: Format, character: str) -> None:
    """PIPE_BUF, POSIX: whatever a client sends, its line does not mix with another worker's."""
    line = written(line_format, path="/" + character * 10**5, detail="d" * 200)
    assert len(line) <= select.PIPE_BUF


def test_a_path_of_many_escapes_is_cut_sooner() -> None:
    """Few escapes cost nothing."""
    few, many = "/" + "\xe9" * 300, "/" + "\xe9" * 400
    assert json.loads(written("json", path=few))["path"] == few
    assert json.loads(written("json", path=many))["path"] == many[: MAX_PATH_CHARACTERS // 4]


@pytest.mark.parametrize("line_format", ["json", "text"])
def test_a_token_in_a_path_is_not_told(line_format: Format) -> None:
    """L2: it has no place there, but a log that holds it would let its readers in."""
    for dot in (".", "%2E", "%2e"):
        line = written(line_format, path=f"/a/gw1{dot}id{dot}date{dot}signature/b?gw1.x")
        assert "/a/gw1.***/b" in line
        assert "id" not in line.partition("gw1")[2].partition("/b")[0]
    assert "/gw10/gw1" in written(line_format, path="/gw10/gw1")


@pytest.mark.parametrize("line_format", ["json", "text"])
def test_a_password_in_a_url_is_not_told(line_format: Format) -> None:
    """L2: a target in absolute form may hold one; a path may hold an `@`."""
    assert "http://***@host/x" in written(line_format, path="http://u:pass@host/x")
    assert "/a//b@c" in written(line_format, path="/a//b@c")


# -- by hand and by the library -------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
VISITS = st.builds(
    Visit,
    started_at=st.floats(0, 4e9),
    began_s=st.floats(0, 1e6),
    request_id=st.from_regex("[A-Za-z0-9_-]{8,64}", fullmatch=True) | st.just("-"),
    method=TEXTS,
    path=TEXTS,
    route=TEXTS,
    status=st.integers(0, 999),
    sent_bytes=st.integers(0, 2**60),
    ended_s=st.floats(0, 1e6),
    client=TEXTS,
    platform=st.none() | TEXTS,
    app=st.none() | TEXTS,
    subject=st.none() | TEXTS.map(lambda text: hash_subject(text.encode("utf-8", "replace").hex())),
    upstream=st.none() | TEXTS,
    error=st.none() | TEXTS,
    platform_code=st.none() | st.integers() | TEXTS,
    detail=st.none() | TEXTS,
)


def time_of(moment: float) -> str:
    """RFC 3339, UTC, milliseconds; what is begun of one is not told."""
    second = int(moment)
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return whole.replace(microsecond=int((moment - second) * 1000) * 1000).isoformat(
        timespec="milliseconds"
    )


@given(VISITS)
def test_json_by_hand_is_json(visit: Visit) -> None:
    """What is written is what `json.dumps` would write of the same."""
    told = {
        "time": time_of(visit.started_at),
        "request_id": visit.request_id,
        "client": visit.client,
        "method": visit.method,
        "path": visit.path,
        "route": visit.route,
        "status": visit.status,
        "bytes": visit.sent_bytes,
        "ms": "MS",
        "platform": visit.platform,
        "app": visit.app,
        "subject": visit.subject,
        "upstream": visit.upstream,
        "error": visit.error,
        "platform_code": visit.platform_code,
        "detail": visit.detail,
    }
    expected = json.dumps(told, separators=(",", ":"))
    ms = f"{(visit.ended_s - visit.began_s) * 1000:.2f}"
    assert as_json(visit) == expected.replace('"ms":"MS"', f'"ms":{ms}') + "\n"
    assert json.loads(as_json(visit)) == {**told, "ms": float(ms)}


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
