"""Python's peers: ours with every default on, and aiohttp's naive proxy."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import yaml

from bench.peers.base import Peer, Place, SkippedError, python_env
from bench.process import Program


@dataclass(frozen=True, slots=True)
class Change:
    """Where a part of the benchmark leaves the defaults; None: it does not."""

    workers: int = 1
    connections: int | None = None


DEFAULTS = Change()


def gateway_settings(place: Place, change: Change) -> dict[str, object]:
    """Return the settings: every default, a session required, the access log in a file."""
    upstream: dict[str, object] = {"targets": [f"http://127.0.0.1:{place.origin_port}"]}
    if change.connections is not None:
        upstream["connections"] = change.connections
    return {
        "environment": "development",
        "server": {"listen": f"127.0.0.1:{place.port}", "workers": change.workers},
        "admin": {"listen": f"127.0.0.1:{place.spare_port()}"},
        "session": {
            "signing_keys": [place.sessions.signing_key],
            "encryption_keys": [place.sessions.encryption_key],
            "store": f"sqlite:{place.sessions.store}",
        },
        "upstreams": {"origin": upstream},
        "routes": [{"path": "/bench/", "upstream": "origin", "session": "required"}],
        "logs": {"access": str(place.folder / "access.log"), "format": "json"},
    }


def first_problem(said: str) -> str:
    """Return the first line of a refusal, without the file it stands in."""
    first = (said.strip().splitlines() or ["no word"])[0]
    return re.sub(r"^\S+\.yaml:(?:\d+:)? ", "", first)


def gateway(place: Place, cores: tuple[int, ...], change: Change = DEFAULTS) -> Program:
    """Return `gateway serve` with these settings, on these cores.

    Raises: SkippedError where this version refuses them.
    """
    path = place.write("gateway.yaml", yaml.safe_dump(gateway_settings(place, change)))
    path.chmod(0o600)
    argv = (sys.executable, "-m", "gateway")
    env = {**os.environ, **python_env()}
    check = [*argv, "check", "-c", str(path)]
    done = subprocess.run(check, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SkippedError(f"`gateway check` refuses it: {first_problem(done.stderr)}")
    return Program((*argv, "serve", "-c", str(path)), cores, python_env())


def _ours(place: Place) -> list[Program]:
    return [gateway(place, (place.cores.proxy,))]


def _naive(place: Place) -> list[Program]:
    ports = (str(place.port), str(place.origin_port))
    argv = (sys.executable, "-m", "bench.peers.naive", *ports)
    return [place.on_proxy_core(*argv, env=python_env())]


OURS = Peer(
    "ours",
    "this gateway, every default on",
    "session check, metrics, request ids, access log to a file",
    _ours,
    keeps_sessions=True,
)
NAIVE = Peer(
    "naive",
    "aiohttp, `Application` and `ClientSession`",
    "what the documentation suggests; no check, no log",
    _naive,
)
