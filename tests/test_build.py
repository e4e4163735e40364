"""Settings become parts: each value arrives where it acts."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from gateway.build import (
    build_admin_tokens,
    build_admission_limits,
    build_apps,
    build_protocol_limits,
    build_proxy_limits,
    build_router,
    build_sessions,
    build_store,
    build_trust,
    cookie_name,
)
from gateway.clock import now
from gateway.errors import GatewayError
from gateway.loader import load
from gateway.routing import Route
from gateway.settings import Settings
from gateway.target import parse
from tests.support.gateway import merge, run_gateway, settings_of


def settings(folder: Path, changes: Mapping[str, object] | None = None) -> Settings:
    """The tests' usual settings with changes."""
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(merge(settings_of(9000, "http://127.0.0.1:9"), changes or {})))
    return load(path, {}).settings


def route(built: Settings, path: str, method: str = "GET", host: str = "gw") -> Route:
    return build_router(built).match(host, parse(path, 8192), method)


def test_limits_and_times_arrive(tmp_path: Path) -> None:
    """In bytes and seconds, where they are enforced."""
    built = settings(
        tmp_path,
        {
            "server": {
                "limits": {
                    "headers": "16KiB",
                    "target": "4KiB",
                    "body": "1MiB",
                    "connections": 10,
                    "connections_per_ip": 5,
                },
                "timeouts": {
                    "headers": "1s",
                    "keepalive": "2s",
                    "body_idle": "3s",
                    "write_idle": "4s",
                },
            }
        },
    )
    admission = build_admission_limits(built)
    assert (admission.headers_bytes, admission.target_bytes) == (16384, 4096)
    protocol = build_protocol_limits(built)
    assert (protocol.headers_bytes, protocol.target_bytes) == (16384, 4096)
    assert (protocol.headers_s, protocol.keepalive_s) == (1, 2)
    assert (protocol.connections, protocol.connections_per_ip) == (10, 5)
    assert build_proxy_limits(built).body_bytes == 2**20
    assert build_proxy_limits(built).body_idle_s == 3


def test_trust_arrives(tmp_path: Path) -> None:
    """Networks and the header."""
    changes = {"server": {"trusted_proxies": ["10.0.0.0/8"], "client_ip_header": "x-real-ip"}}
    trust = build_trust(settings(tmp_path, changes))
    assert trust.is_trusted("10.1.2.3")
    assert not trust.is_trusted("11.1.2.3")
    fields = ((b"X-Real-IP", b"1.2.3.4"), (b"X-Forwarded-For", b"5.6.7.8"))
    assert trust.client("10.1.2.3", "http", fields).address == "1.2.3.4"


def test_a_route_arrives_whole(tmp_path: Path) -> None:
    """Each setting of it; what is left out keeps the wider value."""
    one = {
        "path": "/a/",
        "host": "api.example.com",
        "methods": ["POST"],
        "upstream": "main",
        "session": "optional",
        "anonymous": True,
        "apps": ["shop-wechat"],
        "platforms": ["wechat"],
        "strip_prefix": "/a",
        "allow": ["semicolon"],
        "ticket": True,
        "limits": {"body": "1KiB"},
        "timeouts": {"first_byte": "1s", "idle": "2s", "stream_idle": "3s"},
    }
    other = {"path": "/b", "upstream": "main"}
    built = settings(tmp_path, {"routes": [one, other]})
    assert route(built, "/a/x", "POST", "api.example.com") == Route(
        path="/a/",
        host="api.example.com",
        methods=frozenset({"POST"}),
        upstream="main",
        session="optional",
        anonymous=True,
        apps=frozenset({"shop-wechat"}),
        platforms=frozenset({"wechat"}),
        strip_prefix="/a",
        allow=frozenset({"semicolon"}),
        ticket=True,
        body_bytes=1024,
        first_byte_s=1,
        idle_s=2,
        stream_idle_s=3,
    )
    assert route(built, "/b") == Route(path="/b", upstream="main")


