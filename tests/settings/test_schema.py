"""The settings as JSON Schema."""

from pathlib import Path

import jsonschema
import pytest

from gateway.settings.schema import render, schema

PUBLISHED = Path(__file__).parents[2] / "docs/gateway.schema.json"
APP = {"platform": "wechat", "app_id": "a", "secret": {"env": "A"}}


def test_the_published_schema_is_the_generated_one() -> None:
    """Else: python -m gateway.settings.schema > docs/gateway.schema.json"""
    assert PUBLISHED.read_text() == render()


def test_the_schema_is_one() -> None:
    """Editors can use it."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"apps": {"a": APP}},
        {"apps": {"a": {**APP, "secret": "s"}, "b": {**APP, "secret": {"file": "s"}}}},
        {"server": {"workers": "${WORKERS:-auto}", "proxy_protocol": "${PROXY}"}},
        {"session": {"lifetime": "${LIFE}", "idle_timeout": None, "cache": "${CACHE}"}},
        {"server": {"limits": {"body": 1000, "headers": "16KiB"}}},
        {"apps": {"a": {**APP, "unionid": "off", "platform": "${PLATFORM}"}}},
    ],
)
def test_good_settings_fit_the_schema(raw: object) -> None:
    """Every scalar may read the environment; secrets may be references."""
    jsonschema.validate(raw, schema())


@pytest.mark.parametrize(
    "raw",
    [
        {"sever": {}},
        {"server": {"timeouts": {"headers": "10"}}},
        {"server": {"limits": {"body": "10MB"}}},
        {"apps": {"a": {**APP, "secret": {"file": "a", "env": "b"}}}},
        {"apps": {"A": APP}},
        {"apps": {"a": {**APP, "platform": "alipay"}}},
        {"routes": [{"upstream": "a"}]},
        {"environment": "prod"},
    ],
)
def test_wrong_settings_do_not_fit_the_schema(raw: object) -> None:
    """An editor shows the mistake while it is made."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw, schema())
