"""The gateways that are measured: settings that load, and what their metrics tell."""

import base64
from pathlib import Path

import yaml

from bench.machine import Cores
from bench.stores.own import Keys, Setting, calls_of, settings_of
from gateway.loader import load

KEYS = Keys("s" * 40, base64.b64encode(b"e" * 32).decode())
METRICS = """
# TYPE gateway_session_store_calls_total counter
gateway_session_store_calls_total{call="get",outcome="ok"} 12.0
gateway_session_store_calls_total{call="get",outcome="store_unavailable"} 3.0
gateway_session_store_calls_total{call="touch",outcome="ok"} 1.5e+03
gateway_sessions_created_total{app="bench",platform="wechat"} 7.0
"""


def test_the_settings_are_taken(tmp_path: Path) -> None:
    """Every default but for the login limits, with a simulator and without."""
    store = f"sqlite:{tmp_path / 'gateway.db'}"
    setting = Setting(Cores(0, 1, 1, (0, 1), (0, 1)), tmp_path, store, KEYS, 9000)
    for simulator_port in (None, 9001):
        path = tmp_path / "gateway.yaml"
        path.write_text(settings_of(setting, (8080, 8081), simulator_port))
        settings = load(path, {}).settings
        assert settings.session.store.url == store
        per_ip = settings.login.limits.per_ip
        assert per_ip is not None
        assert per_ip.requests > 10**8
        assert set(yaml.safe_load(path.read_text())["session"]) == {
            "signing_keys",
            "encryption_keys",
            "store",
        }


def test_only_calls_of_the_store_are_read() -> None:
    """Those that succeeded, by name."""
    assert calls_of(METRICS) == {"get": 12, "touch": 1500}


def test_keys_are_not_shown() -> None:
    """Not even those of a benchmark."""
    assert KEYS.signing not in repr(KEYS)
