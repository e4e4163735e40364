"""A whole gateway for tests: real settings file, real sockets, the simulator, a raw upstream."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml

from gateway.app import Gateway
from gateway.clock import Clock, now
from gateway.loader import load
from gateway.settings import Settings
from gateway.simulator.app import build_simulator
from gateway.simulator.server import start
from gateway.simulator.world import SimulatedApp
from tests.support.raw import Message, RawUpstream, ask

ADMIN_TOKEN = "admin-token-for-tests"
APPS: dict[str, dict[str, object]] = {
    "shop-wechat": {"platform": "wechat", "app_id": "wxshop"},
    "game-wechat": {"platform": "wechat", "app_id": "wxgame", "kind": "mini-game"},
    "shop-douyin": {"platform": "douyin", "app_id": "ttshop"},
    "game-douyin": {"platform": "douyin", "app_id": "ttgame", "kind": "mini-game"},
    "shop-baidu": {"platform": "baidu", "app_key": "bdshop"},
    "new-baidu": {"platform": "baidu", "app_key": "bdnew", "api": "v2"},
    "shop-kuaishou": {"platform": "kuaishou", "app_id": "ksshop"},
    "game-kuaishou": {"platform": "kuaishou", "app_id": "ksgame", "kind": "mini-game"},
}
APP_SECRET = "app-secret-for-tests"
ROUTES: list[dict[str, object]] = [
    {"path": "/api/", "upstream": "main", "session": "required", "strip_prefix": "/api"},
    {"path": "/orders/", "upstream": "main", "session": "required"},
    {"path": "/guest/", "upstream": "main", "session": "required", "anonymous": True},
    {"path": "/opt/", "upstream": "main", "session": "optional"},
    {"path": "/public/", "upstream": "main", "session": "none"},
    {"path": "/wechat/", "upstream": "main", "platforms": ["wechat"]},
    {"path": "/shop/", "upstream": "main", "apps": ["shop-wechat"]},
    {"path": "/hello.txt", "session": "none", "respond": {"body": "hello\n"}},
]


def settings_of(upstream_port: int, simulator_url: str) -> dict[str, object]:
    """The settings most tests run with, as the mapping that is written to the file."""
    apps = {
        name: {**app, "secret": APP_SECRET, "api_base": simulator_url} for name, app in APPS.items()
    }
    return {
        "environment": "development",
        "server": {"listen": "127.0.0.1:0", "workers": 1, "timeouts": {"shutdown": "2s"}},
        "admin": {
            "listen": "127.0.0.1:0",
            "tokens": [{"name": "ops", "token": ADMIN_TOKEN, "scopes": ["read", "revoke"]}],
        },
        "apps": apps,
        "upstreams": {"main": {"targets": [f"http://127.0.0.1:{upstream_port}"]}},
        "routes": ROUTES,
        "logs": {"access": "./access.log", "format": "json"},
    }


def merge(base: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Lay changes over settings; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        merged[name] = merge(old, value) if both and isinstance(old, dict) else value  # type: ignore[arg-type] # both says so
    return merged


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that serves, and what stands around it."""

    gateway: Gateway
    settings: Settings
    upstream: RawUpstream
    simulator_url: str
    folder: Path

    @property
    def port(self) -> int:
        return self.gateway.listener.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.admin.port}"

    async def simulate(self, what: str, **fields: object) -> dict[str, object]:
        """Ask the simulator: `codes`, `faults`, `encrypt`."""
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.simulator_url}/_sim/{what}", json=fields) as response,
        ):
            assert response.status == 200, await response.text()
            answer: dict[str, object] = await response.json()
            return answer

    async def code(self, app: str = "shop-wechat", user: str = "alice") -> str:
        """A fresh login code."""
        return str((await self.codes(app, user))["code"])

    async def codes(self, app: str = "shop-wechat", user: str = "alice") -> dict[str, object]:
        """All the simulator gives for a login: code, openid, anonymous_code."""
        chosen = self.settings.apps[app]
        return await self.simulate(
            "codes", platform=chosen.platform, app_id=chosen.app_identifier, user=user
        )

    async def login(self, app: str = "shop-wechat", user: str = "alice") -> str:
        """Log in and return the token."""
        answer = await self.post("/login", {"app": app, "code": await self.code(app, user)})
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["token"])

    async def post(self, path: str, fields: object, *headers: str) -> Message:
        """POST JSON on a fresh connection."""
        body = json.dumps(fields).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: gw", "Content-Type: application/json", *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n"
        return await ask(self.port, head.encode() + body)

    async def get(self, path: str, *headers: str, method: str = "GET") -> Message:
        """Send a request without a body on a fresh connection."""
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: gw", *headers]) + "\r\n\r\n"
        return await ask(self.port, head.encode("latin-1"), of=method)

    def log_text(self) -> str:
        """The access log so far, of all requests that have ended, as it stands in its file."""
        if self.gateway.access_log is not None:
            self.gateway.access_log.flush()
        return (self.folder / "access.log").read_text()

    def log_lines(self) -> list[dict[str, object]]:
        """The same, line by line."""
        return [json.loads(line) for line in self.log_text().splitlines()]


@asynccontextmanager
async def run_gateway(
    folder: Path, changes: Mapping[str, object] | None = None, clock: Clock = now
) -> AsyncIterator[RunningGateway]:
    """Run a gateway between a simulator and a raw upstream; `changes` are laid over the settings.

    A second run in the same folder is a restart: same store, same keys.
    """
    upstream = RawUpstream()
    await upstream.start()
    simulated = [
        SimulatedApp(
            platform=str(app["platform"]),
            app_id=str(app.get("app_id") or app.get("app_key")),
            secret=APP_SECRET,
            kind="mini-game" if app.get("kind") == "mini-game" else "mini-program",
            is_bound=name == "shop-wechat",
        )
        for name, app in APPS.items()
    ]
    simulator = await start(build_simulator(simulated, clock), "127.0.0.1", 0)
    try:
        path = folder / "gateway.yaml"
        written = merge(settings_of(upstream.port, simulator.url), changes or {})
        path.write_text(yaml.safe_dump(written))
        settings = load(path, {}).settings
        async with Gateway(settings, clock) as gateway:
            yield RunningGateway(gateway, settings, upstream, simulator.url, folder)
    finally:
        await upstream.close()
        await simulator.close()


def problem(answer: Message) -> dict[str, object]:
    """Read a refusal and check that header and body agree."""
    assert answer.value("Content-Type") == "application/problem+json"
    body: dict[str, object] = json.loads(answer.body)
    assert body["code"] == answer.value("X-Gateway-Error")
    assert body["status"] == answer.status
    assert body["request_id"] == answer.value("X-Request-Id")
    return body
