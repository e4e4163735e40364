"""What is written down: one line per request, and the log of what happens to the gateway itself.

Nothing secret is ever given to it: a subject arrives as a short hash, a query never arrives. Every
value is escaped, so one request is one line (attacks.md L1).
"""

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quote
from typing import Literal

Format = Literal["json", "text"]
MAX_PATH_CHARACTERS = 512
"""A path in the log is cut here; nobody reads more, and disks are finite."""
MAX_ESCAPED_PATH = 4 * MAX_PATH_CHARACTERS
"""One that is longer with its escapes is cut to a quarter: a line fits into PIPE_BUF."""
_MARK = "gw1"
_MARKED = re.compile(r"gw1(?:\.|%2[Ee])[A-Za-z0-9._%-]*")
_USER_INFO = re.compile(r"//[^/]*@")
CLIENT_CLOSED = 499
"""Logged when the client went away before its answer (nginx's number)."""


@dataclass(slots=True)
class Visit:
    """One request as its log line will tell it; filled in along the way. Times in seconds.

    `subject` is a `Session.trace`. `sent_bytes` is the body's; `head_bytes`, not told, helps to
    count a body that was cut off.
    """

    started_at: float
    began_s: float
    request_id: str = "-"
    method: str = "-"
    path: str = "-"
    route: str = "-"
    client: str = "-"
    upstream: str | None = None
    platform: str | None = None
    app: str | None = None
    subject: str | None = None
    status: int = 0
    sent_bytes: int = 0
    head_bytes: int = 0
    ended_s: float = 0.0
    error: str | None = None
    platform_code: int | str | None = None
    detail: str | None = None

    @property
    def elapsed_ms(self) -> float:
        return (self.ended_s - self.began_s) * 1000


def as_json(visit: Visit) -> str:
    """Write a visit as one JSON object on one line, in ASCII.

    Written out by hand: every request pays for its line, and `json.dumps` costs five times this.
    """
    subject = "null" if visit.subject is None else f'"{visit.subject}"'
    return (
        f'{{"time":"{_timestamp(visit.started_at)}","request_id":"{visit.request_id}"'
        f',"client":{_quote(visit.client)},"method":{_quote(visit.method)}'
        f',"path":{_path(visit.path)},"route":{_quote(visit.route)}'
        f',"status":{visit.status},"bytes":{visit.sent_bytes},"ms":{visit.elapsed_ms:.2f}'
        f',"platform":{_text(visit.platform)},"app":{_text(visit.app)},"subject":{subject}'
        f',"upstream":{_text(visit.upstream)}{_trouble(visit)}}}\n'
    )


_NO_TROUBLE = ',"error":null,"platform_code":null,"detail":null'


def _trouble(visit: Visit) -> str:
    if visit.error is None and visit.platform_code is None and visit.detail is None:
        return _NO_TROUBLE
    code = json.dumps(visit.platform_code)
    return f',"error":{_text(visit.error)},"platform_code":{code},"detail":{_text(visit.detail)}'


def _path(path: str) -> str:
    """Quote a path, cut off; controls and what is not ASCII are escaped.

    A token has no place in a path, but who puts one there must not find it in a log (L2).
    """
    if _MARK in path:
        path = _MARKED.sub("gw1.***", path)
    if path[:1] != "/":  # a whole URL, which may hold a user and a password
        path = _USER_INFO.sub("//***@", path)
    quoted = _quote(path[:MAX_PATH_CHARACTERS])
    return quoted if len(quoted) <= MAX_ESCAPED_PATH else _quote(path[: MAX_PATH_CHARACTERS // 4])


def _text(value: str | None) -> str:
    return "null" if value is None else _quote(value)


_COLOURS = {2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}


def as_text(visit: Visit, is_terminal: bool) -> str:
    """Write a line for people; in colours on a terminal, never into a file."""
    status = str(visit.status)
    if is_terminal:
        status = f"{_COLOURS.get(visit.status // 100, '')}{status}\x1b[0m"
    path = _path(visit.path)[1:-1]
    who = "-"
    if visit.subject is not None:
        who = f"{visit.platform}/{visit.app}/{visit.subject}"
    client = _quote(visit.client)[1:-1]
    error = f" {visit.error}" if visit.error else ""
    if visit.detail:
        error += f" ({json.dumps(visit.detail)[1:-1]})"
    return (
        f"{_timestamp(visit.started_at)[11:23]} {status} {visit.method} {path}"
        f" {visit.elapsed_ms:.1f}ms {visit.sent_bytes}B {client} {who}"
        f" -> {visit.upstream or 'gateway'}{error} [{visit.request_id}]\n"
    )


def _timestamp(moment: float) -> str:
    """Write a moment in RFC 3339, UTC, milliseconds."""
    second = int(moment // 1)
    return _millisecond(second, int((moment - second) * 1000))


@lru_cache(maxsize=64)  # lines are built many in a row: most have their neighbour's
def _millisecond(second: int, rest: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}+00:00"


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
