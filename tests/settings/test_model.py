"""The shape of the whole, and the defaults the contract gives (design section 3)."""

import pickle
from pathlib import Path

import pytest

from gateway.settings import build
from gateway.settings.units import Rate

DEFAULTS: list[tuple[str, object]] = [
    ("environment", "development"),
    ("server.workers", "auto"),
    ("server.trusted_proxies", ()),
    ("server.client_ip_header", "x-forwarded-for"),
    ("server.proxy_protocol", False),
    ("server.health_path", None),
    ("server.limits.headers", 32768),
    ("server.limits.target", 8192),
    ("server.limits.body", 104857600),
    ("server.limits.connections", 20000),
    ("server.limits.connections_per_ip", 2000),
    ("server.timeouts.headers", 10.0),
    ("server.timeouts.body_idle", 30.0),
    ("server.timeouts.body_rate", 1024),
    ("server.timeouts.write_idle", 60.0),
    ("server.timeouts.keepalive", 75.0),
    ("server.timeouts.shutdown", 30.0),
    ("server.tls", None),
    ("admin.tokens", ()),
    ("admin.metrics", "open"),
    ("endpoints.hosts", ()),
    ("endpoints.login", ("/login", "/api/v1/registers/{platform}_program/{app_id}")),
    ("endpoints.logout", "/logout"),
    ("endpoints.session", "/session"),
    ("endpoints.decrypt", "/decrypt"),
    ("endpoints.phone", None),
    ("endpoints.auth", "/auth"),
    ("endpoints.jwks", "/.well-known/jwks.json"),
    ("session.lifetime", 30 * 86400.0),
    ("session.max_lifetime", 180 * 86400.0),
    ("session.idle_timeout", 7 * 86400.0),
    ("session.grace", 300.0),
    ("session.cache", 100000),
    ("session.max_per_subject", 10),
    ("session.expose_openid", False),
    ("session.cookie", None),
    ("login.limits.per_ip", Rate(600, 60.0)),
    ("login.limits.per_app", Rate(20000, 60.0)),
    ("login.limits.total", Rate(50000, 60.0)),
    ("login.timeout", 5.0),
    ("login.callback", None),
    ("decrypt.max_age", None),
    ("decrypt.per_session", Rate(60, 60.0)),
    ("identity", None),
    ("apps_dir", None),
    ("reserved.allow", ()),
    ("logs.access", "stdout"),
    ("logs.level", "info"),
]


@pytest.mark.parametrize(("path", "value"), DEFAULTS)
def test_a_default_is_the_contract_s(path: str, value: object) -> None:
    """What is left out means what the contract says."""
    found: object = build({"environment": "development"})
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


def test_addresses_have_their_defaults() -> None:
    """The store's path counts from the settings file."""
    settings = build({"environment": "development"}, base=Path("/etc/gateway"))
    assert str(settings.server.listen) == "0.0.0.0:8080"
    assert str(settings.admin.listen) == "127.0.0.1:8081"
    assert settings.session.store.path == Path("/etc/gateway/data/gateway.db")


def test_settings_go_to_another_process() -> None:
    """Workers get them from the parent."""
    settings = build({"environment": "development", "session": {"signing_keys": ["k" * 32]}})
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


def test_nothing_secret_prints() -> None:
    """Neither the whole nor its dump holds a secret in clear."""
    settings = build(
        {
            "environment": "development",
            "session": {"signing_keys": ["hunter2-" * 5], "store": "redis://:hunter2@r"},
            "apps": {"a": {"platform": "wechat", "app_id": "x", "secret": "hunter2"}},
            "admin": {"tokens": [{"name": "a", "token": "hunter2-" * 3, "scopes": ["read"]}]},
        }
    )
    assert "hunter2" not in repr(settings) + str(settings)
    assert "hunter2" not in str(settings.model_dump(exclude={"session": {"store"}}))
