"""What is allowed but rarely meant."""

from collections.abc import Callable

import pytest

from gateway.settings import advise, build

Raw = dict[str, object]
Dev = Callable[..., Raw]


def warnings(raw: Raw) -> list[str]:
    """Build settings and take their warnings."""
    return list(advise(build(raw)))


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "[fd00:ec2::254]"),
        *("[::ffff:169.254.169.254]", "[fd00:ec2:0::254]"),
    ],
)
def test_a_metadata_service_is_named(host: str, dev: Dev) -> None:
    """There a cloud hands out credentials (attacks.md X4)."""
    targets = ["http://a", f"http://{host}", "unix:/run/app.sock"]
    found = warnings(dev(upstreams={"m": {"targets": targets}}))
    assert len(found) == 1
    assert found[0].startswith("upstreams.m.targets[1]")


def test_trusting_everybody_is_named(dev: Dev) -> None:
    """A network of all addresses believes every client."""
    found = warnings(dev(server={"trusted_proxies": ["10.0.0.0/8", "::/0"]}))
    assert found == ["server.trusted_proxies[1]: ::/0 lets every client say who it is"]


def test_a_login_path_without_app_is_named(dev: Dev) -> None:
    """It works only where the platform has one app."""
    found = warnings(dev(endpoints={"login": ["/login", "/in/{platform}", "/in/{app_id}"]}))
    assert found == ["endpoints.login[1]: /in/{platform} does not hold {app_id}"]


@pytest.mark.parametrize(
    ("secret", "is_named", "why"),
    [
        ("$WECHAT_APP_SECRET", True, "as a shell writes it"),
        ("%WECHAT_APP_SECRET%", True, "as Windows does"),
        ("$(WECHAT_APP_SECRET)", True, "as Kubernetes does"),
        ("$hunter2", True, "a name in lower case"),
        ("hunter2", False, "a secret"),
        ("hunter2$WECHAT", False, "a secret with the sign in it"),
        ("$2b$12$x", False, "a secret with several"),
        ("%hunter2", False, "half a name"),
        ("$${NAME}", False, "what an operator wrote by intention"),
    ],
)
def test_a_secret_like_a_variable_is_named(secret: str, is_named: bool, why: str, dev: Dev) -> None:
    """Everywhere a secret may stand, without its text: it may be one after all."""
    app: Raw = {"platform": "wechat", "app_id": "wx1", "secret": "s", "next_secret": secret}
    found = warnings(dev(apps={"shop": app}))
    assert [warning.split(":")[0] for warning in found] == ["apps.shop.next_secret"] * is_named, why
    assert all("did you mean ${NAME} or {env: NAME}?" in warning for warning in found)
    assert not any(secret in warning for warning in found)


def test_keys_tokens_and_the_store_s_password_are_looked_at_too(dev: Dev) -> None:
    """Each at its place."""
    variable = "$A_NAME_OF_AT_LEAST_32_CHARACTERS"
    token: Raw = {"name": "ops", "token": variable, "scopes": ["read"]}
    session: Raw = {
        "signing_keys": ["k" * 32, variable],
        "store": "redis://gateway:$REDIS_PASSWORD@redis",
    }
    found = warnings(dev(admin={"tokens": [token]}, session=session))
    assert [warning.split(":")[0] for warning in found] == [
        "admin.tokens[0].token",
        "session.signing_keys[1]",
        "session.store",
    ]
    assert "REDIS_PASSWORD" not in "".join(found)


@pytest.mark.parametrize(
    ("platform", "app_id", "owner"),
    [
        ("wechat", "wx1", None),
        ("wechat", "tt1", "douyin"),
        ("wechat", "ks1", "kuaishou"),
        ("douyin", "tt1", None),
        ("douyin", "wx1", "wechat"),
        ("douyin", "ks1", "kuaishou"),
        ("kuaishou", "ks1", None),
        ("kuaishou", "wx1", "wechat"),
        ("kuaishou", "other", None),
    ],
)
def test_an_app_id_of_another_platform_is_named(
    platform: str, app_id: str, owner: str | None, dev: Dev
) -> None:
    """A known prefix at the wrong platform; an unknown one says nothing."""
    apps: Raw = {"shop": {"platform": platform, "app_id": app_id, "secret": "s"}}
    text = f"apps.shop.app_id: {app_id} looks like an app id of {owner}, not of {platform}"
    assert warnings(dev(apps=apps)) == ([] if owner is None else [text])


def test_an_app_key_may_begin_with_anything(dev: Dev) -> None:
    """Baidu's are random letters and digits."""
    assert not warnings(dev(apps={"shop": {"platform": "baidu", "app_key": "wxa1", "secret": "s"}}))
