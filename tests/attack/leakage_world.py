"""A gateway whose every secret is a known marker, and what it says while it is asked.

Secrets come by environment and file, as in production. It must not know which faults are injected.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.attack.asking import Told, tell, tell_admin
from tests.attack.leakage_search import Output
from tests.attack.model import Reply, Step
from tests.attack.play import Play, play
from tests.attack.rows.s_stages import ROUTES
from tests.attack.stage import Stage, on_stage

HOST = b"gw.test"
_ECHO = re.compile(rb"[A-Z]+ /\S* HTTP/1\.1\Z")
_DEBUG = {"PYTHONASYNCIODEBUG": "1", "PYTHONFAULTHANDLER": "1", "PYTHONDEVMODE": "1"}


def known_markers() -> dict[str, str]:
    """Give a text for everything that is secret or private: as random as keys, and known."""
    marked = (
        *("app secret", "next secret", "signing key", "old signing key", "admin token"),
        *("store password", "session_key", "openid", "unionid", "idempotency key"),
        *("password", "cookie", "words", "login code", "request body"),
    )
    digests = {name: hashlib.sha256(f"leakage {name}".encode()).digest() for name in marked}
    found = {name: base64.urlsafe_b64encode(each)[:40].decode() for name, each in digests.items()}
    found["phone number"] = "1380000" + str(int.from_bytes(digests["openid"][:4]))
    found["encryption key"] = base64.b64encode(digests["signing key"][::-1]).decode()
    return found


def environment_of(markers: Mapping[str, str]) -> dict[str, str]:
    """The variables that the settings name, and Python's own ways of saying more."""
    named = {f"LEAK_{name.upper().replace(' ', '_')}": text for name, text in markers.items()}
    return {**_DEBUG, **named}


def _from_environment(name: str) -> dict[str, str]:
    return {"env": f"LEAK_{name.upper().replace(' ', '_')}"}


def changes(log_format: str, store: object) -> dict[str, object]:
    """Settings over the usual ones: markers for secrets, and places where nothing works."""
    secret = {
        "secret": _from_environment("app secret"),
        "next_secret": _from_environment("next secret"),
        "timeout": "500ms",
    }
    wechat = {"platform": "wechat", **secret}
    session: dict[str, object] = {
        "signing_keys": [_from_environment("signing key"), _from_environment("old signing key")],
        "encryption_keys": [_from_environment("encryption key")],
        "grace": "0s",
    }
    if store is not None:
        session["store"] = store
    token = {"name": "ops", "token": _from_environment("admin token"), "scopes": ["read", "revoke"]}
    return {
        "admin": {"tokens": [token]},
        "session": session,
        "apps": {
            "shop-wechat": secret,
            "shop-douyin": secret,
            "scripted": {
                **wechat,
                "app_id": "wxscripted",
                "api_base": "http://@MAIN@",
                "timeout": "2s",
            },
            "no-tls": {**wechat, "app_id": "wxnotls", "api_base": "https://@MAIN@"},
            "away": {**wechat, "app_id": "wxaway", "api_base": "http://127.0.0.1:1"},
            "no-name": {**wechat, "app_id": "wxnoname", "api_base": "http://gone.invalid"},
            "no-proxy": {**wechat, "app_id": "wxproxy", "proxy": "http://127.0.0.1:1"},
        },
        "upstreams": {
            "main": {"timeouts": {"first_byte": "500ms"}},
            "gone": {"targets": ["http://127.0.0.1:1"]},
        },
        "routes": [
            *ROUTES,
            {"path": "/gone/", "upstream": "gone", "session": "none"},
            {"path": "/tickets/", "upstream": "main", "ticket": True},
        ],
        "login": {"limits": {"per_ip": None, "per_app": None, "total": None}},
        "logs": {"format": log_format, "level": "debug"},
    }


