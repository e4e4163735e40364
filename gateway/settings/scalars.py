"""How one scalar becomes a value: YAML's core schema, and the types whose refusals speak plainly.

Pure. A `Parsed` in an annotation tells pydantic how to read a value, editors what it looks like
(JSON Schema), and the loader whether a file stands behind it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from gateway.settings.findings import RefusedError

# YAML 1.2.2, 10.3.2 (core schema), without octal and hexadecimal: `off`, `no`, `1:30` and dates
# stay text, and a number with a leading zero is text too, so that an app id keeps its zeros.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,17}|[0-9]{1,17}\.[0-9]{0,17})")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve(text: str) -> str | int | float | bool | None:
    """Read a plain scalar as YAML's core schema does."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class Expanded(str):
    """Text from the environment in a plain scalar: a number where a number is asked, else text."""

    __slots__ = ()


def plain(value: object) -> object:
    """Read a value from the environment as YAML would; any other stays as it is."""
    return resolve(str(value)) if isinstance(value, Expanded) else value


class Reads(Enum):
    """What the loader does with a value before it is checked."""

    NOTHING = auto()
    SECRET = auto()  # a string, {file: path} or {env: NAME}; never shown
    CONTENT = auto()  # a path whose content is read now
    FILE = auto()  # a path that must be readable
    PRIVATE_FILE = auto()  # the same, and it should not be readable by everyone


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """Reads a value with a function that raises `RefusedError`."""

    parse: Callable[[object], object]
    schema: Mapping[str, object]
    reads: Reads = Reads.NOTHING

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return dict(self.schema)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The same for values that hold a path: relative ones count from the folder of the settings."""

    parse: Callable[[object, Path], object]
    schema: Mapping[str, object]
    reads: Reads = Reads.NOTHING

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def parse(value: object, info: ValidationInfo) -> object:
            return self.parse(value, (info.context or {}).get("base", Path()))

        return core_schema.with_info_plain_validator_function(parse)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return dict(self.schema)


def given(default: object) -> Any:
    """Give a field its default as the settings file would write it.

    `Any`, as pydantic's own `Field`: the default is read into whatever type the field has.
    """
    return Field(default, validate_default=True)


def text(value: object, allowed: str = "text") -> str:
    """Take text. Raises: RefusedError."""
    if not isinstance(value, str):
        raise RefusedError(f"{allowed} (in quotes where it looks like a number)")
    return str(value)


def matching(pattern: str, allowed: str) -> Parsed:
    """Take text that the whole pattern matches."""
    expression = re.compile(pattern)

    def parse(value: object) -> str:
        if not expression.fullmatch(text(value, allowed)):
            raise RefusedError(allowed)
        return str(value)

    return Parsed(parse, {"type": "string", "pattern": f"^(?:{pattern})$"})


def whole(minimum: int, maximum: int) -> Parsed:
    """Take a whole number within bounds."""

    def parse(value: object) -> int:
        number = plain(value)
        if not isinstance(number, int) or isinstance(number, bool):
            raise RefusedError(f"a whole number from {minimum} to {maximum}")
        if not minimum <= number <= maximum:
            raise RefusedError(f"a whole number from {minimum} to {maximum}")
        return number

    return Parsed(parse, {"type": "integer", "minimum": minimum, "maximum": maximum})


def _flag(value: object) -> bool:
    read = plain(value)
    if not isinstance(read, bool):
        raise RefusedError("true or false")
    return read


def _switch(value: object) -> bool:
    read = plain(value)
    if read in ("on", "off"):
        return read == "on"
    if not isinstance(read, bool):
        raise RefusedError("on or off")
    return read


def take_path(value: object, base: Path) -> Path:
    """Take the path of a file or folder. Raises: RefusedError."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise RefusedError("the path of a file")
    return base / value


def _workers(value: object) -> int | str:
    read = plain(value)
    if read == "auto":
        return "auto"
    if not isinstance(read, int) or isinstance(read, bool) or not 1 <= read <= MAX_WORKERS:
        raise RefusedError(f"auto, or a whole number from 1 to {MAX_WORKERS}")
    return read


MAX_WORKERS = 256  # more processes than any container we know has cores

_PATH = {"type": "string", "minLength": 1}

Text = Annotated[str, Parsed(text, {"type": "string"})]
Flag = Annotated[bool, Parsed(_flag, {"type": "boolean"})]
Switch = Annotated[bool, Parsed(_switch, {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off"]}]})]
Workers = Annotated[
    int | Literal["auto"],
    Parsed(_workers, {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]}),
]
Folder = Annotated[Path, Placed(take_path, _PATH)]
InputFile = Annotated[Path, Placed(take_path, _PATH, Reads.FILE)]
PrivateFile = Annotated[Path, Placed(take_path, _PATH, Reads.PRIVATE_FILE)]
