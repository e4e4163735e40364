"""Reads `${NAME}` and `${NAME:-default}` in one scalar.

What a variable holds is not read again, so nobody who sets one variable reaches another
(attacks.md X3). `$${` writes a plain `${`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.settings.findings import RefusedError

_PLACE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


@dataclass(frozen=True, slots=True)
class Expansion:
    """A scalar's text after expansion, and whether something in it came from the environment."""

    text: str
    is_from_environment: bool
    is_changed: bool


def expand(text: str, environ: Mapping[str, str]) -> Expansion:
    """Expand one scalar.

    Like the shell's `:-`, a default stands in for a variable that is missing or empty.
    Raises: RefusedError for a variable that is not set and for `${` without its end.
    """
    if "${" not in text:
        return Expansion(text, is_from_environment=False, is_changed=False)
    was_read = False

    def replace(match: re.Match[str]) -> str:
        nonlocal was_read
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            # The text is not shown: it may be a secret.
            allowed = "${NAME} or ${NAME:-default}; $${ for a plain ${"
            raise RefusedError(allowed, "${ without a name and a closing brace")
        value = environ.get(name)
        if default is not None and not value:
            return default
        was_read = True
        return _checked(name, value)

    return Expansion(_PLACE.sub(replace, text), was_read, is_changed=True)


def _checked(name: str, value: str | None) -> str:
    if value is None:
        allowed = f"set the variable {name}, or give a default: ${{{name}:-…}}"
        raise RefusedError(allowed, f"${{{name}}}, which is not set")
    if not is_encodable(value):
        raise RefusedError("text in UTF-8", f"${{{name}}}, which is not UTF-8")
    return value


def is_encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8 (lone surrogates cannot)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