@dataclass(slots=True)
class World:
    """A gateway that runs, its markers, and all it has said so far."""

    stage: Stage
    markers: dict[str, str]
    outputs: list[Output] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)

    def note(self, fault: str) -> None:
        """Count a fault as injected."""
        self.injected.append(fault)

    def mark(self, name: str, text: str) -> str:
        """Look for this text, too: a token or a code that was made meanwhile."""
        self.markers[f"{name} {len(self.markers)}"] = text
        return text

    def ask(
        self,
        line: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
        may: Sequence[str] = (),
    ) -> Told | None:
        """Ask the public listener; None where there was no answer."""
        self.stage.services["main"].say(())
        with contextlib.suppress(OSError, http.client.HTTPException):
            told = tell(self.stage, line, token=token, body=body, headers=headers)
            # A service's answer repeats its request line: it is told what was sent to it.
            is_ours = not _ECHO.match(told.body)
            self._hear("answer", told if is_ours else replace(told, body=b""), may)
            return told
        return None

    def ask_admin(
        self, line: str, *, token: str | None = None, body: object = None, may: Sequence[str] = ()
    ) -> Told | None:
        """Ask the admin listener, with the good token where none is given."""
        given = self.markers["admin token"] if token is None else token
        with contextlib.suppress(OSError, http.client.HTTPException):
            told = tell_admin(self.stage, line, token=given, body=body)
            self._hear("admin answer", told, may)
            return told
        return None

    def send(self, *steps: Step, replies: Sequence[Reply] = ()) -> bytes:
        """Send bytes as they are; what the service behind answers is scripted."""
        what = Play(steps, (b"GET",), 1, closes=False, replies=replies)
        found = play(self.stage.aim, self.stage.services, what)
        self.outputs.append(Output("an answer to raw bytes", found.raw))
        return found.raw

    def log_in(
        self, code: str, app: str = "scripted", *, reply: Reply | None = None, **more: object
    ) -> str | None:
        """Log in with a marker as code; return the token, which is a marker from now on."""
        recorder = self.stage.services["main"]
        recorder.say([reply] if reply else [])
        key = {"Idempotency-Key": f"{self.markers['idempotency key'][:20]}{secrets.token_hex(4)}"}
        with contextlib.suppress(OSError, http.client.HTTPException):
            body = {"app": app, "code": code, **more}
            told = tell(self.stage, "POST /login", body=body, headers=key)
            return self._keep_token("a login's answer", told)
        return None

    def renew(self, token: str) -> str | None:
        """Renew a session."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._keep_token(
                "a renewal's answer", tell(self.stage, "POST /session/renew", token=token)
            )
        return None

    def _keep_token(self, place: str, told: Told) -> str | None:
        """A client's own token has its place in this answer, and nowhere else."""
        text = told.body
        token = told.document.get("token") if told.status == 200 else None
        if isinstance(token, str):
            text = text.replace(token.encode(), b"")
            self.mark("token", token)
        self.outputs.append(Output(place, text + json.dumps(told.headers).encode()))
        return token if isinstance(token, str) else None

    def _hear(self, place: str, told: Told, may: Sequence[str]) -> None:
        data = json.dumps(told.headers).encode() + told.body
        self.outputs.append(Output(f"{place}, {told.status}", data, frozenset(may)))

    def hear_all(self) -> None:
        """Take what is written by now: streams, access log, and every file in the folder."""
        self.outputs.append(Output("the streams", "".join(self.stage.said).encode()))
        for path in sorted(self.stage.folder.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(self.stage.folder))
                self.outputs.append(Output(f"the file {name}", path.read_bytes(), _may_hold(name)))


def _may_hold(name: str) -> frozenset[str]:
    """The store knows who somebody is; nothing else may know anything."""
    is_store = name.startswith("data/gateway.db")
    return frozenset({"openid", "unionid"}) if is_store else frozenset()


@contextlib.contextmanager
def running(log_format: str, store: object, markers: dict[str, str]) -> Iterator[World]:
    """Run the gateway until the block ends, and hear its last words."""
    env = environment_of(markers)
    world: World | None = None
    with on_stage("leakage", changes(log_format, store), HOST, env) as stage:
        world = World(stage, markers)
        for person in stage.people.values():
            world.mark("token", person.token)
        yield world
        world.hear_all()
        said = stage.said
    world.outputs.append(Output("the last words", "".join(said).encode()))
