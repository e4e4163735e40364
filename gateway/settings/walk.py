"""Finds a place in the settings' models and in the data they are made from.

Pure. So each setting is described once, in its model, for checking, for secrets and for editors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings.findings import Loc
from gateway.settings.model import Settings
from gateway.settings.scalars import Parsed, Placed, Reads

Raw = Mapping[str, object]
"""Settings as they were written: mappings, lists and scalars, not yet checked."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What the models say about one place."""

    annotation: object
    metadata: tuple[object, ...]
    field: FieldInfo | None = None

    @property
    def reads(self) -> Reads:
        """What stands behind the value."""
        for note in self.metadata:
            if isinstance(note, Parsed | Placed):
                return note.reads
        return Reads.NOTHING

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys a mapping may have here."""
        model = _model(self.annotation)
        return tuple(model.model_fields) if model else ()


def find(loc: Loc) -> Spot | None:
    """Find what the models say about a place; None where they know nothing of it."""
    spot: Spot | None = Spot(Settings, ())
    for key in loc:
        spot = _step(spot, key) if spot else None
    return spot


def _step(spot: Spot, key: str | int) -> Spot | None:
    model = _model(spot.annotation)
    if model is not None:
        field = model.model_fields.get(str(key))
        return _peel(field.annotation, tuple(field.metadata), field) if field else None
    arguments = get_args(spot.annotation)
    if get_origin(spot.annotation) is tuple and isinstance(key, int):
        return _peel(arguments[0])
    if get_origin(spot.annotation) is Mapping and isinstance(key, str):
        return _peel(arguments[1])
    return None


def _peel(
    annotation: object, metadata: tuple[object, ...] = (), field: FieldInfo | None = None
) -> Spot:
    """Take `Annotated` and `| None` off a type, keeping the notes."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        return _peel(inner, (*metadata, *notes), field)
    if get_origin(annotation) in (Union, UnionType):
        inner = [member for member in get_args(annotation) if member is not NoneType]
        if len(inner) == 1:
            return _peel(inner[0], metadata, field)
    return Spot(annotation, metadata, field)


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def value_at(raw: object, loc: Loc) -> object:
    """Take the value at a place; None where nothing stands."""
    for key in loc:
        match raw, key:
            case Mapping() as mapping, _:
                raw = mapping.get(key)
            case list() as items, int() as index if index < len(items):
                raw = items[index]
            case _:
                return None
    return raw


def section(raw: Raw, *loc: str | int) -> Raw:
    """Take the mapping at a place; empty where none stands."""
    value = value_at(raw, loc)
    return value if isinstance(value, Mapping) else {}


def entries(raw: Raw, *loc: str | int) -> Iterator[tuple[Loc, object]]:
    """Go through the entries of the mapping or list at a place, each with its own place."""
    value = value_at(raw, loc)
    if isinstance(value, Mapping):
        yield from (((*loc, key), entry) for key, entry in value.items())
    elif isinstance(value, list):
        yield from (((*loc, index), entry) for index, entry in enumerate(value))


def parts(raw: Raw, *loc: str | int) -> Iterator[tuple[Loc, Raw]]:
    """Go through the entries that are mappings."""
    for place, entry in entries(raw, *loc):
        if isinstance(entry, Mapping):
            yield place, entry
