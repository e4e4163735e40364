"""What the commands and the settings' refusals say of secrets, wherever in a file those stand."""

import copy
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from click.testing import CliRunner

from gateway.cli import main
from gateway.settings.findings import Loc
from tests.attack.leakage_search import Output
from tests.attack.leakage_world import environment_of
from tests.attack.rows.x_reading import said
from tests.support.commands import environment

_COMMAND_S = 30.0
_SERVE_S = 4.0
_MISPLACED = ("app secret", "encryption key", "admin token")
"""A text of letters and digits, base64, and one that an operator has chosen."""


def _settings(markers: Mapping[str, str]) -> dict[str, object]:
    """Settings that have something of everything, secrets in plain text."""
    app = {"platform": "wechat", "app_id": "wxone", "secret": markers["app secret"]}
    return {
        "environment": "production",
        "server": {
            "listen": "127.0.0.1:0",
            "workers": 1,
            "trusted_proxies": ["10.0.0.0/8"],
            "client_ip_header": "x-real-ip",
            "limits": {"headers": "32KiB", "connections": 100},
            "timeouts": {"headers": "10s"},
        },
        "admin": {
            "listen": "127.0.0.1:0",
            "tokens": [{"name": "ops", "token": markers["admin token"], "scopes": ["read"]}],
            "metrics": "open",
        },
        "endpoints": {"login": ["/login"], "logout": "/logout", "hosts": ["gw.test"]},
        "session": {
            "signing_keys": [markers["signing key"], markers["old signing key"]],
            "encryption_keys": [markers["encryption key"]],
            "store": f"redis://user:{markers['store password']}@127.0.0.1:1/0",
            "lifetime": "30d",
            "cache": 100,
            "expose_openid": False,
        },
        "login": {"limits": {"per_ip": "600/1m"}, "timeout": "5s"},
        "apps": {"one": {**app, "next_secret": markers["next secret"], "unionid": True}},
        "upstreams": {"main": {"targets": ["http://10.0.0.1:9000"], "balance": "round_robin"}},
        "routes": [{"path": "/a/", "upstream": "main", "methods": ["GET"], "session": "required"}],
        "logs": {"access": "stdout", "format": "json", "level": "debug"},
    }


# -- settings -------------------------------------------------------------------------------------


def _places(value: object, loc: Loc = ()) -> Iterator[Loc]:
    """List every mapping entry and list entry."""
    entries: list[tuple[str | int, object]] = []
    if isinstance(value, dict | list):
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, entry in entries:
        yield (*loc, key)
        yield from _places(entry, (*loc, key))


def _changed(settings: Mapping[str, object], loc: Loc, value: object) -> dict[str, object]:
    changed = copy.deepcopy(dict(settings))
    above: object = changed
    for key in loc[:-1]:
        above = above[key]  # type: ignore[index] # the place was found there
    above[loc[-1]] = value  # type: ignore[index] # the place was found there
    return changed


def _wrong(markers: Mapping[str, str]) -> Iterator[str]:
    """Settings with a secret in every place: as the value, within one, as a key, in a reference."""
    good = _settings(markers)
    for number, loc in enumerate(_places(good)):
        secret = markers[_MISPLACED[number % len(_MISPLACED)]]
        values = (secret, [secret], {secret: 1}, {"value": secret}, f"x:{secret}")
        yield from (yaml.safe_dump(_changed(good, loc, value)) for value in values)
        if isinstance(loc[-1], str):
            yield yaml.safe_dump(_changed(good, (*loc[:-1], markers["app secret"]), "x"))
            yield yaml.safe_dump(_changed(good, (*loc[:-1], "unknown"), markers["app secret"]))
    yield from _broken(yaml.safe_dump(good), markers)


