"""`gateway dev`: what it needs, what it starts, and the lines it prints."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from gateway.clock import now
from gateway.dev import UnfitError, banner, run_dev, simulated_apps
from gateway.loader import load
from gateway.settings import Settings
from tests.support.commands import TOP, free_ports
from tests.support.raw import ask


def development(folder: Path, changes: Mapping[str, object] | None = None) -> Settings:
    """The repository's own gateway.yaml on free ports, with changes at the top."""
    text = (TOP / "gateway.yaml").read_text()
    for port, free in zip(("8080", "8081", "8090", "8091"), free_ports(4), strict=True):
        text = text.replace(f":{port}", f":{free}")
    settings = yaml.safe_load(text) | dict(changes or {})
    (folder / "gateway.yaml").write_text(yaml.safe_dump(settings))
    return load(folder / "gateway.yaml", {}).settings


async def test_it_runs_all_three_and_ends_them(tmp_path: Path) -> None:
    """Twice in one place: nothing is left behind on the ports."""
    settings = development(tmp_path, {"logs": {"access": "off"}})
    port = settings.server.listen.port or 0
    for _ in range(2):
        async with run_dev(settings, now) as text:
            assert f"gateway    http://127.0.0.1:{port}" in text
            answer = await ask(port, b"GET /public/x HTTP/1.1\r\nHost: gw\r\n\r\n")
            assert answer.status == 200
            assert b'"path": "/public/x"' in answer.body
        with pytest.raises(ConnectionError):
            await ask(port, b"")


APP = {"platform": "wechat", "app_id": "wx1", "secret": "development-only"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apps": {"a": APP}}, "api_base"),
        (
            {
                "apps": {
                    "a": {**APP, "api_base": "http://127.0.0.1:1"},
                    "b": {**APP, "app_id": "wx2", "api_base": "http://127.0.0.1:2"},
                }
            },
            "api_base",
        ),
        ({"apps": {"a": {**APP, "api_base": "https://127.0.0.1:1"}}}, "api_base"),
        (
            {
                "upstreams": {"other": {"targets": ["http://127.0.0.1:1"]}},
                "routes": [{"path": "/", "upstream": "other"}],
            },
            "upstream `echo`",
        ),
        (
            {
                "upstreams": {"echo": {"targets": ["https://127.0.0.1:1"]}},
                "routes": [{"path": "/", "upstream": "echo"}],
            },
            "upstream `echo`",
        ),
    ],
)
async def test_settings_it_cannot_run_say_what_is_missing(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    """In words, before anything is started."""
    settings = development(tmp_path, changes)
    with pytest.raises(UnfitError, match=said):
        async with run_dev(settings, now):
            pass


async def test_the_simulator_knows_the_settings_apps(tmp_path: Path) -> None:
    """With their ids, secrets and kinds."""
    apps = simulated_apps(development(tmp_path))
    ids = {(app.platform, app.app_id) for app in apps}
    assert {("baidu", "demo-app-key"), ("kuaishou", "ks0000000000000demo")} < ids
    assert {app.kind for app in apps} == {"mini-program", "mini-game"}
    assert {app.secret for app in apps} == {"development-only"}


def shown(folder: Path, changes: Mapping[str, object]) -> str:
    return banner(development(folder, changes), "http://127.0.0.1:1")


def test_the_banner_has_lines_for_each_platform_once(tmp_path: Path) -> None:
    """A login and a call each; the second WeChat app needs no lines of its own."""
    text = shown(tmp_path, {})
    for platform in ("wechat", "douyin", "baidu", "kuaishou"):
        assert text.count(f"# {platform}\n") == 1
    assert text.count("/login -d app=") == 4
    assert text.count("/api/orders/1 -H") == 4


def test_the_banner_names_addresses_that_can_be_called(tmp_path: Path) -> None:
    """0.0.0.0 is for listening only."""
    text = shown(tmp_path, {"server": {"listen": "0.0.0.0:18080", "workers": 1}})
    assert "gateway    http://127.0.0.1:18080\n" in text
    text = shown(tmp_path, {"server": {"listen": "[::]:18080", "workers": 1}})
    assert "gateway    http://[::1]:18080\n" in text


def test_the_banner_follows_the_settings(tmp_path: Path) -> None:
    """Another path of login, a first route that asks for no session, signs that a shell reads."""
    routes = [
        {"path": "/exact", "upstream": "echo"},
        {"path": "/open/", "upstream": "echo", "session": "none"},
        {"path": "/posts/", "upstream": "echo", "methods": ["POST"]},
        {"path": "/a&b/", "upstream": "echo"},
    ]
    text = shown(tmp_path, {"endpoints": {"login": ["/in/{platform}", "/in"]}, "routes": routes})
    assert "/in -d app=" in text
    assert "/a&b/orders/1' -H" in text, "quoted"


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoints": {"login": None}},
        {"endpoints": {"hosts": ["api.example.com"]}},
        {"server": {"listen": "unix:gw.sock", "workers": 1}},
        {"routes": [{"path": "/open/", "upstream": "echo", "session": "none"}]},
    ],
)
def test_lines_that_would_not_work_are_not_printed(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    """The rest of the banner is."""
    text = shown(tmp_path, changes)
    assert "curl" not in text
    assert "gateway    " in text
    assert "Ctrl-C ends it." in text
