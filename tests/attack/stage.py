"""A running gateway to attack: simulator, recorders, two users of two apps, raw ports.

What differs from stage to stage are the settings (`stages`).
"""

import contextlib
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from tests.attack.cutting import Seen
from tests.attack.model import Carried, Person, RouteKind
from tests.attack.play import Aim
from tests.attack.recorder import Recorder
from tests.support.commands import environment, free_ports

READY_S = 30.0
ADMIN_TOKEN = "admin-token-of-the-attack-suite"
APP_SECRET = "app-secret-of-the-attack-suite"
FORGED = "gw1.Zm9yZ2VkLWZvcmdlZC1mb3JnZWQ.aSomE0.Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2VkLWZvcmdlZA"
APPS: dict[Person, tuple[str, str, str]] = {
    "A": ("shop-wechat", "wechat", "wxattackshop"),
    "B": ("shop-douyin", "douyin", "ttattackshop"),
}
PREFIXES: dict[RouteKind, tuple[bytes, bytes]] = {
    "public": (b"/public", b"/public"),
    "optional": (b"/opt", b"/opt"),
    "required": (b"/api", b""),
}
"""By kind: the prefix a client asks for, and what a service sees of it."""


@dataclass(frozen=True, slots=True)
class Someone:
    """A user who has logged in: the token, and the header lines a service learns of them."""

    token: str
    openid: str
    identity: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Stage:
    """A gateway that runs with one stage's settings, and what stands around it."""

    name: str
    folder: Path
    port: int
    admin_port: int
    simulator_port: int
    services: dict[str, Recorder]
    process: subprocess.Popen[str]
    said: list[str]
    people: dict[Person, Someone]
    host: bytes = b"gw.test"

    @property
    def aim(self) -> Aim:
        return Aim(self.port, self.host)

    @property
    def settings_path(self) -> Path:
        return self.folder / "gateway.yaml"

    def fill(self, data: bytes, route: RouteKind, carried: Carried) -> bytes:
        """Replace the marks in a case's bytes."""
        tokens: dict[Person, str] = {name: each.token for name, each in self.people.items()}
        return fill(data, route, carried, tokens, self.host)

    def code(self, person: Person = "A", user: str | None = None) -> dict[str, str]:
        """Have the simulator give a login code out, with the openid behind it."""
        _, platform, app_id = APPS[person]
        asked = {"platform": platform, "app_id": app_id, "user": user or f"user-{person}"}
        return self.simulate("codes", asked)

    def simulate(self, what: str, asked: Mapping[str, object]) -> dict[str, str]:
        """Ask the simulator: `codes`, `faults`, `encrypt`."""
        return post(self.simulator_port, f"/_sim/{what}", asked)

    def login(self, person: Person = "A", user: str | None = None) -> tuple[str, str]:
        """Log in; return token and openid."""
        given = self.code(person, user)
        asked = {"app": APPS[person][0], "code": given["code"]}
        answer = post(self.port, "/login", asked, self.host.decode())
        return answer["token"], given["openid"]

    def meet(self, person: Person) -> Someone:
        """Log a user in and learn what a service is told of them."""
        token, openid = self.login(person)
        headers = {"Authorization": f"Bearer {token}", "Host": self.host.decode()}
        for recorder in self.services.values():
            recorder.take()
        ask(self.port, "GET", "/api/meeting", headers)
        seen = self.services["main"].take()[0].requests[0]
        identity = identity_of(seen)
        assert (b"X-OpenId", openid.encode()) in identity, "the identity is not the user's"
        return Someone(token, openid, identity)

    def output(self) -> str:
        """All the gateway has written: its two streams and its access log."""
        log = self.folder / "access.log"
        return "".join(self.said) + (log.read_text(errors="replace") if log.exists() else "")


def fill(
    data: bytes, route: RouteKind, carried: Carried, tokens: Mapping[Person, str], host: bytes
) -> bytes:
    """Replace the marks in a case's bytes, with these users' tokens."""
    prefix, seen = PREFIXES[route]
    token = {"none": "", "valid": tokens["A"], "invalid": FORGED}[carried]
    line = f"Authorization: Bearer {token}\r\n".encode() if token else b""
    marks = {
        b"@ROUTE@": prefix,
        b"@UP@": seen,
        b"@SESSION@": line,
        b"@A@": tokens["A"].encode(),
        b"@B@": tokens["B"].encode(),
        b"@BAD@": FORGED.encode(),
        b"@HOST@": host,
        b"@CODE@": secrets.token_hex(8).encode(),
    }
    for mark, value in marks.items():
        data = data.replace(mark, value)
    return data