def _broken(text: str, markers: Mapping[str, str]) -> Iterator[str]:
    """YAML that breaks on a secret's own line."""
    for name in (*_MISPLACED, "signing key", "next secret", "store password"):
        secret = markers[name]
        for wrong in (
            *(
                f"*{secret}",
                f"&{secret}",
                f"!{secret}",
                f"!!{secret} x",
                f"@{secret}",
                f"`{secret}",
            ),
            *(
                f'"{secret}',
                f"'{secret}",
                f"%{secret}",
                f"[{secret}",
                f"{{{secret}",
                f"{secret}: x: y",
            ),
            *(
                f"|{secret}",
                f">{secret}",
                f"\t{secret}",
                f"{secret}\0",
                f'"{secret}\\q"',
                f"- {secret}",
            ),
            *(
                f"${{{secret}",
                f"${{{secret}}}",
                f"${{X:{secret}}}",
                f"{secret}\n  {secret}: {secret}",
            ),
            *(
                f"? {secret}",
                f"<<: {secret}",
                f'"\\U{secret}"',
                f"{{env: {secret}}}",
                f"{{file: {secret}}}",
            ),
        ):
            # In a file's place the secret is a path, in a variable's a name: those are shown, as
            # nothing could be mended without them.
            if not wrong.startswith(("{env", "{file", "${")):
                yield text.replace(secret, wrong, 1)


def refusals(markers: Mapping[str, str]) -> Iterator[Output]:
    """Load settings with secrets in every wrong place: what is said of each."""
    for text in _wrong(markers):
        words, _ = said(text, {})
        yield Output("a refusal of settings", words.encode())


# -- commands -------------------------------------------------------------------------------------


def _commands(markers: Mapping[str, str], taken: int) -> Iterator[tuple[str, list[str], object]]:
    good = _settings(markers)
    sqlite = _changed(good, ("session", "store"), "sqlite:data/gateway.db")
    token, openid = f"gw1.{markers['session_key']}", markers["openid"]
    whom = ["wechat", "one", openid]
    yield "check, the store away", ["check"], good
    yield "check", ["check"], sqlite
    yield "check, refused", ["check"], _changed(good, ("server", "workers"), markers["app secret"])
    yield "serve, the store away", ["serve"], good
    yield "serve, refused", ["serve"], _changed(good, ("session", "cache"), markers["app secret"])
    yield (
        "serve, a port that is taken",
        ["serve"],
        _changed(sqlite, ("server", "listen"), f"127.0.0.1:{taken}"),
    )
    explain = ["explain", "GET", "/a/x", "-H", "Host: gw.test", "-H"]
    yield "explain, a token", [*explain, f"Authorization: Bearer {token}"], sqlite
    two = ["-H", f"X-Session-Token: {token}", "-H", "Authorization: Bearer gw1.x"]
    yield "explain, two tokens", [*explain[:-1], *two], good
    yield "explain, the store away", [*explain, f"X-Session-Token: {token}"], good
    yield "sessions list", ["sessions", "list"], sqlite
    yield "sessions list, the store away", ["sessions", "list", "--openid", openid], good
    yield "sessions revoke", ["sessions", "revoke", *whom], sqlite
    yield "sessions revoke a token", ["sessions", "revoke", token], sqlite
    yield "sessions block", ["sessions", "block", *whom, "--reason", openid], sqlite
    yield "sessions block, the store away", ["sessions", "block", *whom], good
    yield "sessions unblock", ["sessions", "unblock", *whom], sqlite
    yield "keygen", ["keygen"], good
    yield "dev, in production", ["dev"], good


def _run(markers: Mapping[str, str], words: list[str], settings: object) -> bytes:
    """Run a command: those that start others as a process of its own, the rest in this one."""
    with tempfile.TemporaryDirectory(prefix="leakage-") as folder:
        path = Path(folder, "gateway.yaml")
        path.write_text(yaml.safe_dump(settings))
        if words[0] == "serve":
            return _run_process(markers, words, folder)
        result = CliRunner().invoke(main, [*words, "-c", str(path)] if _reads(words) else words)
        error = result.exception
        is_fault = error is not None and not isinstance(error, SystemExit)
        trace = "".join(traceback.format_exception(error)) if is_fault else ""
        return (result.output + trace).encode()


def _reads(words: list[str]) -> bool:
    return words[0] != "keygen"


def _run_process(markers: Mapping[str, str], words: list[str], folder: str) -> bytes:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-m", "gateway", *words],
        cwd=folder,
        env=environment(environment_of(markers)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        return process.communicate(timeout=_SERVE_S)[0]
    except subprocess.TimeoutExpired:  # it serves: with its store away, too
        process.terminate()
        return process.communicate(timeout=_COMMAND_S)[0]


def run_commands(markers: dict[str, str]) -> list[Output]:
    """Run them all: what they said."""
    markers["a token on the command line"] = f"gw1.{markers['session_key']}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        commands = list(_commands(markers, taken.getsockname()[1]))
        return [Output(name, _run(markers, words, given)) for name, words, given in commands]
