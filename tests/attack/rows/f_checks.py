"""F1, F4, F5: limits and the log go by the address that is believed, never by one claimed."""

import json
import time
from collections.abc import Iterable, Iterator

from tests.attack.model import Check, Entry
from tests.attack.rows.f_names import ADDRESS_NAMES, spellings
from tests.attack.rows.route_stages import FEW_LOGINS
from tests.attack.stage import Stage, ask

_LOG_S = 5.0
_PEER = "127.0.0.1"
_RUBBISH = ("a", "1.2.3", "unknown", "_hidden", '"[::1]:80"', "0177.0.0.1", "2130706433", "::1%lo")


def _log_tells_the_peer(stage: Stage) -> list[str]:
    """Each line of the log says who connected."""
    asked = {}
    for number, name in enumerate(spellings(ADDRESS_NAMES)):
        path = f"/public/log-{number}"
        asked[path] = name.decode()
        _ask(stage, "GET", path, {name.decode(): "203.0.113.66"})
    told = _clients(stage, asked)
    return [
        f"{name}: the log says {told.get(path, 'nothing')}"
        for path, name in asked.items()
        if told.get(path) != _PEER
    ]


def _log_tells_the_client(stage: Stage) -> list[str]:
    """Behind a trusted proxy, the client that it names."""
    _ask(stage, "GET", "/public/log-named", {"X-Forwarded-For": "127.0.0.1, 203.0.113.66"})
    _ask(stage, "GET", "/public/log-rubbish", {"X-Forwarded-For": "203.0.113.66, unknown"})
    wanted = {"/public/log-named": "203.0.113.66", "/public/log-rubbish": _PEER}
    told = _clients(stage, wanted)
    return [] if told == wanted else [f"the log says {told}"]


def _clients(stage: Stage, paths: Iterable[str]) -> dict[str, str]:
    """Whom the log names for these paths; it is written behind the request's back."""
    wanted = set(paths)
    deadline = time.monotonic() + _LOG_S
    while True:
        text = (stage.folder / "access.log").read_text()
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        found = {line["path"]: line["client"] for line in lines if line["path"] in wanted}
        if set(found) == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _a_stranger_has_one_limit(stage: Stage) -> list[str]:
    """However many addresses he claims, in whatever spelling."""
    names = [name.decode() for name in spellings(ADDRESS_NAMES)]
    headers = [{name: f"203.0.113.{number}"} for number, name in enumerate(names)]
    return [] if 429 in _logins(stage, headers) else ["no login was one too many"]


def _rubbish_has_the_peers_limit(stage: Stage) -> list[str]:
    """F5: what cannot be read is the peer's own, not nobody's."""
    name = _header(stage)
    headers = [{name: value} for value in _RUBBISH * 2]
    return [] if 429 in _logins(stage, headers) else ["no login was one too many"]


def _named_clients_have_their_own(stage: Stage) -> list[str]:
    """A trusted proxy's clients do not pay for each other."""
    name = _header(stage)
    headers = [{name: f"203.0.113.{number}"} for number in range(3 * FEW_LOGINS)]
    return ["a first login was refused"] if 429 in _logins(stage, headers) else []


def _header(stage: Stage) -> str:
    return "X-Wx-Client-Ip" if stage.name == "behind-real-ip" else "X-Forwarded-For"


def _logins(stage: Stage, headers: Iterable[dict[str, str]]) -> list[int]:
    """Try to log in with nothing, once for each; what is wrong with it is seen after the limit."""
    return [_ask(stage, "POST", "/login", each) for each in headers]


def _ask(stage: Stage, method: str, path: str, headers: dict[str, str]) -> int:
    said = {"Host": stage.host.decode(), "Content-Type": "application/json", **headers}
    status, _ = ask(stage.port, method, path, said, b"{}" if method == "POST" else b"")
    return status


def entries() -> Iterator[Entry]:
    """List the checks."""
    yield Check(row="F1", title="the log names the peer", run=_log_tells_the_peer)
    yield Check(
        row="F1",
        title="login limits count the peer",
        run=_a_stranger_has_one_limit,
        stage="few-logins",
    )
    for stage in ("behind", "behind-real-ip"):
        yield Check(
            row="F5",
            title=f"login limits of rubbish, {stage}",
            run=_rubbish_has_the_peers_limit,
            stage=stage,
        )
        yield Check(
            row="F4",
            title=f"login limits of named clients, {stage}",
            run=_named_clients_have_their_own,
            stage=stage,
        )
    yield Check(
        row="F4", title="the log names the client", run=_log_tells_the_client, stage="behind"
    )
