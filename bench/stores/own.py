"""`gateway serve` with one worker over a given store, its simulator, and its service: for a part.

It must not know what is asked of them.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import yaml

from bench.machine import Cores
from bench.peers.base import SMALL_PATH, python_env
from bench.process import Program, free_port, running, wait_ready

APP_ID = "wx00000000000bench"
_ANY = "999999999/1m"
"""A login limit that limits nothing: all logins come from one address here."""
_CALLS = re.compile(r'gateway_session_store_calls_total\{call="(\w+)",outcome="ok"\} ([\d.e+]+)')


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs tokens and seals records; all gateways of one store have the same."""

    signing: str = field(repr=False)
    encryption: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the gateways of one store share: cores, a folder, the store, keys, the service."""

    cores: Cores
    folder: Path
    store: str
    keys: Keys
    origin_port: int


@dataclass(frozen=True, slots=True)
class Ours:
    """A gateway that serves."""

    port: int
    admin_port: int
    pid: int

    def store_calls(self) -> dict[str, int]:
        """Return how often each call of the store has succeeded so far, in all its processes."""
        with urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as page:
            return calls_of(page.read().decode())


def calls_of(metrics: str) -> dict[str, int]:
    """Read the store's calls out of a scrape, by name."""
    return {name: int(float(value)) for name, value in _CALLS.findall(metrics)}


def settings_of(setting: Setting, ports: tuple[int, int], simulator_port: int | None) -> str:
    """Return a settings file: every default, but for the login limits."""
    app = {"platform": "wechat", "app_id": APP_ID, "secret": "bench-secret"}
    based = {**app, "api_base": f"http://127.0.0.1:{simulator_port}"}
    settings = {
        "environment": "development",
        "server": {"listen": f"127.0.0.1:{ports[0]}", "workers": 1},
        "admin": {"listen": f"127.0.0.1:{ports[1]}"},
        "session": {
            "signing_keys": [setting.keys.signing],
            "encryption_keys": [setting.keys.encryption],
            "store": setting.store,
        },
        "login": {"limits": {"per_ip": _ANY, "per_app": _ANY, "total": _ANY}},
        "apps": {"bench": app if simulator_port is None else based},
        "upstreams": {"origin": {"targets": [f"http://127.0.0.1:{setting.origin_port}"]}},
        "routes": [
            {"path": "/bench/ready", "upstream": "origin", "session": "none"},
            {"path": "/bench/", "upstream": "origin", "session": "required"},
        ],
        "logs": {"access": "./access.log", "format": "json"},
    }
    return yaml.safe_dump(settings)


@contextmanager
def run_gateway(setting: Setting, simulator_port: int | None = None) -> Iterator[Ours]:
    """Run a gateway on the proxy's core until the block ends. Raises: NotReadyError."""
    folder = Path(tempfile.mkdtemp(prefix="ours-", dir=setting.folder))
    ports = (free_port(), free_port())
    path = folder / "gateway.yaml"
    path.write_text(settings_of(setting, ports, simulator_port))
    path.chmod(0o600)
    argv = (sys.executable, "-m", "gateway", "serve", "-c", str(path))
    log = folder / "gateway.log"
    with running(Program(argv, (setting.cores.proxy,), python_env()), log) as process:
        wait_ready(ports[0], "/bench/ready", {}, process, log)
        yield Ours(*ports, process.pid)


@contextmanager
def run_origin(folder: Path, core: int) -> Iterator[int]:
    """Run a service that answers requests and echoes over WebSockets; yield its port."""
    port, log = free_port(), folder / "origin.log"
    argv = (sys.executable, "-m", "bench.echo", str(port))
    with running(Program(argv, (core,), python_env()), log) as process:
        wait_ready(port, SMALL_PATH, {}, process, log)
        yield port


@contextmanager
def run_simulator(folder: Path, core: int) -> Iterator[int]:
    """Run the platforms' simulator; yield its port."""
    port, log = free_port(), folder / "simulator.log"
    command = ("gateway", "simulate", "--any-app", "--listen", f"127.0.0.1:{port}")
    with running(Program((sys.executable, "-m", *command), (core,), python_env()), log) as process:
        wait_ready(port, "/_sim/calls", {}, process, log)
        yield port