def test_a_fixed_answer_arrives(tmp_path: Path) -> None:
    """Text or a file, with its status and type."""
    (tmp_path / "verify.html").write_bytes(b"<p>\xff")
    routes = [
        {"path": "/t", "session": "none", "respond": {"status": 410, "body": "gone"}},
        {
            "path": "/f",
            "session": "none",
            "respond": {"file": "verify.html", "content_type": "text/html"},
        },
    ]
    built = settings(tmp_path, {"routes": routes})
    text, file = route(built, "/t").respond, route(built, "/f").respond
    assert text is not None
    assert (text.status, text.body) == (410, b"gone")
    assert file is not None
    assert (file.headers, file.body) == ((("Content-Type", "text/html"),), b"<p>\xff")


async def test_the_health_path_is_public(tmp_path: Path) -> None:
    """200 for a load balancer, on any host, without a session; only GET and HEAD."""
    changes = {
        "server": {"health_path": "/ping"},
        "routes": [{"path": "/", "upstream": "main"}],
        "endpoints": {"hosts": ["api.example.com"]},
    }
    async with run_gateway(tmp_path, changes) as running:
        answer = await running.get("/ping")
        assert (answer.status, answer.body) == (200, b"ok\n")
        assert answer.value("Cache-Control") == "no-store"
        assert (await running.get("/ping", method="HEAD")).status == 200
        assert (await running.get("/ping", method="POST")).status == 405
        assert running.upstream.requests == []


def test_apps_arrive_as_platforms_need_them(tmp_path: Path) -> None:
    """Baidu's App Key is its app id; an app's own time-out wins."""
    changes = {
        "login": {"timeout": "4s"},
        "apps": {
            "shop-wechat": {"timeout": "1s", "next_secret": "next", "unionid": "off"},
            "new-baidu": {"proxy": "http://10.0.0.1:3128"},
        },
    }
    apps = {app.name: app for app in build_apps(settings(tmp_path, changes))}
    wechat, baidu = apps["shop-wechat"], apps["new-baidu"]
    assert (wechat.app_id, wechat.timeout_s, wechat.keeps_unionid) == ("wxshop", 1, False)
    assert (wechat.secret, wechat.next_secret) == ("app-secret-for-tests", "next")
    assert (baidu.app_id, baidu.timeout_s, baidu.api) == ("bdnew", 4, "v2")
    assert (baidu.proxy, baidu.next_secret) == ("http://10.0.0.1:3128", None)
    assert apps["game-douyin"].kind == "mini-game"
    assert "app-secret-for-tests" not in repr(apps)


async def test_sessions_are_built_over_the_store_given(tmp_path: Path) -> None:
    """Keys and policy from the settings; nothing is open yet."""
    built = settings(tmp_path)
    sessions = build_sessions(built, now, build_store(built, now))
    with pytest.raises(GatewayError) as refused:
        await sessions.check_ready()
    assert refused.value.code == "store_unavailable"
    await sessions.open()
    await sessions.check_ready()
    await sessions.close()


def test_admin_tokens_arrive(tmp_path: Path) -> None:
    """Name, token and scopes."""
    tokens = build_admin_tokens(settings(tmp_path))
    holder = tokens.identify("Bearer admin-token-for-tests")
    holder.check("revoke")
    assert holder.name == "ops"
    with pytest.raises(GatewayError):
        holder.check("write")


def test_without_a_cookie_there_is_no_name_for_one(tmp_path: Path) -> None:
    """This version keeps none."""
    assert cookie_name(settings(tmp_path)) is None


def test_the_bounds_of_bodies_come_from_the_settings(tmp_path: Path) -> None:
    """Each of them, so that none is a word only."""
    limits = {"limits": {"body": "2MiB"}}
    timeouts = {"timeouts": {"body_idle": "7s", "body_rate": "3KiB", "write_idle": "8s"}}
    built = build_proxy_limits(settings(tmp_path, {"server": {**limits, **timeouts}}))
    assert (built.body_bytes, built.body_idle_s) == (2 * 1024**2, 7.0)
    assert (built.body_rate_bytes, built.write_idle_s) == (3072, 8.0)