IDENTITY = frozenset(
    b"x-openid x-platform x-appid x-subject x-unionid x-anonymous-openid x-user-id".split()
    + b"x-session-id x-gateway-assertion".split()
)
"""Written out here again on purpose: the suite must not believe the code it attacks."""


def folded(name: bytes) -> bytes:
    """A name as CGI, WSGI and PHP read it: lower case, all but letters and digits as `-`."""
    return bytes(c if chr(c).isalnum() and c < 0x80 else ord("-") for c in name.lower())


def identity_of(seen: Seen) -> tuple[tuple[bytes, bytes], ...]:
    """The fields that a service might take for identity, in whatever spelling."""
    return tuple(sorted(field for field in seen.fields if folded(field[0]) in IDENTITY))


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Send a plain, well-formed request; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


def post(port: int, path: str, asked: Mapping[str, object], host: str = "") -> dict[str, str]:
    """POST JSON and read JSON. Raises: RuntimeError for a refusal."""
    headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
    status, body = ask(port, "POST", path, headers, json.dumps(asked).encode())
    if status != 200:
        raise RuntimeError(f"{path} was answered {status}")
    found: dict[str, str] = json.loads(body)
    return found


@contextlib.contextmanager
def on_stage(
    name: str, changes: Mapping[str, object], host: bytes, env: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """Run a gateway with these settings laid over the usual ones until the block ends."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="attack-")))
        services = {each: Recorder() for each in ("main", "admin")}
        for recorder in services.values():
            stack.callback(recorder.close)
        port, admin_port, simulator_port = free_ports(3)
        simulate = ("simulate", "--any-app", "--listen", f"127.0.0.1:{simulator_port}")
        stack.enter_context(_running(folder, *simulate))
        ports = {each: recorder.port for each, recorder in services.items()}
        usual = usual_settings(port, admin_port, simulator_port, ports)
        text = _fill_ports(yaml.safe_dump(_merge(usual, changes)), ports)
        (folder / "gateway.yaml").write_text(text)
        process, said = stack.enter_context(_running(folder, "serve", env=env))
        stage = Stage(
            name, folder, port, admin_port, simulator_port, services, process, said, {}, host
        )
        for person in APPS:
            stage.people[person] = stage.meet(person)
        yield stage


def usual_settings(
    port: int, admin_port: int, simulator_port: int, services: Mapping[str, int]
) -> dict[str, object]:
    """The settings of attacks.md C3's set-up."""
    base = f"http://127.0.0.1:{simulator_port}"
    apps = {
        name: {"platform": platform, "app_id": app_id, "secret": APP_SECRET, "api_base": base}
        for name, platform, app_id in APPS.values()
    }
    token = {"name": "ops", "token": ADMIN_TOKEN, "scopes": ["read", "revoke"]}
    return {
        "environment": "development",
        "server": {
            "listen": f"127.0.0.1:{port}",
            "workers": 1,
            "timeouts": {"shutdown": "2s"},
        },
        "admin": {"listen": f"127.0.0.1:{admin_port}", "tokens": [token]},
        "apps": apps,
        "upstreams": {
            name: {"targets": [f"http://127.0.0.1:{each}"]} for name, each in services.items()
        },
        "routes": [
            {"path": "/public/", "upstream": "main", "session": "none"},
            {"path": "/opt/", "upstream": "main", "session": "optional"},
            {"path": "/api/", "upstream": "main", "session": "required", "strip_prefix": "/api"},
            {"path": "/admin/", "upstream": "admin", "session": "required"},
        ],
        "logs": {"access": "./access.log", "format": "json", "level": "debug"},
    }


def _fill_ports(text: str, services: Mapping[str, int]) -> str:
    """Put the services' addresses where settings name them: `@MAIN@`, `@ADMIN@`."""
    for name, port in services.items():
        text = text.replace(f"@{name.upper()}@", f"127.0.0.1:{port}")
    return text


def _merge(base: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Lay changes over settings; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[name] = _merge(old, value)
        else:
            merged[name] = value
    return merged


@contextlib.contextmanager
def _running(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        cwd=folder,
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=_collect, args=(process.stdout, said), daemon=True)
    reader.start()
    try:
        _await_ready(process, said)
        yield process, said
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        process.stdout.close()


def _collect(stream: IO[str], said: list[str]) -> None:
    with contextlib.suppress(ValueError):  # closed beside us
        for line in stream:
            said.append(line)  # noqa: PERF402 - line by line, as they come


def _await_ready(process: subprocess.Popen[str], said: list[str]) -> None:
    deadline = time.monotonic() + READY_S
    while not any("listens on" in line for line in said):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not start: {''.join(said)}")
        time.sleep(0.02)
