"""What checks ask of a stage: many requests on one connection, logins at once, the simulator.

It must not know what should come of it.
"""

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.attack.answers import Answer, cut_answers
from tests.attack.play import Observation, Play, play
from tests.attack.stage import ADMIN_TOKEN, Stage

WAIT_S = 10.0


def played(stage: Stage, data: bytes, *, method: bytes = b"GET") -> Observation:
    """Send one request and wait for its answer."""
    return play(stage.aim, stage.services, Play([data], (method,), 1, closes=False))


def pipelined(stage: Stage, requests: Sequence[bytes]) -> list[Answer]:
    """Send requests, a few dozen at a time, on as many connections as it takes."""
    answers: list[Answer] = []
    while len(answers) < len(requests):
        found = _piece(stage, requests[len(answers) : len(answers) + 32])
        if not found:
            break
        answers += found
    return answers


def _piece(stage: Stage, requests: Sequence[bytes]) -> list[Answer]:
    raw = b""
    found: list[Answer] = []
    with socket.create_connection(("127.0.0.1", stage.port), timeout=WAIT_S) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"".join(requests))
        while sum(each.is_whole for each in found) < len(requests):
            try:
                data = connection.recv(65536)
            except OSError:
                break
            if not data:
                break
            raw += data
            found = list(cut_answers(raw, (b"GET",)))
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """An answer read by a plain client."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body) if self.body else {}
        return found

    @property
    def code(self) -> str | None:
        return self.headers.get("x-gateway-error")


def tell(
    stage: Stage,
    line: str,
    *,
    token: str | None = None,
    body: object = None,
    headers: dict[str, str] | None = None,
    source: str = "127.0.0.1",
) -> Told:
    """Ask the public listener, from a loopback address; `line` is method and target."""
    given = {"Host": stage.host.decode(), **(headers or {})}
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    return _tell(stage.port, line, given, body, source)


def tell_admin(stage: Stage, line: str, *, token: str = ADMIN_TOKEN, body: object = None) -> Told:
    """Ask the admin listener."""
    given = {"Authorization": f"Bearer {token}"} if token else {}
    return _tell(stage.admin_port, line, given, body, "127.0.0.1")


def _tell(port: int, line: str, headers: dict[str, str], body: object, source: str) -> Told:
    method, _, target = line.partition(" ")
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers = {"Content-Type": "application/json", **headers}
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=WAIT_S, source_address=(source, 0)
    )
    with contextlib.closing(connection):
        connection.request(method, target, data, headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Told(answer.status, found, answer.read())


def log_in(stage: Stage, code: str, app: str = "shop-wechat", **more: object) -> Told:
    """Log in with a code."""
    return tell(stage, "POST /login", body={"app": app, "code": code, **more})


def at_once(stage: Stage, bodies: Sequence[object]) -> list[Told]:
    """Send logins at once, each over a socket of its own."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: tell(stage, "POST /login", body=body), bodies))


def exchanges(stage: Stage) -> dict[str, int]:
    """How many logins each platform of the simulator has been asked for."""
    told = _tell(stage.simulator_port, "GET /_sim/calls", {}, None, "127.0.0.1").document
    platforms = told["platforms"]
    assert isinstance(platforms, dict)
    return {name: int(counts["login"]) for name, counts in platforms.items()}


def until(holds: Callable[[], bool], within_s: float = 3.0) -> bool:
    """Ask again and again, until it holds or the time is up."""
    ends_at = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.02)
    return True


def settled(stage: Stage) -> str:
    """All the gateway has written, when the access log holds what was asked before."""
    mark = f"mark-{time.monotonic_ns()}"
    tell(stage, f"GET /public/{mark}")
    until(lambda: re.search(mark, stage.output()) is not None)
    return stage.output()
