"""Every settings file of the repository loads, and fits the published schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateway.loader import load
from gateway.settings import PLATFORMS, Settings

TOP = Path(__file__).parents[1]
EXAMPLES = [TOP / "gateway.yaml", *sorted((TOP / "config").glob("*.yaml"))]
SCHEMA = TOP / "docs/gateway.schema.json"
ENVIRON = {
    "GATEWAY_SIGNING_KEY": "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A",
    "GATEWAY_ENCRYPTION_KEY": "SBaPqZy34BTnfb9K95/FsqUMqsjoIIg+pzJviLxxOsk=",
    "GATEWAY_ADMIN_TOKEN": "vT4nQ8wZ2cR6yL1p",
    "REDIS_PASSWORD": "made-up",
    "WECHAT_APP_SECRET": "made-up",
    "DOUYIN_APP_SECRET": "made-up",
}


def read(path: Path, folder: Path) -> Settings:
    """Load a copy of an example, so that development keys are not written beside it."""
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return load(copy, ENVIRON).settings


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads(path: Path, tmp_path: Path) -> None:
    """It is checked by the code that checks it at start-up."""
    made = read(path, tmp_path)
    assert made.apps
    assert made.routes


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_fits_the_schema_it_names(path: Path) -> None:
    """So an editor has nothing to complain of."""
    first = path.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == SCHEMA
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMA.read_text()))


def test_the_development_file_needs_nobody_s_secret(tmp_path: Path) -> None:
    """It works with an empty environment, against the simulator only."""
    copy = tmp_path / "gateway.yaml"
    copy.write_bytes((TOP / "gateway.yaml").read_bytes())
    loaded = load(copy, {})
    assert loaded.settings.environment == "development"
    assert loaded.warnings == ()
    assert {app.api_base for app in loaded.settings.apps.values()} == {"http://127.0.0.1:8090"}
    assert {app.platform for app in loaded.settings.apps.values()} == set(PLATFORMS)
    assert {route.session for route in loaded.settings.routes} == {"required", "optional", "none"}
    assert [route.path for route in loaded.settings.routes if route.ticket] == ["/live/"]


def test_production_examples_are_for_production(tmp_path: Path) -> None:
    """One for several machines with Redis, one for a single machine with SQLite."""
    made = [read(path, tmp_path) for path in EXAMPLES[1:]]
    assert {one.environment for one in made} == {"production"}
    assert {one.session.store.scheme for one in made} == {"rediss", "sqlite"}
