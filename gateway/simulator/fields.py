"""The fields of a `/_sim` request: each is read by its kind, and a wrong one is named."""

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from aiohttp import web

from gateway.simulator.calls import Number

MAX_TEXT = 256
"""Characters in a name; the platforms' own ids are far shorter."""


class BadInputError(Exception):
    """A field is missing or wrong; the text names it and what is allowed."""


class Fields:
    """A JSON object, read field by field. Raises: BadInputError."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def text(self, name: str, default: str | None = None) -> str:
        """Read a text of 1 to 256 characters."""
        value = self._fields.get(name, default)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
            raise BadInputError(f"{name}: a text of 1 to {MAX_TEXT} characters")
        return value

    def one_of(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Read one of some words."""
        value = self._fields.get(name, default)
        if not isinstance(value, str) or value not in allowed:
            raise BadInputError(f"{name}: one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """Read true or false; false when absent."""
        value = self._fields.get(name, False)
        if not isinstance(value, bool):
            raise BadInputError(f"{name}: true or false")
        return value

    def whole(self, name: str, least: int, most: int, *, default: int) -> int:
        """Read a whole number within bounds."""
        value = self._fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadInputError(f"{name}: a whole number from {least} to {most}")
        return value

    def seconds(self, name: str, most_s: float, *, default: float) -> float:
        """Read seconds, parts of them allowed."""
        value = self._fields.get(name, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= most_s
        ):
            raise BadInputError(f"{name}: seconds from 0 to {most_s:g}")
        return float(value)

    def number(self, name: str, *, is_needed: bool) -> Number | None:
        """Read a platform's error number; Baidu also has words."""
        value = self._fields.get(name)
        if value is None and not is_needed:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | str)
            or len(str(value)) > MAX_TEXT
        ):
            raise BadInputError(f"{name}: a number of the platform's own")
        return value

    def mapping(self, name: str) -> dict[str, object]:
        """Read an object."""
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise BadInputError(f"{name}: a JSON object")
        return value


async def read_fields(request: web.Request) -> Fields:
    """Read a request's JSON object. Raises: BadInputError."""
    body = await request.read()
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # UnicodeEncodeError: half a surrogate pair
        raise BadInputError("the body must be JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise BadInputError("the body must be a JSON object")
    return Fields(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
