"""What is written down: one line per request, and the log of what happens to the gateway itself.

Nothing secret is ever given to it: a subject arrives as text and leaves as a short hash, a query
never arrives. Every value is escaped, so one request is one line (attacks.md L1).
"""

import hashlib
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

Format = Literal["json", "text"]
MAX_PATH_CHARACTERS = 512
"""A path in the log is cut here; nobody reads more, and disks are finite."""
CLIENT_CLOSED = 499
"""Logged when the client went away before its answer (nginx's number)."""


@dataclass(slots=True)
class Visit:
    """One request as its log line will tell it; filled in along the way. Times in seconds.

    `sent_bytes` is the body's; `head_bytes`, not told, helps to count a body that was cut off.
    """

    started_at: float
    began_s: float
    request_id: str = "-"
    method: str = "-"
    path: str = "-"
    route: str = "-"
    status: int = 0
    sent_bytes: int = 0
    head_bytes: int = 0
    ended_s: float = 0.0
    client: str = "-"
    platform: str | None = None
    app: str | None = None
    subject: str | None = None
    upstream: str | None = None
    error: str | None = None
    platform_code: int | str | None = None
    detail: str | None = None

    @property
    def elapsed_ms(self) -> float:
        return round((self.ended_s - self.began_s) * 1000, 2)


def hash_subject(subject: str) -> str:
    """Shorten a subject to 12 hex digits: enough to follow a user in a log, not to name one."""
    return hashlib.sha256(subject.encode()).hexdigest()[:12]


class AccessLog:
    """Writes visits, one line each, to a stream."""

    def __init__(self, stream: TextIO, line_format: Format) -> None:
        self._stream = stream
        self._format = line_format
        self._is_terminal = stream.isatty()
        self._is_failing = False

    def write(self, visit: Visit) -> None:
        """Write one line; a full disk or a closed pipe must not fail the request.

        It is warned of once, until a line is written again.
        """
        line = _as_json(visit) if self._format == "json" else _as_text(visit, self._is_terminal)
        try:
            self._stream.write(line)
            self._stream.flush()
            self._is_failing = False
        except (OSError, ValueError) as error:
            if not self._is_failing:
                name = type(error).__name__
                logging.getLogger(__name__).warning("access log not written: %s", name)
            self._is_failing = True


def open_access_log(
    place: Path | str, line_format: Format
) -> tuple[AccessLog | None, Callable[[], None]]:
    """Open the access log (`stdout`, `off` or a file); return it and what closes it.

    Raises: OSError for a file that cannot be opened.
    """
    if place == "off":
        return None, _nothing
    if place == "stdout":
        return AccessLog(sys.stdout, line_format), _nothing
    stream = Path(place).open("a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - closed by the caller
    return AccessLog(stream, line_format), stream.close


def _nothing() -> None:
    return None


def _as_json(visit: Visit) -> str:
    line: dict[str, object] = {
        "time": _timestamp(visit.started_at),
        "request_id": visit.request_id,
        "client": visit.client,
        "method": visit.method,
        "path": visit.path[:MAX_PATH_CHARACTERS],
        "route": visit.route,
        "status": visit.status,
        "bytes": visit.sent_bytes,
        "ms": visit.elapsed_ms,
        "platform": visit.platform,
        "app": visit.app,
        "subject": None if visit.subject is None else hash_subject(visit.subject),
        "upstream": visit.upstream,
        "error": visit.error,
        "platform_code": visit.platform_code,
        "detail": visit.detail,
    }
    return json.dumps(line, separators=(",", ":")) + "\n"


_COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}


def _as_text(visit: Visit, is_terminal: bool) -> str:
    """Write a line for people; in colours on a terminal, never into a file."""
    status = str(visit.status)
    if is_terminal:
        status = f"{_COLOURS.get(visit.status // 100, '')}{status}\x1b[0m"
    path = json.dumps(visit.path[:MAX_PATH_CHARACTERS])[1:-1]  # escapes controls and non-ASCII
    who = "-"
    if visit.subject is not None:
        who = f"{visit.platform}/{visit.app}/{hash_subject(visit.subject)}"
    error = f" {visit.error}" if visit.error else ""
    if visit.detail:
        error += f" ({json.dumps(visit.detail)[1:-1]})"
    return (
        f"{_timestamp(visit.started_at)[11:23]} {status} {visit.method} {path}"
        f" {visit.elapsed_ms:.1f}ms {visit.sent_bytes}B {who} -> {visit.upstream or 'gateway'}"
        f"{error} [{visit.request_id}]\n"
    )


def _timestamp(moment: float) -> str:
    """Write a moment in RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


class JsonFormatter(logging.Formatter):
    """One JSON line for each record; a traceback keeps its lines inside one string."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, separators=(",", ":"))


def set_up_logging(level: str, line_format: Format) -> None:
    """Send the gateway's own log to stderr; libraries speak from warning up."""
    handler = logging.StreamHandler()
    if line_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("gateway").setLevel(level.upper())
