"""The settings as a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.settings import Settings
from gateway.settings.reference import WORDS, Row, render, rows
from gateway.settings.unbuilt import UNBUILT
from gateway.settings.walk import Spot, find

PUBLISHED = Path(__file__).parents[2] / "docs/settings.md"
ROWS = {row.path: row for row in rows()}


def test_the_published_page_is_the_generated_one() -> None:
    """Else: python -m gateway.settings.reference > docs/settings.md"""
    assert PUBLISHED.read_text() == render()


def spot(row: Row) -> Spot | None:
    """Find a row's place in the models; an entry of a list is named by its position."""
    steps = row.path.replace("[]", ".0").split(".")
    return find(tuple(0 if step == "0" else step for step in steps))


def models(part: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Find every model below one, without help from the schema."""
    yield part
    for info in part.model_fields.values():
        yield from _models_in(info.annotation)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from models(annotation)
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def test_every_setting_of_the_models_is_told() -> None:
    """A model's keys stand in the page, or are told by what is in them."""
    told = {name for row in ROWS.values() for name in row.path.replace("[]", "").split(".")}
    asked = {name for model in models(Settings) for name in model.model_fields}
    assert asked <= told
    assert len(ROWS) == len(set(ROWS))


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.path)
def test_a_row_tells_what_its_setting_means(row: Row) -> None:
    """It names a place that exists, with a meaning in whole words on one line."""
    assert spot(row) is not None
    assert row.meaning
    assert not set(row.meaning) & set("|\n")


@pytest.mark.parametrize(
    ("path", "default", "meaning", "reason"),
    [
        ("server.limits.headers", "`32KiB`", "header lines", "a default as it is written"),
        ("apps.<name>.secret", None, "app secret", "required; its own keys are not settings"),
        ("apps.<name>.kind", "`mini-program`", "One of `mini-program`, `mini-game`.", "choices"),
        ("routes[].methods", "`null`", "Any of `GET`", "several choices at once"),
        ("routes[].session", "`required`", "not looked at", "the note names the choices itself"),
        ("apps.<name>.unionid", "`true`", "union id", "a switch speaks for itself"),
        ("upstreams.<name>.tls", "`null`", "https service", "a part that may be left out"),
        ("server.trusted_proxies", "`[]`", "Networks", "an empty list"),
    ],
)
def test_a_setting_is_told_with_its_default(
    path: str, default: str | None, meaning: str, reason: str
) -> None:
    """Default and meaning are those of the models."""
    assert ROWS[path].default == default, reason
    assert meaning in ROWS[path].meaning, reason


@pytest.mark.parametrize("loc", UNBUILT, ids=".".join)
def test_what_is_not_built_is_not_told_as_if_it_were(loc: tuple[str, ...]) -> None:
    """It stands under "Not yet"; only the store is kept in part."""
    told = [row for row in ROWS.values() if row.loc[: len(loc)] == loc]
    assert told
    assert {row.is_built for row in told} == {loc == ("session", "store")}


@pytest.mark.parametrize("path", WORDS)
def test_a_note_in_the_model_comes_first(path: str) -> None:
    """Words of the page's own are only for settings whose model has none."""
    found = spot(ROWS[path])
    assert found is not None
    assert found.field is not None
    assert not found.field.description
