"""Rules that concern several settings at once, outside the routes."""

from collections.abc import Callable

import pytest

from gateway.errors import Problem
from gateway.settings import build

Raw = dict[str, object]
Refused = Callable[[Raw], dict[str, Problem]]
Dev = Callable[..., Raw]
WECHAT: Raw = {"platform": "wechat", "app_id": "wx1", "secret": "s"}
BAIDU: Raw = {"platform": "baidu", "app_key": "k1", "secret": "s"}


@pytest.mark.parametrize(
    ("app", "key", "why"),
    [
        ({"platform": "wechat", "secret": "s"}, "app_id", "no id"),
        ({"platform": "baidu", "secret": "s"}, "app_key", "no App Key"),
        ({**BAIDU, "app_id": "1"}, "app_id", "Baidu's App ID is another thing"),
        ({**WECHAT, "app_key": "1"}, "app_key", "only Baidu has one"),
        ({**BAIDU, "kind": "mini-game"}, "kind", "Baidu has no mini-games"),
        ({**WECHAT, "api": "v2"}, "api", "only Baidu has two interfaces"),
        ({"platform": "wechat", "timeout": 5, "secret": "s"}, "app_id", "beside another mistake"),
    ],
)
def test_an_app_has_what_its_platform_needs(
    app: Raw, key: str, why: str, dev: Dev, refused: Refused
) -> None:
    """The problem stands at the key."""
    assert f"apps.a.{key}" in refused(dev(apps={"a": app})), why


def test_an_unknown_platform_is_told_once(dev: Dev, refused: Refused) -> None:
    """What it would need is not guessed."""
    problems = refused(dev(apps={"a": {"platform": "wecat", "secret": "s"}}))
    assert list(problems) == ["apps.a.platform"]


def test_two_apps_are_not_the_same(dev: Dev, refused: Refused) -> None:
    """A login by the platform's id would find either."""
    apps = {"a": WECHAT, "b": {**WECHAT, "secret": "t"}, "c": {**WECHAT, "platform": "douyin"}}
    problems = refused(dev(apps=apps))
    assert list(problems) == ["apps.b.app_id"]
    assert problems["apps.b.app_id"].found == "the app_id of the app 'a'"
    assert list(refused(dev(apps={"a": BAIDU, "b": BAIDU}))) == ["apps.b.app_key"]


def test_production_takes_no_mock_platform(refused: Refused) -> None:
    """A secret would travel in clear, and anybody could answer."""
    raw: Raw = {"apps": {"a": {**WECHAT, "api_base": "http://127.0.0.1:8090"}}}
    assert "apps.a.api_base" in refused(raw)
    build({**raw, "environment": "development"})


def test_the_admin_listener_is_another(dev: Dev, refused: Refused) -> None:
    """The admin API never stands on the public listener; port 0 is any free one."""
    problems = refused(dev(server={"listen": "0.0.0.0:80"}, admin={"listen": "0.0.0.0:80"}))
    assert list(problems) == ["admin.listen"]
    build(dev(server={"listen": "127.0.0.1:0"}, admin={"listen": "127.0.0.1:0"}))


def test_an_admin_token_s_name_is_its_own(dev: Dev, refused: Refused) -> None:
    """The audit log must tell them apart."""
    token: Raw = {"name": "ops", "token": "k" * 16, "scopes": ["read"]}
    assert list(refused(dev(admin={"tokens": [token, token]}))) == ["admin.tokens[1].name"]


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"endpoints": {"logout": "/session"}}, "endpoints.session"),
        ({"endpoints": {"login": ["/login", "/login"]}}, "endpoints.login[1]"),
        ({"server": {"health_path": "/login"}}, "server.health_path"),
    ],
)
def test_endpoints_have_paths_of_their_own(
    parts: Raw, path: str, dev: Dev, refused: Refused
) -> None:
    """One path has one answer."""
    assert list(refused(dev(**parts))) == [path]


def test_a_session_does_not_end_before_its_token(dev: Dev, refused: Refused) -> None:
    """max_lifetime is at least lifetime, also where one of them is a default."""
    assert list(refused(dev(session={"lifetime": "200d"}))) == ["session.max_lifetime"]


@pytest.mark.parametrize(
    ("target", "tls", "path"),
    [
        ("http://a", {"server_name": "a"}, "upstreams.a.tls"),
        ("https://a", {"cert": "c.pem"}, "upstreams.a.tls.key"),
        ("https://a", {"key": "k.pem"}, "upstreams.a.tls.cert"),
    ],
)
def test_tls_fits_the_upstream(
    target: str, tls: Raw, path: str, dev: Dev, refused: Refused
) -> None:
    """TLS needs an https target; a certificate needs its key."""
    assert list(refused(dev(upstreams={"a": {"targets": [target], "tls": tls}}))) == [path]
